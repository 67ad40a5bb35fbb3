"""Every message that a connector pulls has exactly one answer, whatever the connector does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.connector import (
    BadAddress,
    Capabilities,
    Connector,
    InDoubt,
    Outcome,
    Receipt,
    Rejected,
    SendError,
    Temporary,
    Unavailable,
)
from vinculo.deliver import Circuit, State, deliver
from vinculo.model import Message

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def clock() -> datetime:
    return NOW


def message(number: int) -> Message:
    return Message(key=f"weekly/{number}", channel="email", to="ana@example.com", text="Olá")


@dataclass
class Source:
    """Messages as a run gives them; knows what was pulled."""

    size: int
    pulled: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Message]:
        for number in range(self.size):
            self.pulled.append(f"weekly/{number}")
            yield message(number)


class OneByOne(Connector):
    """Does with each message what *acts* say, by number; a receipt otherwise."""

    channels = frozenset({"email"})

    def __init__(self, **acts: Exception) -> None:
        self.acts = acts
        self.sent: list[str] = []

    def send(self, message: Message) -> Receipt:
        self.sent.append(message.key)
        act = self.acts.get("m" + message.key.rpartition("/")[2])
        if act is not None:
            raise act
        return Receipt(message.key)


class Scripted(Connector):
    """`send_many` is the function given."""

    channels = frozenset({"email"})

    def __init__(self, send_many: Callable[[Iterable[Message]], Any], bulk: int = 1) -> None:
        self.send_many = send_many  # type: ignore[method-assign]
        self.can = Capabilities(bulk=bulk)  # type: ignore[misc]

    def send(self, message: Message) -> Receipt:
        raise AssertionError(message)


def drive(connector: Connector, source: Iterable[Message], circuit: Circuit | None = None) -> dict[str, Outcome]:
    answers = list(deliver(connector, source, circuit=circuit or Circuit(), now=clock))
    assert [key for key, count in Counter(key for key, _ in answers).items() if count > 1] == []
    return dict(answers)


def kinds(answers: dict[str, Outcome]) -> list[str]:
    return [type(outcome).__name__ for outcome in answers.values()]


def test_answers_come_as_they_are_made_and_nothing_is_pulled_ahead() -> None:
    source = Source(3)
    answers = deliver(OneByOne(), source, circuit=Circuit(), now=clock)
    assert source.pulled == []
    assert next(answers) == ("weekly/0", Receipt("weekly/0"))
    assert source.pulled == ["weekly/0"]
    assert [key for key, _ in answers] == ["weekly/1", "weekly/2"]


def test_a_refusal_concerns_its_message_alone() -> None:
    connector = OneByOne(m1=Rejected("no"), m2=BadAddress("no such box"), m3=Temporary("later"), m4=InDoubt("lost"))
    assert kinds(drive(connector, Source(6))) == [
        "Receipt",
        "Rejected",
        "BadAddress",
        "Temporary",
        "InDoubt",
        "Receipt",
    ]


def test_a_bug_puts_its_message_in_doubt_and_the_rest_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    answers = drive(OneByOne(m1=KeyError("oops")), Source(4))
    assert kinds(answers) == ["Receipt", "InDoubt", "Receipt", "Receipt"]
    assert str(answers["weekly/1"]) == "bug in connector: KeyError: 'oops'"
    said = caplog.text
    assert "Exception in connector code: OneByOne: KeyError" in said
    assert "in send" in said  # where, for whoever mends it
    assert "oops" not in said  # its words may quote the contact, and logs go to Prefect


def test_three_bugs_in_a_row_stop_the_pulling_and_open_the_circuit() -> None:
    source, circuit = Source(9), Circuit()
    bugs = {f"m{number}": KeyError("oops") for number in range(9)}
    assert kinds(drive(OneByOne(**bugs), source, circuit)) == ["InDoubt"] * 3
    assert len(source.pulled) == 3
    assert circuit.state(NOW) is State.OPEN
    assert "3 times in a row" in circuit.reason


def test_bugs_that_are_not_in_a_row_do_not_stop_the_pulling() -> None:
    bugs = {f"m{number}": KeyError("oops") for number in (0, 1, 3, 4, 6, 7)}
    assert len(drive(OneByOne(**bugs), Source(9))) == 9


def test_unavailable_stops_the_pulling_at_once() -> None:
    source, circuit = Source(9), Circuit()
    assert kinds(drive(OneByOne(m2=Unavailable("421 closing")), source, circuit)) == [
        "Receipt",
        "Receipt",
        "Unavailable",
    ]
    assert source.pulled == ["weekly/0", "weekly/1", "weekly/2"]
    assert circuit.reason == "421 closing"


def test_an_open_circuit_pulls_nothing_and_half_open_it_pulls_one() -> None:
    source, circuit = Source(3), Circuit()
    circuit.learn(Unavailable("down"), NOW)
    assert drive(OneByOne(), source, circuit) == {}
    assert source.pulled == []
    later = NOW + timedelta(minutes=1)
    failing = OneByOne(m0=Unavailable("still down"))
    assert len(list(deliver(failing, source, circuit=circuit, now=lambda: later))) == 1
    assert source.pulled == ["weekly/0"]


def test_a_probe_that_succeeds_lets_the_rest_go() -> None:
    circuit = Circuit()
    circuit.learn(Unavailable("down"), NOW)
    later = NOW + timedelta(minutes=1)

    def hold_three(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        held = [message.key for message in messages]
        assert len(held) <= 3
        yield from ((key, Receipt()) for key in held)

    answers = list(deliver(Scripted(hold_three, bulk=3), Source(8), circuit=circuit, now=lambda: later))
    assert len(answers) == 8
    assert circuit.state(later) is State.CLOSED


def test_a_connector_cannot_hold_more_than_it_may() -> None:
    most = []

    def greedy(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        held = [message.key for message in messages]
        most.append(len(held))
        yield from ((key, Receipt()) for key in held)

    assert len(drive(Scripted(greedy, bulk=4), Source(10))) == 10
    assert max(most) == 4


def test_what_is_never_answered_is_in_doubt() -> None:
    def forgetful(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        for message in messages:
            if message.key != "weekly/1":
                yield message.key, Receipt()

    answers = drive(Scripted(forgetful, bulk=5), Source(3))
    assert {key: type(outcome) for key, outcome in answers.items()} == {
        "weekly/0": Receipt,
        "weekly/1": InDoubt,
        "weekly/2": Receipt,
    }


def test_answers_for_nothing_and_second_answers_are_dropped_and_told(caplog: pytest.LogCaptureFixture) -> None:
    def chatty(messages: Iterable[Message]) -> Iterator[Any]:
        for message in messages:
            yield "weekly/99", Receipt()
            yield message.key, Receipt("first")
            yield message.key, Rejected("second")
            yield None
            yield [], Receipt()

    answers = drive(Scripted(chatty), Source(2))
    assert answers == {"weekly/0": Receipt("first"), "weekly/1": Receipt("first")}
    assert sum("not given, or twice" in record.getMessage() for record in caplog.records) == 8


def test_an_answer_that_is_no_outcome_is_in_doubt() -> None:
    answers = drive(Scripted(lambda messages: ((message.key, True) for message in messages)), Source(1))
    assert repr(answers["weekly/0"]) == "InDoubt('bug in connector: answered with bool')"


def test_a_send_error_that_is_raised_belongs_to_the_one_message_that_is_out() -> None:
    def raises(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        for message in messages:
            if message.key == "weekly/1":
                raise Rejected("no")
            yield message.key, Receipt()

    assert kinds(drive(Scripted(raises), Source(3))) == ["Receipt", "Rejected", "Receipt"]


def test_a_send_error_raised_with_several_out_leaves_them_in_doubt() -> None:
    def raises(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        held = list(messages)
        if held:
            raise Unavailable("gone")
        yield from ()

    circuit = Circuit()
    source = Source(9)
    assert kinds(drive(Scripted(raises, bulk=3), source, circuit)) == ["InDoubt"] * 3
    assert len(source.pulled) == 3
    assert circuit.state(NOW) is State.OPEN


def test_a_connector_that_takes_nothing_ends_and_opens_the_circuit() -> None:
    source, circuit = Source(3), Circuit()
    assert drive(Scripted(lambda _: iter(())), source, circuit) == {}
    assert source.pulled == []
    assert circuit.state(NOW) is State.OPEN


def test_an_error_of_the_source_is_not_the_connectors_and_comes_out_after_the_answers() -> None:
    def source() -> Iterator[Message]:
        yield message(0)
        yield message(1)
        raise ConnectionError("the database is gone")

    seen: list[str] = []
    with pytest.raises(ConnectionError, match="the database is gone"):
        seen.extend(
            key
            for key, _ in deliver(
                Scripted(lambda messages: [(each.key, Receipt()) for each in messages], bulk=5),
                source(),
                circuit=Circuit(),
                now=clock,
            )
        )
    assert seen == ["weekly/0", "weekly/1"]


def test_the_same_key_twice_at_once_is_the_callers_error() -> None:
    connector = Scripted(lambda messages: [(each.key, Receipt()) for each in messages], bulk=5)
    with pytest.raises(ValueError, match="given twice"):
        drive(connector, [message(1), message(1)])


def test_a_caller_that_leaves_early_does_not_block_the_circuit() -> None:
    circuit = Circuit()
    circuit.learn(Unavailable("down"), NOW)
    later = NOW + timedelta(minutes=1)

    def second_first(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        held = [each.key for each in messages]
        yield from ((key, Receipt()) for key in reversed(held))

    assert circuit.enter(later)
    circuit.record(Receipt(), later)
    answers = deliver(Scripted(second_first, bulk=3), Source(3), circuit=circuit, now=lambda: later)
    assert next(answers)[0] == "weekly/2"
    answers.close()  # type: ignore[attr-defined]
    circuit.learn(Unavailable("down again"), later)
    later += timedelta(minutes=1)
    assert circuit.enter(later)


def test_a_caller_that_leaves_early_ends_what_the_connector_was_doing() -> None:
    ended, kept = list[str](), list[Iterator[tuple[str, Outcome]]]()

    def until_it_is_told(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        try:
            for each in messages:
                yield each.key, Receipt()
        finally:
            ended.append("its connections are let go of")

    def send_many(messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        kept.append(until_it_is_told(messages))  # so that nothing ends by being forgotten
        return kept[-1]

    answers = deliver(Scripted(send_many), Source(3), circuit=Circuit(), now=clock)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert ended


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_that_is_over_leaves_its_place_in_the_circuit(fails: bool) -> None:
    """One circuit serves all runs of a process: a place that is never left would keep every probe out."""

    def source() -> Iterator[Message]:
        yield message(0)
        if fails:
            raise ConnectionError("the database is gone")

    circuit = Circuit()
    with pytest.raises(ConnectionError) if fails else nullcontext():
        drive(OneByOne(), source(), circuit)
    circuit.learn(Unavailable("down"), NOW)
    assert circuit.enter(NOW + timedelta(minutes=1))


# ── whatever it does ─────────────────────────────────────────────────────────────────────────────────────────────
ACTS = ["pull", "pull", "pull", "answer", "answer", "refuse", "later", "unavailable", "again", "stranger", "nonsense", "raise", "raise_send_error", "return"]  # fmt: skip


class Erratic(Connector):
    """Acts at random; remembers nothing between rounds, as a generator that was restarted."""

    channels = frozenset({"email"})

    def __init__(self, acts: list[str], bulk: int) -> None:
        self.acts = iter(acts)
        self.can = Capabilities(bulk=bulk)  # type: ignore[misc]

    def send(self, message: Message) -> Receipt:
        raise AssertionError(message)

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        feed, held, last = iter(messages), [], ""
        for act in self.acts:
            match act:
                case "pull":
                    pulled = next(feed, None)
                    held += [pulled.key] if pulled else []
                case "answer" | "refuse" | "later" | "unavailable" if held:
                    last = held.pop()
                    yield (
                        last,
                        {
                            "answer": Receipt(),
                            "refuse": Rejected("r"),
                            "later": Temporary("t"),
                            "unavailable": Unavailable("u"),
                        }[act],
                    )
                case "again":
                    yield last, Receipt()
                case "stranger":
                    yield "nobody/1", Receipt()
                case "nonsense":
                    yield 7  # type: ignore[misc]
                case "raise":
                    raise ZeroDivisionError
                case "raise_send_error":
                    raise Temporary("raised")
                case "return":
                    return


@settings(max_examples=300, deadline=None)
@given(
    acts=st.lists(st.sampled_from(ACTS), max_size=60),
    bulk=st.integers(1, 5),
    size=st.integers(0, 12),
    step=st.integers(0, 40),
)
def test_every_pulled_message_has_exactly_one_answer(acts: list[str], bulk: int, size: int, step: int) -> None:
    logging.disable(logging.CRITICAL)
    source, circuit, ticks = Source(size), Circuit(), [NOW]

    def ticking() -> datetime:
        ticks.append(ticks[-1] + timedelta(seconds=step))
        return ticks[-1]

    try:
        answers = [key for key, _ in deliver(Erratic(acts, bulk), source, circuit=circuit, now=ticking)]
    finally:
        logging.disable(logging.NOTSET)
    assert sorted(answers) == sorted(source.pulled)
    assert circuit.enter(ticks[-1] + timedelta(days=2)), "a message that entered the circuit never left it"


@settings(max_examples=200, deadline=None)
@given(
    outcomes=st.lists(st.sampled_from([None, Rejected("r"), Temporary("t"), InDoubt("i"), KeyError("k")]), max_size=15)
)
def test_an_honest_connector_loses_nothing(outcomes: list[Exception | None]) -> None:
    logging.disable(logging.CRITICAL)
    acts = {f"m{number}": act for number, act in enumerate(outcomes) if act is not None}
    try:
        connector = OneByOne(**acts)
        answers = dict(deliver(connector, Source(len(outcomes)), circuit=Circuit(failures=99), now=clock))
    finally:
        logging.disable(logging.NOTSET)
    assert list(answers) == connector.sent
    for key, outcome in answers.items():
        act = acts.get("m" + key.rpartition("/")[2])
        assert outcome is act if isinstance(act, SendError) else isinstance(outcome, InDoubt if act else Receipt)


# ── work done ahead ──────────────────────────────────────────────────────────────────────────────────────────────
def waiting(given: Any) -> Iterator[tuple[str, Outcome]]:
    """Takes two, and makes ready what can be while it waits for their answers; the fifth finds the provider down."""
    for first in given:
        held = [first, *([second] if (second := next(given, None)) else [])]
        while given.prepare():
            pass
        for one in held:
            yield one.key, Unavailable("down") if one.key == "weekly/4" else Receipt()
        assert held[0].key != "weekly/4" or not given.prepare()  # nothing is made ready for who is down
    assert not given.prepare()  # nor where nothing more is to be had


def test_a_connector_that_waits_may_have_the_next_pulls_work_done() -> None:
    source, asked = Source(8), list[bool]()

    def ready() -> bool:
        asked.append(len(asked) % 3 < 2)
        return asked[-1]

    connector = Scripted(waiting, bulk=2)
    answers = dict(deliver(connector, source, circuit=Circuit(), now=clock, prepare=ready))
    assert list(answers) == source.pulled == [f"weekly/{number}" for number in range(6)]
    assert asked == 3 * [True, True, False]


def test_what_fails_while_it_is_made_ready_fails_the_run_when_all_are_answered() -> None:
    source, told, asked = Source(8), list[str](), list[int]()

    def ready() -> bool:
        asked.append(len(told))
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        for key, _ in deliver(Scripted(waiting, bulk=2), source, circuit=Circuit(), now=clock, prepare=ready):
            told.append(key)
    assert told == source.pulled == ["weekly/0", "weekly/1"]
    assert asked == [0]
