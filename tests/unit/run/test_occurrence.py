"""One occurrence from segment to history, through a real SMTP connection, on both databases."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import Clock
from vinculo import ledger, run
from vinculo.db.tables import contact, delivery, interaction
from vinculo.errors import NotReady, ProjectError, UsageError
from vinculo.mail.verdict import Phase
from vinculo.model import Occurrence, SkipReason
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.runtime import Runtime
from vinculo.testing.smtp import DROP, SmtpSink


def _weekly(rt: Runtime) -> tuple[Campaign, Occurrence]:
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence is not None
    return campaign, occurrence


def _send(rt: Runtime, worker: str = "w") -> dict[str, int]:
    return dict(run.run_occurrence(rt, *_weekly(rt), worker=worker))


def test_everyone_gets_it_once_and_the_history_says_so(rt: Runtime, sink: SmtpSink) -> None:
    assert _send(rt) == {"accepted": 20}
    assert sorted(one.to for one in sink.received) == sorted(f"contato{n}@correio.example" for n in range(20))
    with rt.read() as db:
        assert db.scalar(sa.select(sa.func.count()).where(interaction.c.kind == "sent")) == 20


def test_running_it_again_sends_nothing(rt: Runtime, sink: SmtpSink) -> None:
    _send(rt)
    assert _send(rt, "another") == {"accepted": 20}
    assert len(sink.received) == 20


def test_the_bar_of_ops_moves_from_nothing_to_all(rt: Runtime) -> None:
    campaign, occurrence = _weekly(rt)
    planned = run.start(rt, run.definition(rt, "weekly"), rt.now())
    share = partial(run.share_done, rt, "weekly", occurrence.key, planned["contacts"])
    assert share() == 0.0
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 5, rt.now(), timedelta(minutes=5))
    assert share() == 0.0
    with rt.begin() as db:
        for claim in claims:
            ledger.skip(db, claim, SkipReason.RENDER_ERROR, "", rt.now())
    assert share() == 0.25
    run.run_occurrence(rt, campaign, occurrence, worker="w")
    assert share() == 1.0


def test_two_workers_at_once_send_each_message_once(rt: Runtime, sink: SmtpSink) -> None:
    campaign, occurrence = _weekly(rt)
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            run.run_occurrence(rt, campaign, occurrence, worker=name)
        except BaseException as error:  # noqa: BLE001 - reported below
            errors.append(error)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len({one.to for one in sink.received}) == len(sink.received) == 20


def test_one_refused_message_stops_nobody_else(rt: Runtime, sink: SmtpSink) -> None:
    sink.fail(Phase.RCPT, "550 5.1.1 no such mailbox")
    assert _send(rt) == {"accepted": 19, "rejected": 1}


def test_a_provider_that_is_down_fails_the_run_visibly_and_nobody_is_lost(
    rt: Runtime, sink: SmtpSink, clock: Clock
) -> None:
    sink.fail(Phase.MAIL, "421 4.3.2 closing")
    with pytest.raises(run.ProviderDown, match="email: mail: 421"):
        _send(rt)
    with rt.read() as db:
        states = ledger.counts(db, "weekly")
    assert set(states) <= {("planned", ""), ("accepted", "")}
    assert states["planned", ""] >= 18  # the second that the connector held may have left over a new connection
    clock.forward(minutes=5)
    assert _send(rt) == {"accepted": 20}


def test_a_provider_that_takes_messages_and_hangs_up_is_not_told_as_if_nothing_had_left(
    rt: Runtime, sink: SmtpSink
) -> None:
    for _ in range(10):
        sink.fail(Phase.ANSWER, DROP)
    with pytest.raises(run.ProviderDown, match="10 failures in a row") as told:
        _send(rt)
    assert "10 had no answer, and may have arrived: `vinculo resolve`" in told.value.remedy
    with rt.read() as db:
        assert ledger.counts(db, "weekly") == {("in_doubt", ""): 10, ("planned", ""): 10}


def test_a_sender_that_is_refused_is_told_before_ten_have_been_put_off(rt: Runtime, sink: SmtpSink) -> None:
    for _ in range(20):
        sink.fail(Phase.MAIL, "550 5.7.1 relaying denied")
    with pytest.raises(run.ProviderDown, match=r"failures in a row, the last: mail: 550 5.7.1 relaying denied"):
        _send(rt)
    with rt.read() as db:
        states = ledger.counts(db, "weekly")
    assert set(states) <= {("planned", ""), ("deferred", "")}
    assert states["planned", ""] >= 10


def test_an_answer_that_never_came_is_in_doubt_and_not_sent_again(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    sink.fail(Phase.ANSWER, DROP)
    assert _send(rt) == {"accepted": 19, "in_doubt": 1}
    clock.forward(hours=1)
    run.drain(rt, worker="later")
    assert len(sink.received) == 20
    assert len({one.to for one in sink.received}) == len(sink.received)
    assert not run.finish(rt, "weekly", _weekly(rt)[1].key)


def test_nothing_is_sent_by_who_runs_without_a_file_that_is_wrong(rt: Runtime, sink: SmtpSink) -> None:
    """The web app does, so that people can leave: it hands over answers and confirmations, but not then."""
    campaign, occurrence = _weekly(rt)
    run.begin(rt, campaign, occurrence)
    (rt.project.root / "segments/slip.yaml").write_text("who: [\n")
    rt.project = load(rt.project.root, whole=False)
    with pytest.raises(NotReady, match=r"Nothing is sent: segments/slip.yaml"):
        run.drain(rt, worker="web")
    with pytest.raises(NotReady, match=r"Nothing is sent: segments/slip.yaml"):
        run.begin(rt, campaign, occurrence)
    with pytest.raises(NotReady, match=r"Nothing is sent: segments/slip.yaml"):
        run.definition(rt, campaign.name)
    assert sink.received == []
    assert run.states(rt, campaign.name, occurrence.key) == {"planned": 20}


@pytest.mark.parametrize("file", ["calendar/slip", "journeys/slip", "objectives"])
def test_a_wrong_file_on_which_no_other_rests_stops_nobody_elses_send(rt: Runtime, sink: SmtpSink, file: str) -> None:
    (rt.project.root / "plan/journeys").mkdir(exist_ok=True)
    (rt.project.root / f"plan/{file}.yaml").write_text("kind: [\n")
    known = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": rt.project.settings.secret_key}
    rt.project = load(rt.project.root, known, whole=False)
    assert run.definition(rt, "weekly")["name"] == "weekly"
    assert _send(rt) == {"accepted": 20}
    assert len(sink.received) == 20


def test_a_campaign_whose_own_file_is_wrong_is_told_what_is_wrong_in_it(rt: Runtime) -> None:
    (rt.project.root / "plan/calendar/weekly.yaml").write_text("kind: [\n")
    rt.project = load(rt.project.root, whole=False)
    with pytest.raises(ProjectError, match=r"plan/calendar/weekly.yaml:\d"):
        run.definition(rt, "weekly")


def test_a_deferred_message_is_sent_when_its_time_has_come(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    sink.fail(Phase.RCPT, "450 4.2.0 greylisted")
    assert _send(rt) == {"accepted": 19, "deferred": 1}
    assert run.drain(rt, worker="too early") == {}
    clock.forward(hours=1)
    assert run.drain(rt, worker="in time") == {"accepted": 1}
    assert run.conclude_open(rt) != []


def test_an_occurrence_that_comes_too_late_is_missed_and_everyone_has_an_outcome(rt: Runtime, clock: Clock) -> None:
    campaign, occurrence = _weekly(rt)
    clock.forward(hours=3)
    assert run.run_occurrence(rt, campaign, occurrence, worker="w") == {"skipped": 20}
    with rt.read() as db:
        assert ledger.counts(db, "weekly") == {("skipped", "missed"): 20}


def test_an_occurrence_brought_forward_is_done_when_its_time_comes(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    clock.forward(days=3)
    campaign = rt.project.campaigns["weekly"]
    coming = run.pick(rt, campaign)
    assert coming.local > rt.now().replace(tzinfo=None)
    run.run_occurrence(rt, campaign, coming, worker="w", due_now=True)
    assert len(sink.received) == 20
    clock.now = rt.now() + timedelta(days=4)
    assert run.standing_for(rt, campaign, clock.now) == coming
    run.run_occurrence(rt, campaign, coming, worker="the calendar's own run")
    assert len(sink.received) == 20


def test_a_rehearsal_counts_and_leaves_nothing(rt: Runtime) -> None:
    assert run.rehearse(rt, *_weekly(rt)) == {("planned", ""): 20}
    with rt.read() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(delivery)) == 0


def test_nothing_goes_out_before_somebody_approves(rt: Runtime, sink: SmtpSink) -> None:
    definition = run.definition(rt, "weekly") | {"approval": "required"}
    planned = run.start(rt, definition, rt.now())
    assert planned["held"]
    assert run.drain(rt, worker="w") == {}
    run.decide(rt, "weekly", planned["occurrence"], True, "Bia")
    assert run.drain(rt, worker="w") == {"accepted": 20}
    assert run.conclude(rt, "weekly", planned["occurrence"])["finished"]


def test_a_refused_occurrence_writes_to_nobody(rt: Runtime, sink: SmtpSink) -> None:
    planned = run.start(rt, run.definition(rt, "weekly") | {"approval": "required"}, rt.now())
    run.decide(rt, "weekly", planned["occurrence"], False, "Bia")
    assert run.drain(rt, worker="w") == {}
    assert run.conclude(rt, "weekly", planned["occurrence"])["states"] == {"cancelled": 20}


def test_an_unknown_name_says_what_there_is(rt: Runtime) -> None:
    with pytest.raises(UsageError, match="Did you mean `weekly`"):
        run.definition(rt, "weekley")
    with pytest.raises(UsageError, match="no segment `nobody`"):
        run.start(rt, run.definition(rt, "weekly") | {"segment": "nobody"}, rt.now())


def test_a_form_may_not_take_the_name_of_a_campaign_of_the_calendar(rt: Runtime) -> None:
    with pytest.raises(UsageError, match="campaign of the calendar"):
        run.start(rt, run.definition(rt, "weekly"), rt.now(), adhoc=True)


def test_a_form_started_twice_on_one_day_writes_to_nobody_twice(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    definition = run.definition(rt, "weekly") | {"name": "by-hand", "when": None}
    for _ in range(2):
        planned = run.start(rt, definition, rt.now(), adhoc=True)
        run.drain(rt, worker="w", campaign="by-hand", occurrence=planned["occurrence"])
        clock.forward(minutes=1)
    assert len(sink.received) == 20


def test_a_form_that_prefect_starts_too_late_writes_to_nobody(rt: Runtime, clock: Clock) -> None:
    meant = rt.now()
    clock.forward(hours=5)
    definition = run.definition(rt, "weekly") | {"name": "by-hand", "when": None}
    started = run.start(rt, definition, meant, adhoc=True)
    assert not started["occurrence"]
    assert "too long ago" in started["reason"]


def test_a_form_of_a_cancelled_name_is_not_planned_to_be_cancelled(rt: Runtime) -> None:
    definition = run.definition(rt, "weekly") | {"name": "by-hand", "when": None}
    with rt.begin() as db:
        ledger.cancel(db, "by-hand", rt.now())
    started = run.start(rt, definition, rt.now(), adhoc=True)
    assert (started["occurrence"], "by-hand is cancelled" in started["reason"]) == ("", True)
    with rt.begin() as db:
        ledger.resume(db, "by-hand", rt.now())
    assert run.start(rt, definition, rt.now(), adhoc=True)["occurrence"]


def test_an_occurrence_for_nobody_is_not_sealed(rt: Runtime, sink: SmtpSink) -> None:
    definition = run.definition(rt, "weekly") | {"segment": "staff", "exclude": []}
    assert "Nobody is in the segment" in run.start(rt, definition, rt.now())["reason"]
    with rt.begin() as db:
        db.execute(sa.update(contact).where(contact.c.key == "c01").values(kind="staff"))
    planned = run.start(rt, definition, rt.now())
    assert run.drain(rt, worker="w", occurrence=planned["occurrence"]) == {"accepted": 1}


def test_asked_to_stop_it_finishes_the_message_in_flight_and_gives_the_rest_back(rt: Runtime, sink: SmtpSink) -> None:
    run.begin(rt, *_weekly(rt))
    assert run.drain(rt, worker="w", stop=lambda: len(sink.received) >= 3) == {"accepted": 3}
    with rt.read() as db:
        assert ledger.counts(db, "weekly") == {("accepted", ""): 3, ("planned", ""): 17}


def test_a_time_before_the_first_occurrence_is_refused(rt: Runtime) -> None:
    campaign = rt.project.campaigns["weekly"]
    when = campaign.when and campaign.when.model_copy(update={"from_": rt.now().date()})
    with pytest.raises(UsageError, match="no occurrence at or before"):
        run.pick(rt, campaign.model_copy(update={"when": when}), rt.now() - timedelta(days=400))


def test_a_template_that_fails_for_its_own_sample_is_refused_before_anybody_is_left_out(
    rt: Runtime, sink: SmtpSink
) -> None:
    broken = rt.project.root / "templates/hello/email.html"
    broken.write_text(broken.read_text().replace("contact.given_name", "contact.nome"))
    with pytest.raises(UsageError, match="fails for its own sample"):
        run.run_occurrence(rt, *_weekly(rt), worker="w")
    with rt.read() as db:
        assert ledger.counts(db, "weekly") == {}
    assert sink.received == []


def test_a_text_as_long_as_its_channel_takes_is_sent(rt: Runtime, sink: SmtpSink) -> None:
    """The trial on the sample is no test send: its label would make a text that fits too long."""
    text = rt.project.root / "templates/hello/sms.txt"
    text.write_text("x" * 1600)
    campaign, occurrence = _weekly(rt)
    both = campaign.model_copy(update={"channels": ["email", "sms"]})
    assert dict(run.run_occurrence(rt, both, occurrence, worker="w")) == {"accepted": 20}
