"""R4–R7: Postfix's smtp-sink fails at every step in every way, and the ledger tells each failure by its right name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.conftest import NOW
from tests.torture.conftest import Tally
from tests.torture.laboratory import Laboratory
from tests.torture.worker import NOT_READY
from vinculo import feedback
from vinculo.model import Event, EventKind
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken
from vinculo.testing.postfix import PostfixSink
from vinculo.testing.store import SIGNER

FAMILY = "R4-R7 the server fails"
PEOPLE = 4
Start = Callable[..., PostfixSink]
RESEND = {
    "plan/calendar/weekly.yaml": """\
        kind: service
        objective: keep-active
        segment: everyone
        topic: news
        channels: [email]
        template: hello
        in_doubt: resend
        when: {every: tuesday, at: "09:00"}
    """
}


def _states(lab: Laboratory) -> dict[str, int]:
    known = ("planned", "deferred", "rejected", "in_doubt", "accepted", "claimed", "submitting", "skipped")
    return {state: number for state in known if (number := lab.count(state))}


def test_r4_a_server_that_dies_between_dot_and_answer_leaves_doubt_and_no_copy(
    make_laboratory, smtp_sink: Start, tally: Tally
) -> None:
    lab = make_laboratory(PEOPLE, sink=smtp_sink("-q", "."))
    lab.run()
    assert _states(lab) == {"in_doubt": PEOPLE}
    before = lab.record()
    lab.sink = smtp_sink()
    lab.recover()
    tally["faults"] += PEOPLE
    assert lab.record() == []
    lab.sink = type("Kept", (), {"host": lab.sink.host, "port": lab.sink.port, "messages": lambda _: []})()
    with lab.read() as db:
        tally.judged(oracle.judge(db, before, doubt=PEOPLE, people=PEOPLE))


def test_r4_a_campaign_that_resends_sends_exactly_twice_under_one_message_id(
    make_laboratory, smtp_sink: Start, tally: Tally
) -> None:
    lab = make_laboratory(PEOPLE, sink=smtp_sink("-q", "."), files=RESEND)
    lab.run()
    first = lab.record()
    lab.sink = smtp_sink()
    lab.recover()
    second = lab.record()
    tally["faults"] += PEOPLE
    assert _states(lab) == {"accepted": PEOPLE}
    assert sorted(map(_key, first)) == sorted(map(_key, second)) == sorted(set(map(_key, second)))
    tally.judged(lab.judge(doubt=0))


def _key(one: Taken) -> tuple[int, str]:
    return one.delivery, one.to


def test_r5_a_late_answer_is_doubt_until_later_evidence_settles_it(
    make_laboratory, smtp_sink: Start, tally: Tally
) -> None:
    lab = make_laboratory(2, sink=smtp_sink("-W", ".:4"))
    lab.run(environ={"VINCULO__SMTP__URL": f"{lab.sink.url}?timeout=0.5"})
    assert _states(lab) == {"in_doubt": 2}
    tally["faults"] += 2
    record = lab.record()
    with lab.begin() as db:
        for number, one in enumerate(record):
            kind = [EventKind.DELIVERED, EventKind.OPENED][number % 2]
            event = Event(
                kind, "test", str(number), NOW + timedelta(minutes=5), "email", delivery=one.delivery, raw=b"{}"
            )
            feedback.receive(db, event, signer=SIGNER, now=NOW + timedelta(minutes=5))
    assert _states(lab) == {"accepted": 2}
    tally.judged(lab.judge(doubt=0))


#: option of smtp-sink → at which command → what the ledger must say of every row.
VERDICTS = {
    "-Q": {"CONNECT": "planned", "EHLO": "planned", "MAIL": "planned", "RCPT": "planned", "DATA": "planned", ".": "planned"},
    "-r": {"CONNECT": "planned", "EHLO": "planned", "MAIL": "deferred", "RCPT": "deferred", "DATA": "deferred", ".": "deferred"},
    "-f": {"CONNECT": "planned", "MAIL": "deferred", "RCPT": "rejected", "DATA": "rejected", ".": "rejected"},
    "-q": {"CONNECT": "planned", "EHLO": "planned", "MAIL": "deferred", "RCPT": "deferred", "DATA": "deferred", ".": "in_doubt"},
}  # fmt: skip
CASES = [
    pytest.param(option, at, state, marks=() if at in {"RCPT", "."} else pytest.mark.torture)
    for option, those in VERDICTS.items()
    for at, state in those.items()
]


@pytest.mark.parametrize(("option", "at", "state"), CASES)
def test_r6_each_refusal_at_each_command_has_its_verdict(
    make_laboratory, smtp_sink: Start, tally: Tally, option: str, at: str, state: str
) -> None:
    lab = make_laboratory(PEOPLE, sink=smtp_sink(option, at))
    ended = lab.run()
    # A provider that works for nobody, or refuses our sender three times in a row, is told to the operator.
    assert (ended == NOT_READY) == (state == "planned" or (option, at) == ("-f", "MAIL"))
    found = _states(lab)
    assert found == {state: PEOPLE}, found
    tally["faults"] += PEOPLE
    kept = lab.record() if state == "in_doubt" else []  # it writes down what it then refuses at the dot
    lab.sink = smtp_sink()
    lab.recover()
    assert _states(lab) == {{"planned": "accepted", "deferred": "accepted"}.get(state, state): PEOPLE}
    with lab.read() as db:
        doubt = PEOPLE * (state == "in_doubt")
        tally.judged(oracle.judge(db, [*kept, *lab.record()], doubt=doubt, people=PEOPLE))


def test_r7_a_server_that_hangs_up_during_the_body_has_taken_nothing(
    make_laboratory, smtp_sink: Start, tally: Tally
) -> None:
    lab = make_laboratory(PEOPLE, sink=smtp_sink("-A", "0"))
    lab.run()
    found = _states(lab)
    assert set(found) <= {"rejected", "deferred", "in_doubt"}, found  # a short one has left whole before it is seen
    tally["faults"] += PEOPLE
    doubt = found.get("in_doubt", 0)
    lab.sink = smtp_sink()
    lab.recover()
    tally.judged(lab.judge(doubt=doubt))
