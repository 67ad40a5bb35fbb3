"""`why`, `pause`, `resume`, `cancel`, `resolve` as a person types them."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from vinculo import contacts, history, ledger
from vinculo.cli import campaign as sending
from vinculo.cli import ledger as commands
from vinculo.cli import report as reporting
from vinculo.connector import InDoubt, Receipt
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery, occurrence
from vinculo.testing import store
from vinculo.testing.project import write_project


@pytest.fixture
def type_in(tmp_path, monkeypatch, command_line):
    """Type a command in a project where `a` is in doubt, `b` waits and `c` came later; return exit code and output."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    engine, now = connect(f"sqlite:///{tmp_path / 'vinculo.db'}"), datetime.now(UTC)
    metadata.create_all(engine)
    with engine.begin() as db:
        for key in "ab":
            store.add_contact(db, key=key, email=f"{key}@example.org", consent=["news"])
        file = store.campaign()
        ledger.plan(db, file, store.occurrence(file, now), store.allocation(now), now)
        (claim,) = ledger.claim(db, "w", 1, now, timedelta(minutes=1))
        ledger.submit(db, [claim], now)
        ledger.settle(db, [ledger.Settlement(claim, InDoubt("timeout"))], now)
        store.add_contact(db, key="c", email="c@example.org")
    engine.dispose()
    return command_line(commands)


def test_why_tells_what_became_of_a_contact(type_in) -> None:
    code, said = type_in("why", "a", "weekly")
    assert code == 0
    assert "in_doubt (email a@example.org)" in said
    assert json.loads(type_in("why", "b", "weekly", "--json")[1])["occurrences"][0]["state"] == "planned"


def test_a_send_can_be_stopped_while_a_file_of_the_plan_is_wrong(type_in, tmp_path) -> None:
    (tmp_path / "plan/calendar/weekly.yaml").write_text("kind: [\n")
    assert "weekly is paused" in type_in("pause", "weekly")[1]
    assert "weekly is cancelled" in type_in("cancel", "weekly")[1]
    assert type_in("resolve", "--all", "--write-off")[0] == 0
    code, said = type_in("why", "a", "weekly")
    assert (code, "plan/calendar/weekly.yaml:" in said) == (2, True)


def test_why_tells_what_would_become_of_a_contact_without_a_row(type_in) -> None:
    assert "the contact would be left out: no_consent" in type_in("why", "c", "weekly")[1]


def test_why_tells_that_todays_is_not_sent_because_its_hour_was_changed_after_another_was(type_in, tmp_path) -> None:
    file, settings = tmp_path / "plan/calendar/weekly.yaml", tmp_path / "vinculo.toml"
    settings.write_text(settings.read_text().replace("[company]", '[company]\ntimezone = "UTC"'))
    lines = [line for line in file.read_text().splitlines() if not line.startswith("when:")]
    another = (datetime.now(UTC) + timedelta(days=2)).strftime("%A").lower()  # today it has none, nor about midnight
    file.write_text("\n".join([*lines, f"when: {{every: {another}, at: '09:00'}}"]))
    assert "is not sent" not in type_in("why", "a", "weekly")[1]
    file.write_text("\n".join([*lines, "when: {every: day, at: '12:00', timezone: Etc/UTC}"]))
    said = type_in("why", "a", "weekly")[1]
    assert "T12:00[Etc/UTC] is not sent: weekly is on its way" in said
    assert "to send that of 12:00 all the same: `vinculo run weekly --at" in said
    assert "is not sent: " in json.loads(type_in("why", "a", "weekly", "--json")[1])["missed"]


def test_why_knows_a_campaign_that_only_the_ledger_has(type_in, tmp_path) -> None:
    (tmp_path / "plan/calendar/weekly.yaml").unlink()  # as a send by a form, which has no file
    assert "in_doubt" in type_in("why", "a", "weekly")[1]
    for campaign in ("weekly", "answer"):
        assert type_in("why", "c", campaign) == (0, f"The contact is in no occurrence of `{campaign}`.\n")
    assert type_in("why", "c", "nonsense")[0] == 2


def test_what_asks_for_a_confirmation_is_known_before_anybody_was_asked(type_in, tmp_path, command_line) -> None:
    assert type_in("why", "c", "confirm-news")[0] == 2
    policy = tmp_path / "plan/policy.yaml"
    policy.write_text(f"{policy.read_text()}\nconfirm: {{topics: [news], template: hello}}\n")
    said = "`confirm-news` asks who has said yes to `news` to confirm it (`confirm` in plan/policy.yaml)."
    assert type_in("why", "c", "confirm-news") == (0, f"{said} The contact was not asked.\n")
    assert type_in("why", "c", "confirm-offers")[0] == 2
    assert type_in("pause", "confirm-news") == (0, "confirm-news is paused; deliveries waiting: 0\n")
    assert type_in("why", "c", "confirm-news") == (0, f"{said} The contact was not asked.\n")
    code, told = command_line(reporting)("report", "confirm-news")
    assert (code, "asks contacts to confirm a yes\n" in told, "`vinculo consent ask`" in told) == (1, True, True)


@pytest.mark.parametrize("known", [{"timezone": "Pacific/Auckland"}, {"country": "NZ"}, {}])
def test_why_reads_quiet_hours_on_the_contacts_own_clock(type_in, tmp_path, known) -> None:
    there = datetime.now(ZoneInfo("Pacific/Auckland"))
    night = {"from": f"{(there.hour - 1) % 24:02}:00", "to": f"{(there.hour + 2) % 24:02}:00"}
    policy = tmp_path / "plan/policy.yaml"
    policy.write_text(f"{policy.read_text()}\nquiet_hours: [{json.dumps(night)}]\n")
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    with engine.begin() as db:
        store.add_contact(db, key="d", email="d@example.org", consent=["news"], **known)
        store.add_contact(db, key="e", timezone="Pacific/Auckland")  # where somebody lives
    engine.dispose()
    trace = json.loads(type_in("why", "d", "weekly", "--json")[1])["trace"]
    assert datetime.fromisoformat(trace["due_at"]) > datetime.now(UTC) + timedelta(minutes=30)


def test_an_unknown_name_is_one_clear_error(type_in) -> None:
    assert type_in("pause", "weakly") == (2, "There is no campaign `weakly`\n  Did you mean `weekly`?\n")
    assert type_in("why", "nobody", "weekly")[0] == 1
    assert type_in("resolve", "99", "--accepted")[0] == 1
    assert type_in("resolve", "--accepted", "--resend")[0] == 2


def test_a_dry_run_changes_nothing(type_in) -> None:
    type_in("cancel", "weekly", "--dry-run")
    type_in("resolve", "--all", "--write-off", "--dry-run")
    assert "planned" in type_in("why", "b", "weekly")[1]
    assert "in_doubt" in type_in("why", "a", "weekly")[1]


def test_a_campaign_is_paused_resumed_and_cancelled(type_in) -> None:
    type_in("pause", "weekly")
    assert "the campaign is paused" in type_in("why", "b", "weekly")[1]
    type_in("resume", "weekly")
    assert "or for a worker" in type_in("why", "b", "weekly")[1]
    type_in("cancel", "weekly")
    assert "cancelled" in type_in("why", "b", "weekly")[1]


def test_a_send_that_was_stopped_before_anybody_was_planned_can_be_resumed(type_in, tmp_path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    with engine.begin() as db:
        ledger.pause(db, "autumn-sale", datetime.now(UTC), "its run was cancelled in Prefect")
    engine.dispose()
    assert type_in("why", "c", "autumn-sale") == (0, "The contact is in no occurrence of `autumn-sale`.\n")
    assert type_in("resume", "autumn-sale")[1] == "autumn-sale is resumed; deliveries waiting: 0\n"
    assert type_in("resume", "autumn-sale")[0] == 2


def test_what_a_command_does_not_change_it_does_not_claim(type_in) -> None:
    assert "weekly is neither paused nor cancelled" in type_in("resume", "weekly")[1]
    type_in("cancel", "weekly")
    assert "weekly stays cancelled" in type_in("pause", "weekly")[1]
    assert json.loads(type_in("pause", "weekly", "--json")[1])["state"] == "cancelled"
    assert "weekly is resumed" in type_in("resume", "weekly")[1]


def test_what_is_in_doubt_of_a_cancelled_campaign_is_not_sent_again_and_that_is_said(type_in) -> None:
    type_in("cancel", "weekly")
    for words in (["--dry-run"], []):
        said = type_in("resolve", "--all", "--resend", *words)[1]
        assert "as resend: 0.\nIn doubt as before, for their occurrence is cancelled: 1." in said
    told = json.loads(type_in("resolve", "--all", "--resend", "--json")[1])
    assert told["still_in_doubt"] == [one["id"] for one in told["deliveries"]]
    assert "Settled as write off: 1." in type_in("resolve", "--all", "--write-off")[1]
    assert type_in("resolve")[1] == "Nothing is in doubt.\n"


def test_nor_is_what_its_contact_has_as_one_that_was_merged_with_it_and_that_is_said(type_in, tmp_path) -> None:
    engine, now = connect(f"sqlite:///{tmp_path / 'vinculo.db'}"), datetime.now(UTC)
    with engine.begin() as db:
        (claim,) = ledger.claim(db, "w", 1, now, timedelta(minutes=1))
        ledger.submit(db, [claim], now)
        ledger.settle(db, [ledger.Settlement(claim, Receipt("1"))], now)
        kept = db.scalars(sa.select(delivery.c.contact_id).where(delivery.c.state == "in_doubt")).one()
        contacts.merge(db, kept, claim.key.contact_id, now)
    engine.dispose()
    for words in (["--dry-run"], []):
        said = type_in("resolve", "--all", "--resend", *words)[1]
        assert "as resend: 0.\nIn doubt as before, for their contact has it, or may have it, as one" in said
        assert "cancelled" not in said
    assert "Settled as accepted: 1." in type_in("resolve", "--all", "--accepted")[1]


def test_a_cancelled_campaign_is_not_run_and_nothing_is_cancelled_for_it(tmp_path, type_in, command_line) -> None:
    type_in("cancel", "weekly")
    run = command_line(sending)
    for words in (["weekly"], ["weekly", "--dry-run"]):
        code, said = run(*words)
        assert (code, "`weekly` is cancelled" in said, "vinculo resume weekly" in said) == (2, True, True)
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(occurrence)) == 1
    engine.dispose()


def test_who_runs_it_hears_until_when_another_worker_holds_the_rest() -> None:
    until = datetime(2026, 12, 1, 12, 5, 30, tzinfo=UTC)
    result = {"reasons": {}, "standing": "", "state": "open", "next_due": None, "held_until": until}
    *_, last = sending._advice(result, {"claimed": 1, "submitting": 1})
    assert last == "What another worker holds is free again at 12:05:30 UTC, should it have died."


def test_doubt_is_listed_and_settled(type_in) -> None:
    assert "timeout" in type_in("resolve")[1]
    assert "Settled as accepted: 1." in type_in("resolve", "--all", "--accepted")[1]
    assert type_in("resolve")[1] == "Nothing is in doubt.\n"
    engine = connect("sqlite:///vinculo.db")
    with engine.begin() as db:
        (sent,) = history.timeline(db, 1)
        handed_over = db.scalar(sa.select(delivery.c.submitted_at).where(delivery.c.contact_id == 1))
    engine.dispose()
    assert (sent.kind, sent.direction, sent.campaign, sent.at) == ("sent", "out", "weekly", handed_over)
