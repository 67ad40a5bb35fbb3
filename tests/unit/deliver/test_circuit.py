from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.deliver import Circuit, State

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def send(circuit: Circuit, outcome: Outcome, now: datetime) -> None:
    assert circuit.enter(now)
    circuit.record(outcome, now)


def test_unavailable_opens_at_once_for_the_first_wait() -> None:
    circuit = Circuit()
    send(circuit, Unavailable("535 wrong password"), NOW)
    assert circuit.state(at(29)) is State.OPEN
    assert not circuit.enter(at(29))
    assert circuit.state(at(30)) is State.HALF_OPEN
    assert (circuit.until, circuit.reason) == (at(30), "535 wrong password")


def test_a_provider_that_says_how_long_is_waited_for() -> None:
    circuit = Circuit()
    send(circuit, Unavailable("quota", after=600), NOW)
    assert circuit.until == at(600)


@pytest.mark.parametrize("after", [float("inf"), 1e300])
def test_nobody_is_waited_for_longer_than_a_day(after: float) -> None:
    circuit = Circuit()
    send(circuit, Unavailable("quota", after=after), NOW)
    assert circuit.until == at(86_400)


def test_half_open_lets_one_probe_through() -> None:
    circuit = Circuit()
    send(circuit, Unavailable("down"), NOW)
    assert circuit.enter(at(31))
    assert not circuit.enter(at(31))
    circuit.record(Receipt(), at(32))
    assert circuit.state(at(32)) is State.CLOSED
    assert circuit.enter(at(32))
    assert circuit.enter(at(32))


def test_each_failed_probe_doubles_the_wait_up_to_the_longest() -> None:
    circuit = Circuit(wait=timedelta(seconds=30), longest=timedelta(seconds=100))
    now, waits = NOW, []
    for _ in range(4):
        send(circuit, Unavailable("down"), now)
        assert circuit.until is not None
        waits.append((circuit.until - now).total_seconds())
        now = circuit.until
    assert waits == [30, 60, 100, 100]


@pytest.mark.parametrize("failure", [InDoubt("lost"), Temporary("drop", status="4.4.2")])
def test_a_probe_that_fails_in_any_way_opens_it_again_for_twice_the_wait(failure: Outcome) -> None:
    circuit = Circuit()
    send(circuit, Unavailable("down"), NOW)
    send(circuit, failure, at(30))
    assert circuit.until == at(90)


def test_after_a_success_the_wait_is_short_again() -> None:
    circuit = Circuit()
    send(circuit, Unavailable("down"), NOW)
    send(circuit, Unavailable("down"), at(30))
    send(circuit, Receipt(), at(100))
    send(circuit, Unavailable("down"), at(200))
    assert circuit.until == at(230)


@pytest.mark.parametrize(
    "failure", [InDoubt("lost"), Temporary("drop", status="4.4.2"), Temporary("busy", status="4.3.2")]
)
def test_failures_of_the_system_in_a_row_open_it(failure: Outcome) -> None:
    circuit = Circuit(failures=3)
    for outcome in (failure, failure, Receipt(), failure, failure):
        send(circuit, outcome, NOW)
    assert circuit.state(NOW) is State.CLOSED
    send(circuit, failure, NOW)
    assert circuit.state(NOW) is State.OPEN


def test_what_was_not_answered_before_a_refusal_of_our_sender_is_no_refusal() -> None:
    circuit, refusal = Circuit(), Temporary("mail: 550 sign in first", status="4.3.5")
    for outcome in (InDoubt("timeout"), refusal, refusal, InDoubt("timeout"), refusal, refusal):
        send(circuit, outcome, NOW)
    assert circuit.state(NOW) is State.CLOSED
    send(circuit, refusal, NOW)
    assert circuit.state(NOW) is State.OPEN


def test_three_refusals_of_our_sender_in_a_row_open_it() -> None:
    """An audience below ten would never reach ten failures."""
    circuit, refusal = Circuit(), Temporary("mail: 550 sign in first", status="4.3.5")
    for outcome in (refusal, refusal, Receipt(), refusal, refusal):
        send(circuit, outcome, NOW)
    assert circuit.state(NOW) is State.CLOSED
    send(circuit, refusal, NOW)
    assert circuit.state(NOW) is State.OPEN
    assert circuit.reason == "3 failures in a row, the last: mail: 550 sign in first"


def test_half_of_the_last_answers_failing_opens_it_though_they_are_never_many_in_a_row() -> None:
    circuit = Circuit(failures=10, ratio=0.5, window=50)
    for number in range(98):
        send(circuit, Temporary("busy", status="4.3.2") if number % 4 else Receipt(), NOW)
        if circuit.state(NOW) is State.OPEN:
            break
    assert number == 49  # not before there are fifty answers to judge by
    assert circuit.reason.startswith("half of the last 50 answers are failures")


def test_half_of_the_last_answers_are_enough_and_one_less_is_not() -> None:
    circuit = Circuit(failures=99, ratio=0.5, window=4)
    for outcome in (InDoubt("lost"), Receipt(), Receipt(), Receipt(), InDoubt("lost")):
        send(circuit, outcome, NOW)
    assert circuit.state(NOW) is State.CLOSED
    send(circuit, InDoubt("lost"), NOW)
    assert circuit.state(NOW) is State.OPEN


def test_fewer_than_half_failing_does_not_open_it_and_old_answers_are_forgotten() -> None:
    circuit = Circuit(failures=10, ratio=0.5, window=50)
    for number in range(500):
        send(circuit, Temporary("busy", status="4.3.2") if number % 25 < 9 else Receipt(), NOW)
    assert circuit.state(NOW) is State.CLOSED


def test_after_a_probe_the_last_answers_are_counted_afresh() -> None:
    circuit = Circuit(failures=99, ratio=0.5, window=4)
    for _ in range(4):
        send(circuit, InDoubt("lost"), NOW)
    assert circuit.state(NOW) is State.OPEN
    send(circuit, Receipt(), at(30))
    for _ in range(2):
        send(circuit, InDoubt("lost"), at(30))
    assert circuit.state(at(30)) is State.CLOSED


@pytest.mark.parametrize(
    "answer", [Rejected("no"), BadAddress("no"), Temporary("greylisted", status="4.7.1"), Temporary("?")]
)
def test_an_answer_about_one_message_is_a_sign_of_life(answer: Outcome) -> None:
    circuit = Circuit(failures=2)
    for _ in range(20):
        send(circuit, answer, NOW)
    assert circuit.state(NOW) is State.CLOSED
    send(circuit, Unavailable("down"), NOW)
    send(circuit, answer, at(31))
    assert circuit.state(at(31)) is State.CLOSED


def test_messages_that_were_under_way_when_it_opened_do_not_close_it_or_double_the_wait() -> None:
    circuit = Circuit()
    assert all(circuit.enter(NOW) for _ in range(4))
    for outcome in (Unavailable("down"), Receipt(), Unavailable("down"), Unavailable("down")):
        circuit.record(outcome, NOW)
    assert circuit.until == at(30)


def test_what_was_under_way_makes_a_wait_neither_shorter_nor_longer() -> None:
    circuit = Circuit(failures=3)
    assert all(circuit.enter(NOW) for _ in range(5))
    for _ in range(3):
        circuit.record(InDoubt("lost"), NOW)
    circuit.record(InDoubt("lost"), at(10))
    assert circuit.until == at(30)
    circuit.learn(Unavailable("quota", after=600), at(10))
    circuit.record(Unavailable("quota"), at(20))
    assert circuit.until == at(610)


def test_a_probe_that_does_not_go_leaves_its_place() -> None:
    circuit = Circuit()
    circuit.learn(Unavailable("down"), NOW)
    assert circuit.enter(at(31))
    circuit.leave()
    assert circuit.enter(at(31))


OUTCOMES: list[Outcome] = [Receipt(), Receipt(), Rejected("no"), InDoubt("lost"), Temporary("?"), Unavailable("down")]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["enter", "answer", "leave"]), st.sampled_from(OUTCOMES)), max_size=60))
def test_what_needs_no_clock_is_told_as_with_one(steps: list[tuple[str, Outcome]]) -> None:
    """`passes` and `thrives` are `enter` and `record` of a circuit that is closed."""
    short, long = Circuit(failures=3, window=8), Circuit(failures=3, window=8)
    out = 0
    for number, (step, outcome) in enumerate(steps):
        now = at(7 * number)
        if step == "enter":
            may = short.passes() or short.enter(now)
            assert may == long.enter(now)
            out += may
        elif out:
            out -= 1
            if step == "leave":
                short.leave()
                long.leave()
            else:
                if not short.thrives(outcome):
                    short.record(outcome, now)
                long.record(outcome, now)
        assert vars(short) | {"_lock": None} == vars(long) | {"_lock": None}
