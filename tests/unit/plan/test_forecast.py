"""The forecast counts what a run would do, sees caps across occurrences, and leaves no trace."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import CacheStats

from vinculo import audience, ledger, schedule
from vinculo.db.tables import delivery, occurrence
from vinculo.model import Moment, Occurrence
from vinculo.plan import PlannedOccurrence, forecast
from vinculo.project import Project, load
from vinculo.testing import store
from vinculo.testing.project import write_project

#: Tuesday, 1 December 2026, midnight in São Paulo: the week's newsletter is due at 09:00.
START = datetime(2026, 12, 1, 3, tzinfo=UTC)

NEWS = "kind: newsletter\nsegment: everyone\nexclude: [staff]\ntopic: news\nchannels: [email, sms]\ntemplate: hello\n"
SALE = "kind: promotion\nsegment: everyone\ntopic: offers\nchannels: [email]\ntemplate: hello\n"
POLICY = """\
    topics:
      news: {title: {en: News}}
      offers: {title: {en: Offers}}
      service: {title: {en: Service}}
    caps: [{at_most: 1, within: 2 days}]
"""


def _project(root: Path, **files: str | None) -> Project:
    named = {f"plan/calendar/{name}.yaml": text for name, text in files.items() if "/" not in name}
    others = {name: text for name, text in files.items() if "/" in name}
    return load(write_project(root, **named, **others), {})


@pytest.fixture
def people(engine: sa.Engine) -> sa.Engine:
    """Four contacts: by e-mail, by SMS alone, without consent, staff."""
    with engine.begin() as db:
        both = ["news", "offers"]
        store.add_contact(db, key="ana", email="ana@x.example", consent=both, timezone="Europe/Lisbon")
        store.add_contact(db, key="bia", phone="+5511999990001", consent=both)
        store.add_contact(db, key="caio", email="caio@x.example")
        store.add_contact(db, key="davi", email="davi@x.example", consent=both, kind="staff")
    return engine


def _forecast(engine: sa.Engine, project: Project, days: int = 7, start: datetime = START) -> list[PlannedOccurrence]:
    with engine.begin() as db:
        rows = forecast(db, project, start=start, days=days)
    with engine.begin() as db:
        total = sa.select(sa.func.count())
        in_ledger = [row for row in rows if row.state in ("open", "held")]
        assert db.scalar(total.select_from(occurrence)) == len(in_ledger)
        assert in_ledger or db.scalar(total.select_from(delivery)) == 0
    return rows


def test_a_row_says_whom_it_reaches_and_whom_not_and_why(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + "when: {every: tuesday, at: '09:00'}\n")
    (row,) = _forecast(people, project)
    assert (row.campaign, row.kind, row.state, row.approval) == ("weekly", "newsletter", "upcoming", False)
    assert row.occurrence == "2026-12-01T09:00[America/Sao_Paulo]"
    assert row.due_at == row.last_at == START + timedelta(hours=9)
    assert (row.segment, row.reach) == (4, {"email": 1, "sms": 1})
    assert row.left_out == {"excluded": 1, "no_consent": 1}


def test_it_counts_exactly_what_a_run_then_plans(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + "when: {every: tuesday, timezone: contact}\n")
    (row,) = _forecast(people, project)
    campaign = project.campaigns["weekly"]
    one = Occurrence("weekly", row.local, row.zone)
    with people.begin() as db:
        due = schedule.due(one, ["Europe/Lisbon", ""], "America/Sao_Paulo")
        allocation = audience.allocate(project, campaign, one, Moment(row.due_at, row.local.date()), zones=due)
        ledger.plan(db, campaign, one, allocation, row.due_at)
        counts = ledger.counts(db, "weekly", row.occurrence)
    assert sum(n for (state, _), n in counts.items() if state == "planned") == sum(row.reach.values())
    assert {reason: n for (state, reason), n in counts.items() if state == "skipped"} == row.left_out
    assert (row.due_at, row.last_at) == (START + timedelta(hours=6), START + timedelta(hours=9))


def test_caps_see_the_earlier_occurrences_of_the_plan(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(
        tmp_path,
        weekly=NEWS + "when: {every: tuesday}\n",
        sale=SALE + "when: {on: [2026-12-02, 2026-12-04]}\n",
        **{"plan/policy.yaml": POLICY},
    )
    weekly, soon, later = _forecast(people, project)
    assert weekly.reach == {"email": 1, "sms": 1}
    # Ana had the newsletter the day before; Davi, who is staff, had none.
    assert (soon.occurrence[:10], soon.reach, soon.left_out["frequency_cap"]) == ("2026-12-02", {"email": 1}, 1)
    # On the 4th the newsletter is three days old for Ana, and the sale of the 2nd just two for Davi.
    assert (later.occurrence[:10], later.reach) == ("2026-12-04", {"email": 2})


def test_at_the_same_time_the_higher_priority_wins(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(
        tmp_path,
        weekly=NEWS + "when: {every: tuesday}\n",
        sale=SALE + "priority: 90\nwhen: {on: 2026-12-01}\n",
        **{"plan/policy.yaml": POLICY},
    )
    first, second = _forecast(people, project)
    assert (first.campaign, first.reach) == ("sale", {"email": 2})
    assert (second.campaign, second.reach, second.left_out["frequency_cap"]) == ("weekly", {"sms": 1}, 1)


def test_what_is_in_the_ledger_is_shown_as_it_stands_and_not_planned_again(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + "approval: required\nwhen: {every: tuesday}\n")
    nine = START + timedelta(hours=9)
    campaign = project.campaigns["weekly"]
    one = store.occurrence(campaign, datetime(2026, 12, 1, 9), "America/Sao_Paulo")
    with people.begin() as db:
        ledger.plan(db, campaign, one, store.allocation(nine), nine, held=True)
    held, coming = _forecast(people, project, days=8, start=nine)
    assert (held.state, held.approval, held.reach) == ("held", True, {"email": 2})
    assert (coming.occurrence[:10], coming.state, coming.approval) == ("2026-12-08", "upcoming", True)
    with people.begin() as db:
        ledger.approve(db, "weekly", one.key, "Rita", nine)
        (claim, *_) = ledger.claim(db, "w", 1, nine, timedelta(minutes=5))
        db.execute(sa.update(delivery).where(delivery.c.id == claim.id).values(state="accepted", submitted_at=nine))
    opened = _forecast(people, project, days=8, start=nine)[0]
    assert (opened.state, opened.approval, opened.sent, opened.reach) == ("open", False, 1, {"email": 2})


def test_one_that_nobody_ran_is_late_and_says_what_its_policy_makes_of_it(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(
        tmp_path,
        weekly=NEWS + "late: {within: 2h, else: skip}\nwhen: {every: day}\n",
        sale=SALE + "late: {within: 2h, else: ask}\nwhen: {on: 2026-12-01}\n",
    )
    rows = _forecast(people, project, days=1, start=START + timedelta(hours=12))
    assert [(row.campaign, row.occurrence[:10], row.state) for row in rows] == [
        ("sale", "2026-12-01", "late"),
        ("weekly", "2026-12-01", "late"),
        ("weekly", "2026-12-02", "upcoming"),
    ]
    sale, late, upcoming = rows
    assert (sale.reach, sale.approval) == ({"email": 2}, True)
    assert (late.reach, late.left_out["missed"]) == ({}, 2)
    assert upcoming.reach == {"email": 1, "sms": 1}


def test_the_text_of_a_plan_is_made_once_for_all_occurrences_of_a_campaign(people: sa.Engine, tmp_path: Path) -> None:
    """Made anew for each, it is a fifth of what the console's plan of a month takes."""
    project, made = _project(tmp_path, weekly=NEWS + "when: {every: tuesday, at: '09:00'}\n"), list[CacheStats]()

    @sa.event.listens_for(people, "before_cursor_execute")
    def seen(_db: Any, _cursor: Any, said: str, _values: Any, context: Any, _many: Any) -> None:
        if "INSERT INTO delivery" in said:
            made.append(context.cache_hit)

    first, second, third = _forecast(people, project, days=21)
    assert first.reach == second.reach == third.reach == {"email": 1, "sms": 1}
    assert made[1:] == [CacheStats.CACHE_HIT] * 2


def test_a_segment_that_fails_is_told_on_its_row_and_stops_nothing_else(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(
        tmp_path,
        weekly=NEWS + "when: {every: tuesday}\n",
        broken=SALE.replace("everyone", "broken") + "priority: 99\nwhen: {on: 2026-12-01}\n",
        **{"segments/broken.sql": "SELECT id FROM no_such_table\n"},
    )
    broken, weekly = _forecast(people, project)
    assert "no_such_table" in broken.error
    assert (broken.phrase, broken.values) == ("segment_refused", {"segment": "broken", "error": broken.error})
    assert (broken.campaign, broken.segment, broken.reach) == ("broken", 0, {})
    assert (weekly.error, weekly.reach) == ("", {"email": 1, "sms": 1})


def test_a_paused_or_cancelled_campaign_says_so(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + "when: {every: tuesday}\n", sale=SALE + "when: {on: 2026-12-02}\n")
    with people.begin() as db:
        ledger.pause(db, "weekly", START)
        ledger.cancel(db, "sale", START)
    weekly, sale = _forecast(people, project)
    assert (weekly.state, weekly.reach) == ("paused", {"email": 1, "sms": 1})
    assert (sale.state, sale.reach, sale.left_out["cancelled"]) == ("cancelled", {}, 2)


def test_an_inactive_campaign_and_one_without_a_when_are_not_planned(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + "active: false\nwhen: {every: day}\n", sale=SALE)
    assert _forecast(people, project) == []


def test_an_error_inside_leaves_no_trace(people: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = _project(tmp_path, weekly=NEWS + "when: {every: day}\n")
    with people.begin() as db, pytest.raises(KeyError):
        forecast(db, _Crashing(project), start=START, days=7)  # type: ignore[arg-type]
    with people.begin() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == 0


class _Crashing:
    """A project that loses its policy in the middle of the work."""

    def __init__(self, project: Project) -> None:
        self.project, self.asked = project, 0

    def __getattr__(self, name: str) -> object:
        if name == "policy":
            self.asked += 1
            if self.asked > 3:
                raise KeyError(name)
        return getattr(self.project, name)


def test_an_occurrence_that_takes_several_days_says_so_and_takes_room_from_the_next(
    people: sa.Engine, tmp_path: Path
) -> None:
    with people.begin() as db:
        for number in range(9):
            store.add_contact(db, key=f"n{number}", email=f"n{number}@y.example", consent=["news", "offers"])
    toml = write_project(tmp_path) / "vinculo.toml"
    warm_up = '\n[limits.warm_up.email]\nfrom = 2026-12-01\nfirst = 2\ngrow = "50%"\nuntil = 99\n'
    files = {
        "vinculo.toml": toml.read_text() + warm_up,
        "plan/calendar/weekly.yaml": NEWS + 'when: {every: tuesday, at: "09:00"}\nexpires: 2 days\n',
        "plan/calendar/sale.yaml": SALE + 'when: {on: 2026-12-04, at: "10:00"}\n',
    }
    news, sale = _forecast(people, load(write_project(tmp_path, **files), {}), days=5)
    assert (news.reach, news.days) == ({"email": 10, "sms": 1}, 4)  # 2, 3, 4, and one of 6
    assert news.note == "leaves on 4 days, until 2026-12-04; what is left at 2026-12-03 12:00 UTC expires"
    assert (sale.reach, sale.days) == ({"email": 11}, 2)  # five are left of the 4th, and six of ten on the 5th


def test_a_paused_campaign_says_why(people: sa.Engine, tmp_path: Path) -> None:
    project = _project(tmp_path, weekly=NEWS + 'when: {every: tuesday, at: "09:00"}\n')
    with people.begin() as db:
        ledger.pause(db, "weekly", START, "9 of 500 complained")
    (row,) = _forecast(people, project)
    assert (row.state, row.days, row.note) == ("paused", 1, "the campaign is paused: 9 of 500 complained")
