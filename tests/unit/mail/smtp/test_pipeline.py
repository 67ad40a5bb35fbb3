"""Many commands before their answers: which message each reply belongs to, whatever the server does."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from tests.unit.mail.smtp.conftest import DROP, SILENCE, TAKE_AND_DROP, Place, Receiver, letter
from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, Temporary, Unavailable
from vinculo.mail.smtp import Client
from vinculo.mail.verdict import Phase

MODES = ["off", "on", "full"]


def send(url: str, number: int = 8, size: int = 0) -> dict[str, Outcome]:
    client = Client(url)
    try:
        answers = list(client.send_many(letter(each, size) for each in range(number)))
    finally:
        client.close()
    assert sorted(key for key, _ in answers) == sorted(f"m{each}" for each in range(number))
    return dict(answers)


def kinds(answers: dict[str, Outcome]) -> dict[str, str]:
    return {key: type(outcome).__name__ for key, outcome in answers.items() if not isinstance(outcome, Receipt)}


def honest(answers: dict[str, Outcome], receiver: Receiver) -> None:
    """The receiver's own record is the judge: nothing twice, nothing said to be taken that is not, nor the reverse."""
    taken = Counter(receiver.taken)
    assert max(taken.values(), default=0) <= 1
    for key, outcome in answers.items():
        if isinstance(outcome, Receipt):
            assert taken[key] == 1, key
            assert f"queued as {key}" in outcome.response or "half" in outcome.response
        elif not isinstance(outcome, InDoubt):
            assert taken[key] == 0, (key, outcome)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_every_answer_is_that_of_its_message(receive: Callable[..., Receiver], mode: str, together: bool) -> None:
    receiver = receive(together=together)
    answers = send(receiver.url(pipeline=mode), 60)
    honest(answers, receiver)
    assert kinds(answers) == {}


@pytest.mark.parametrize(
    ("mode", "offer", "together"), [("on", "PIPELINING", 3), ("on", "SIZE 1000", 1), ("off", "PIPELINING", 1)]
)
def test_a_group_is_written_at_once_where_it_is_offered_and_only_there(
    receive: Callable[..., Receiver], mode: str, offer: str, together: int
) -> None:
    unread: list[int] = []

    def look(place: Place) -> None:
        if place.phase is Phase.MAIL:
            unread.append(sum(len(each.unread.splitlines()) for each in receiver._open))

    receiver = receive(look, offers=(offer,))
    send(receiver.url(pipeline=mode, connections=1), 3)
    assert unread == [together - 1] * 3


def test_in_one_round_trip_the_next_commands_travel_with_the_content(receive: Callable[..., Receiver]) -> None:
    behind: list[int] = []

    def look(place: Place) -> None:
        if place.phase is Phase.ANSWER:
            behind.append(sum(len(each.unread.splitlines()) for each in receiver._open))

    receiver = receive(look)
    send(receiver.url(pipeline="full", connections=1), 5)
    assert behind == [3, 3, 3, 3, 0]


# ── refusals within a group ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("phase", "reply", "wanted"),
    [
        (Phase.MAIL, "550 5.7.1 not you", Temporary),
        (Phase.MAIL, "451 4.3.0 later", Temporary),
        (Phase.RCPT, "550 5.1.1 no such user", BadAddress),
        (Phase.RCPT, "450 4.2.0 greylisted", Temporary),
        (Phase.DATA, "554 5.7.1 no", Rejected),
        (Phase.DATA, "451 4.3.0 later", Temporary),
        (Phase.ANSWER, "554 5.7.1 spam", Rejected),
        (Phase.ANSWER, "452 4.3.1 full", Temporary),
        (Phase.MAIL, "530 5.7.0 who are you", Unavailable),
    ],
)
def test_a_refusal_is_its_messages_and_the_others_go_on(
    receive: Callable[..., Receiver], mode: str, phase: Phase, reply: str, wanted: type[Outcome]
) -> None:
    said: list[Place] = []

    def third(place: Place) -> str | None:
        if place.phase is phase:
            said.append(place)
            return reply if len(said) == 3 else None
        return None

    receiver = receive(third)
    answers = send(receiver.url(pipeline=mode, connections=1))
    honest(answers, receiver)
    assert kinds(answers) == {"m2": wanted.__name__}
    assert receiver.connections == 1


@pytest.mark.parametrize("mode", ["on", "full"])
def test_354_after_a_refused_recipient_gets_an_empty_content_and_delivers_nothing(
    receive: Callable[..., Receiver], mode: str
) -> None:
    """RFC 2920 §3.1: the client must end what the server has begun, with nothing in it."""

    def confused(place: Place) -> str | None:
        if place.key != "m3":
            return None
        return {Phase.RCPT: "550 5.1.1 no such user", Phase.BODY: "354 go on all the same"}.get(place.phase)

    receiver = receive(confused)
    answers = send(receiver.url(pipeline=mode, connections=1))
    assert kinds(answers) == {"m3": "BadAddress"}
    assert "m3" not in receiver.taken
    assert receiver.connections == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_reset_that_is_refused_costs_the_connection_and_no_message(
    receive: Callable[..., Receiver], mode: str
) -> None:
    def stubborn(place: Place) -> str | None:
        if place.connection == 1 and place.phase is Phase.RSET:
            return "500 5.5.1 what?"
        return "550 5.1.1 no such user" if (place.phase, place.key) == (Phase.RCPT, "m2") else None

    receiver = receive(stubborn)
    answers = send(receiver.url(pipeline=mode, connections=1))
    honest(answers, receiver)
    assert kinds(answers) == {"m2": "BadAddress"}
    assert receiver.connections == 2


# ── a server that loses count ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ANSWER])
@pytest.mark.parametrize(
    "oddity",
    [
        DROP,
        SILENCE,
        "what?",
        "199 soon",
        "334 password?",
        "250 one\r\n250 two",
        "550 one\r\n250 two",
        "",
        "220-a\r\n250 b",
    ],
)
def test_an_oddity_leaves_no_message_with_anothers_answer(
    receive: Callable[..., Receiver], mode: str, phase: Phase, oddity: str
) -> None:
    done: list[Place] = []

    def once(place: Place) -> str | None:
        if place.key == ("m2" if phase is Phase.MAIL else "m3") and place.phase is phase and not done:
            done.append(place)
            return oddity
        return None

    receiver = receive(once)
    answers = send(receiver.url(pipeline=mode, connections=1, timeout=0.3))
    taken = Counter(receiver.taken)
    assert max(taken.values()) == 1
    for key, outcome in answers.items():
        if isinstance(outcome, Temporary):
            assert taken[key] == 0, (key, outcome)
        elif key != "m3":  # what the server says twice of a message, the message may believe
            assert isinstance(outcome, InDoubt) or (isinstance(outcome, Receipt) and taken[key] == 1), (key, outcome)
    assert sum(isinstance(outcome, InDoubt) for outcome in answers.values()) <= 2
    assert len(taken) >= 5


def test_a_server_that_forgets_what_followed_a_content_is_sent_no_more_in_one_round_trip(
    receive: Callable[..., Receiver],
) -> None:
    """Some throw away what is in their buffer after the dot: the next message waits in vain, then goes the slow way."""

    def forget(place: Place) -> None:
        if place.phase is Phase.ANSWER:
            for each in receiver._open:
                each.unread = b""

    receiver = receive(forget)
    answers = send(receiver.url(pipeline="full", connections=1, timeout=0.3), 6)
    honest(answers, receiver)
    assert kinds(answers) == {}
    assert receiver.connections == 2


def test_a_content_refused_before_its_end_is_refused(receive: Callable[..., Receiver]) -> None:
    """`smtp-sink -A`: 550 while the content is still coming, and nobody reads it any more."""
    receiver = receive(
        lambda place: "354 go\r\n552 5.3.4 too much" if (place.phase, place.key) == (Phase.DATA, "m1") else None
    )
    answers = send(receiver.url(connections=1, pipeline="full"), 4, size=8_000_000)
    assert kinds(answers) == {"m1": "Rejected"}
    assert receiver.taken == ["m0", "m2", "m3"]


# ── whatever it does ─────────────────────────────────────────────────────────────────────────────────────────────
ERRORS = [
    DROP,
    TAKE_AND_DROP,
    "421 4.3.2 closing",
    "450 4.2.0 later",
    "550 5.1.1 no",
    "554 5.7.1 no",
    "garbage",
    "250-half",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_server_does_the_verdicts_agree_with_its_record(
    receive: Callable[..., Receiver], mode: str, seed: int
) -> None:
    chance = random.Random(f"{mode} {seed}")

    def errs(place: Place) -> str | None:
        if place.phase in {Phase.CONNECT, Phase.EHLO} and place.connection < 3:
            return None
        said = chance.choice(ERRORS) if chance.random() < 0.02 else None
        return DROP if said == TAKE_AND_DROP and place.phase is not Phase.ANSWER else said

    receiver = receive(errs, together=seed % 2 == 1)
    answers = send(receiver.url(pipeline=mode, connections=5, timeout=0.5), 150)
    honest(answers, receiver)
    assert sum(isinstance(outcome, Receipt) for outcome in answers.values()) > 90


# ── what came first counts ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", ["on", "full"])
def test_a_refusal_stands_when_the_server_dies_right_after_it(receive: Callable[..., Receiver], mode: str) -> None:
    def dying(place: Place) -> str | None:
        if place.key != "m3":
            return None
        return {Phase.RCPT: "550 5.1.1 no such user", Phase.BODY: "550-half"}.get(place.phase)

    answers = send(receive(dying).url(pipeline=mode, connections=1, timeout=0.3))
    assert type(answers["m3"]) is BadAddress
    # Its group was half answered and then nothing: in one round trip the answer before it is not sure either.
    assert kinds(answers).keys() <= ({"m3"} if mode == "on" else {"m2", "m3"})


def test_an_answer_in_a_group_that_does_not_add_up_is_not_believed(receive: Callable[..., Receiver]) -> None:
    """One word too many: whose is the first, whose the second? The next message is not refused by it either."""
    receiver = receive(
        lambda place: "250 stray\r\n554 5.7.1 no" if (place.phase, place.key) == (Phase.ANSWER, "m3") else None
    )
    answers = send(receiver.url(pipeline="full", connections=1))
    assert kinds(answers) == {"m3": "InDoubt"}


@pytest.mark.parametrize("mode", ["on", "full"])
@pytest.mark.parametrize("more", ["", "\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go"])
def test_yes_to_a_content_that_has_not_been_sent_is_no_yes(
    receive: Callable[..., Receiver], mode: str, more: str
) -> None:
    said = f"250 2.0.0 queued{more}"
    receiver = receive(lambda place: f"354 go\r\n{said}" if (place.phase, place.key) == (Phase.DATA, "m0") else None)
    answers = send(receiver.url(pipeline=mode, connections=1), 2, size=8_000_000)
    assert kinds(answers) == {"m0": "Temporary"}
    assert receiver.taken == ["m1"]
