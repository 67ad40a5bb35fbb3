"""Many connections in one thread: as many as are needed and wanted, and none of them loses a message."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from tests.unit.mail.smtp.conftest import DROP, SILENCE, Place, Receiver, letter
from vinculo.connector import Outcome, Receipt, Temporary, Unavailable
from vinculo.mail.smtp import Client
from vinculo.mail.verdict import Phase
from vinculo.model import Message


class Clock:
    """Seconds that pass only when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def drain(client: Client, numbers: range) -> dict[str, Outcome]:
    return dict(client.send_many(letter(each) for each in numbers))


def receipts(answers: dict[str, Outcome]) -> int:
    return sum(isinstance(outcome, Receipt) for outcome in answers.values())


@pytest.mark.parametrize("mode", ["on", "full"])
def test_it_never_holds_more_than_it_may_and_keeps_its_connections_busy(
    receive: Callable[..., Receiver], mode: str
) -> None:
    receiver, client = receive(), None
    held = most = 0

    def messages() -> Iterator[Message]:
        nonlocal held, most
        for number in range(200):
            held += 1
            most = max(most, held)
            yield letter(number)

    client = Client(receiver.url(connections=4, pipeline=mode))
    for _ in client.send_many(messages()):
        held -= 1
    client.close()
    assert client.bulk == 8
    assert most == (8 if mode == "full" else 4)
    assert (receiver.connections, receiver.most, len(receiver.taken)) == (4, 4, 200)


def test_one_message_needs_one_connection(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    client = Client(receiver.url())
    for number in range(3):
        client.send(letter(number))
    client.close()
    assert receiver.connections == 1


def test_nothing_is_pulled_before_an_answer_is_asked_for_nor_connected_for_nothing(
    receive: Callable[..., Receiver],
) -> None:
    receiver = receive()
    client = Client(receiver.url())
    pulled: list[int] = []
    answers = client.send_many(letter(number) for number in range(3) if not pulled.append(number))
    assert pulled == []
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert list(client.send_many([])) == []
    client.close()
    assert receiver.connections == 1


def test_a_connection_is_replaced_after_so_many_messages(receive: Callable[..., Receiver]) -> None:
    for mode in ("on", "full"):
        receiver = receive()
        client = Client(receiver.url(connections=1, messages=10, pipeline=mode))
        assert receipts(drain(client, range(35))) == 35
        client.close()
        per = [
            sum(place.phase is Phase.ANSWER and place.connection == each for place in receiver.places)
            for each in range(1, 5)
        ]
        assert per == [10, 10, 10, 5]
        assert receiver.lines.count("QUIT") == 4


def test_a_server_that_has_welcomed_a_few_connections_is_asked_for_the_others_at_once(
    receive: Callable[..., Receiver],
) -> None:
    receiver = receive(lambda place: SILENCE if place.phase is Phase.CONNECT and place.connection > 4 else None)
    client = Client(receiver.url(connections=32))
    assert receipts(drain(client, range(200))) == 200  # what was pulled for the silent ones leaves by the others
    client.close()
    assert receiver.connections == 32


@pytest.mark.parametrize("mode", ["on", "full"])
def test_there_are_never_more_connections_than_messages(receive: Callable[..., Receiver], mode: str) -> None:
    receiver = receive()
    client = Client(receiver.url(connections=32, pipeline=mode))
    assert receipts(drain(client, range(6))) == 6
    client.close()
    assert receiver.connections <= 6


def test_no_second_connection_is_tried_before_the_first_is_signed_in(receive: Callable[..., Receiver]) -> None:
    receiver = receive(lambda place: SILENCE if place.phase is Phase.EHLO else None)
    client = Client(receiver.url(connections=8, timeout=0.2))
    assert {type(outcome) for outcome in drain(client, range(20)).values()} == {Unavailable}
    client.close()
    assert receiver.most == 1


# ── a server that has had enough ─────────────────────────────────────────────────────────────────────────────────
def test_a_server_that_refuses_more_connections_gets_no_more_and_no_message_fails(
    receive: Callable[..., Receiver],
) -> None:
    for refusal in ("421 4.7.0 too many", DROP, "554 5.7.1 too many"):
        receiver = receive(
            lambda place, no=refusal: no if place.phase is Phase.CONNECT and place.connection > 2 else None
        )
        client = Client(receiver.url(connections=8))
        assert receipts(drain(client, range(100))) == 100
        assert receiver.connections == 4  # two were tried beside the two
        assert receipts(drain(client, range(100, 200))) == 100
        assert receiver.connections == 4
        client.close()


def test_half_a_minute_later_more_connections_are_tried_again(receive: Callable[..., Receiver]) -> None:
    clock = Clock()
    receiver = receive(
        lambda place: (
            "421 4.7.0 too many" if place.phase is Phase.CONNECT and clock.now < 1030 and place.connection > 1 else None
        )
    )
    client = Client(receiver.url(connections=4), clock=clock)
    assert receipts(drain(client, range(50))) == 50
    assert (receiver.connections, client._alive) == (2, 1)
    clock.now = 1031.0
    assert receipts(drain(client, range(50, 100))) == 50
    assert client._alive == 2
    client.close()


@pytest.mark.parametrize("mode", ["on", "full"])
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA])
def test_a_farewell_before_the_content_costs_no_message_and_halves_the_connections(
    receive: Callable[..., Receiver], mode: str, phase: Phase
) -> None:
    said: list[Place] = []

    def fiftieth(place: Place) -> str | None:
        if place.phase is phase:
            said.append(place)
        return "421 4.3.2 busy" if len(said) == 50 and place.phase is phase else None

    receiver = receive(fiftieth)
    client = Client(receiver.url(connections=8, pipeline=mode))
    answers = drain(client, range(200))
    assert receipts(answers) == 200
    assert sorted(receiver.taken) == sorted(answers)
    assert receiver.most == 8
    assert client._alive == 4
    client.close()


def test_a_farewell_to_the_dot_is_not_accepted_and_the_others_go_on(receive: Callable[..., Receiver]) -> None:
    receiver = receive(lambda place: "421 4.3.2 busy" if (place.phase, place.key) == (Phase.ANSWER, "m20") else None)
    client = Client(receiver.url(connections=4))
    answers = drain(client, range(60))
    client.close()
    assert [key for key, outcome in answers.items() if type(outcome) is Temporary] == ["m20"]
    assert receipts(answers) == 59
    assert "m20" not in receiver.taken


def test_after_a_farewell_as_much_is_written_at_once_as_before(receive: Callable[..., Receiver]) -> None:
    """It has not lost count: it has said that it closes."""
    receiver = receive(lambda place: "421 4.3.2 busy" if (place.phase, place.key) == (Phase.ANSWER, "m20") else None)
    client = Client(receiver.url(connections=1, pipeline="full"))
    assert receipts(drain(client, range(60))) == 59
    assert client._pipeline == "full"
    client.close()


def test_a_server_that_says_farewell_to_everybody_is_unavailable(receive: Callable[..., Receiver]) -> None:
    receiver = receive(lambda place: "421 4.3.2 closing" if place.phase is Phase.MAIL else None)
    client = Client(receiver.url(connections=4))
    answers = drain(client, range(5))
    client.close()
    assert {type(outcome) for outcome in answers.values()} == {Unavailable}
    assert receiver.taken == []


# ── connections that die ─────────────────────────────────────────────────────────────────────────────────────────
def test_connections_that_died_while_idle_are_no_failure_of_a_message(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    client = Client(receiver.url(connections=4))
    assert receipts(drain(client, range(50))) == 50
    receiver.hang_up()
    assert receipts(drain(client, range(50, 100))) == 50
    client.close()
    assert len(receiver.taken) == 100


@pytest.mark.parametrize("mode", ["off", "on", "full"])
def test_a_used_connection_that_dies_before_any_content_costs_no_message(
    receive: Callable[..., Receiver], mode: str
) -> None:
    receiver = receive(
        lambda place: DROP if place.phase is Phase.RCPT and place.key == "m7" and place.connection == 1 else None
    )
    client = Client(receiver.url(connections=1, pipeline=mode))
    assert receipts(drain(client, range(12))) == 12
    client.close()
    assert len(set(receiver.taken)) == len(receiver.taken) == 12


def test_a_message_that_kills_every_connection_is_tried_twice_and_not_for_ever(
    receive: Callable[..., Receiver],
) -> None:
    receiver = receive(lambda place: DROP if place.phase is Phase.RCPT and place.key == "m7" else None)
    client = Client(receiver.url(connections=1))
    answers = drain(client, range(12))
    client.close()
    assert receipts(answers) == 11
    assert type(answers["m7"]) is Temporary
    assert receiver.connections == 3


def test_a_message_that_kills_used_connections_is_given_two_of_them(receive: Callable[..., Receiver]) -> None:
    receiver = receive(lambda place: DROP if place.phase is Phase.RCPT and place.key == "m107" else None)
    client = Client(receiver.url(connections=4))
    assert receipts(drain(client, range(100))) == 100
    answers = drain(client, range(100, 120))
    client.close()
    assert [key for key, outcome in answers.items() if type(outcome) is Temporary] == ["m107"]
    assert sum(place.phase is Phase.RCPT and place.key == "m107" for place in receiver.places) == 2


@pytest.mark.parametrize(("said", "failed"), [("421 4.7.0 too many", 0), (DROP, 1)])
def test_a_new_connection_that_is_turned_away_at_its_first_message_costs_none_if_the_server_says_so(
    receive: Callable[..., Receiver], said: str, failed: int
) -> None:
    """Beside one that serves. Where nobody says why it ends, the message may be the reason, and waits."""
    receiver = receive(lambda place: said if place.phase is Phase.MAIL and place.connection == 2 else None)
    client = Client(receiver.url(connections=2))
    answers = drain(client, range(50))
    client.close()
    assert receipts(answers) == 50 - failed == len(set(receiver.taken)) == len(receiver.taken)
    assert sum(type(outcome) is Temporary for outcome in answers.values()) == failed


def test_a_server_that_goes_away_is_unavailable_for_what_has_not_left(receive: Callable[..., Receiver]) -> None:
    def last(place: Place) -> str | None:
        if place.phase is Phase.MAIL and len(receiver.taken) >= 20:
            receiver._server.close()
            return DROP
        return None

    receiver = receive(last)
    client = Client(receiver.url(connections=1))
    answers = drain(client, range(25))
    client.close()
    assert receipts(answers) == 20
    assert {type(outcome) for outcome in answers.values()} == {Receipt, Unavailable}


def test_a_name_that_nobody_knows_is_unavailable() -> None:
    client = Client("smtp://no.such.host.invalid")
    with pytest.raises(Unavailable, match=r"no\.such\.host\.invalid:25"):
        client.open()
    assert type(drain(client, range(1))["m0"]) is Unavailable
    client.close()


# ── its caller ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_caller_that_leaves_early_leaves_no_answer_to_the_next(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    client = Client(receiver.url(connections=4, pipeline="full"))
    answers = client.send_many(letter(each) for each in range(100))
    for _ in range(30):
        next(answers)
    answers.close()  # type: ignore[attr-defined]
    later = drain(client, range(100, 150))
    client.close()
    assert sorted(later) == sorted(f"m{each}" for each in range(100, 150))
    assert receipts(later) == 50


def test_an_exception_of_the_messages_comes_out_and_the_client_still_serves(receive: Callable[..., Receiver]) -> None:
    def messages() -> Iterator[Message]:
        yield letter(0)
        raise ConnectionError("the database is gone")

    client = Client(receive().url())
    with pytest.raises(ConnectionError):
        list(client.send_many(messages()))
    assert client.send(letter(1))
    client.close()


def test_a_server_that_says_nothing_is_not_waited_for_at_the_end(receive: Callable[..., Receiver]) -> None:
    receiver = receive(lambda place: SILENCE if place.phase is Phase.ANSWER else None)
    client = Client(receiver.url(timeout=0.2, connections=1))
    answers = drain(client, range(1))
    client.close()
    assert "no answer in time" in str(answers["m0"])


def test_memory_stays_flat(receive: Callable[..., Receiver]) -> None:
    receiver = receive()
    client = Client(receiver.url(connections=4, pipeline="full"))
    tracemalloc.start()
    peaks = []
    for start in (0, 300, 900):
        tracemalloc.reset_peak()
        for _ in client.send_many(letter(each, 15_000) for each in range(start, start + 300)):
            receiver.places.clear()
            receiver.lines.clear()
            receiver.taken.clear()
        peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    client.close()
    assert peaks[2] < peaks[0] + 1_000_000  # of 13 MB that went through
