"""The verdict table (`vinculo.mail.verdict`), row by row: each fault at each phase, whatever is written together."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.unit.mail.smtp.conftest import DROP, SILENCE, TAKE_AND_DROP, Place
from tests.unit.mail.smtp.town import Town
from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, SendError, Temporary, Unavailable
from vinculo.mail.verdict import Phase

MODES = ["off", "on", "full"]
ENVELOPE = [Phase.MAIL, Phase.RCPT, Phase.DATA]
PHASES = [Phase.CONNECT, Phase.EHLO, *ENVELOPE, Phase.ANSWER]
#: What is no valid answer.
BROKEN = {
    "dropped": DROP,
    "no answer in time": SILENCE,
    "garbage": "250_ok, or so",
    "a line that does not end": "2" * 70_000,
    "an answer that does not end": "\r\n".join(["250-and"] * 1100),
    "two codes": "550-no\r\n250 yes",
    "neither yes nor no": "199 soon",
    "a binary answer": "\x00\xff\xfe",
}


@pytest.fixture
def town() -> Iterator[Callable[..., Town]]:
    made: list[Town] = []

    def make(
        mode: str, errs: Callable[[Place], str | None] = lambda _: None, *,
        size: int = 100_000, messages: int = 0, quit_answer: str | None = "221 bye",
    ) -> Town:  # fmt: skip
        made.append(Town(errs, size, mode, messages, quit_answer))
        return made[-1]

    yield make
    for each in made:
        each.end()


def says(phase: Phase, reply: str, *, key: str = "") -> Callable[[Place], str | None]:
    """*reply* is said once, at *phase* of the first connection: to *key*, or, if that is empty, to whoever comes first."""
    left = [reply]

    def errs(place: Place) -> str | None:
        meant = (place.connection, place.phase) == (1, phase) and key in {"", _whose(place)}
        return left.pop() if meant and left else None

    return errs


def _whose(place: Place) -> str:
    """MAIL is said before the recipient is told: it is of the one after."""
    return f"m{int(place.key[1:] or -1) + 1}" if place.phase is Phase.MAIL else place.key


def one(outcomes: dict[str, Outcome]) -> SendError:
    (outcome,) = outcomes.values()
    assert isinstance(outcome, SendError), outcome
    return outcome


# ── the first message of a connection ────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", BROKEN)
def test_no_valid_answer_is_in_doubt_after_the_last_byte_and_at_no_time_before(
    town: Callable[..., Town], mode: str, phase: Phase, fault: str
) -> None:
    here = town(mode, says(phase, BROKEN[fault]))
    error = one(here.send(1))
    wanted = {Phase.CONNECT: Unavailable, Phase.EHLO: Unavailable, Phase.ANSWER: InDoubt}.get(phase, Temporary)
    assert type(error) is wanted
    assert (Phase.ANSWER in {place.phase for place in here.receiver.places}) is (wanted is InDoubt)
    assert error.reason.startswith(f"{phase}: ")
    assert here.receiver.connections == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("reply", ["451 4.3.0 later", "554 5.7.1 no", "550 5.1.1 unknown", "421 4.3.2 closing"])
def test_a_refusal_has_the_verdict_of_its_code_and_phase(
    town: Callable[..., Town], mode: str, phase: Phase, reply: str
) -> None:
    here = town(mode, says(phase, reply))
    error = one(here.send(1))
    if phase not in {*ENVELOPE, Phase.ANSWER} or reply.startswith("421"):
        wanted: type[SendError] = Unavailable
    elif reply.startswith("451") or phase is Phase.MAIL:
        wanted = Temporary
    else:
        wanted = BadAddress if "5.1.1" in reply else Rejected
    assert type(error) is wanted
    assert error.reason == f"{phase}: {reply}"
    assert here.receiver.taken == []


@pytest.mark.parametrize("mode", MODES)
def test_taken_and_dropped_is_in_doubt(town: Callable[..., Town], mode: str) -> None:
    here = town(mode, says(Phase.ANSWER, TAKE_AND_DROP))
    assert type(one(here.send(1))) is InDoubt
    assert here.receiver.taken == ["m0"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reply", ["250 2.0.0 ok", "250 ", "251 forwarded", "250-2.0.0 ok\r\n250 queued", "299 x"])
def test_2xx_to_the_dot_is_accepted(town: Callable[..., Town], mode: str, reply: str) -> None:
    words = " ".join(reply.replace("\r\n250", "").replace("-", " ").split())
    assert town(mode, says(Phase.ANSWER, reply)).send(1) == {"m0": Receipt("", words)}


# ── a connection that has served before ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", ENVELOPE)
@pytest.mark.parametrize("fault", [*BROKEN, "421 4.3.2 closing"])
def test_what_a_used_connection_breaks_before_the_content_leaves_by_another(
    town: Callable[..., Town], mode: str, phase: Phase, fault: str
) -> None:
    """In one round trip the answer before it came in the same breath: a server that talks nonsense is not believed."""
    here = town(mode, says(phase, BROKEN.get(fault, fault), key="m1"))
    answers = here.send(3)
    assert {type(answers["m1"]), type(answers["m2"])} == {Receipt}
    assert type(answers["m0"]) in ({Receipt, InDoubt} if mode == "full" else {Receipt})
    assert (sorted(here.receiver.taken), here.receiver.connections) == (["m0", "m1", "m2"], 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", BROKEN)
def test_what_it_breaks_after_the_content_is_in_doubt_and_the_others_leave_by_another(
    town: Callable[..., Town], mode: str, fault: str
) -> None:
    here = town(mode, says(Phase.ANSWER, BROKEN[fault], key="m1"))
    answers = here.send(3)
    assert [type(answers[f"m{number}"]) for number in range(3)] == [Receipt, InDoubt, Receipt]
    assert [key for key in here.receiver.taken if key != "m1"] == ["m0", "m2"]
    assert here.receiver.taken.count("m1") <= 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", [*ENVELOPE, Phase.ANSWER])
@pytest.mark.parametrize("code", [451, 554])
def test_after_a_refusal_the_connection_is_used_again_behind_a_reset(
    town: Callable[..., Town], mode: str, phase: Phase, code: int
) -> None:
    here = town(mode, says(phase, f"{code} 4.0.0 no", key="m1"))
    answers = here.send(3)
    assert [type(answers[f"m{number}"]) for number in (0, 2)] == [Receipt, Receipt]
    assert type(answers["m1"]) is (Temporary if code == 451 or phase is Phase.MAIL else Rejected)
    assert (here.receiver.taken, here.receiver.connections) == (["m0", "m2"], 1)
    assert here.receiver.lines.count("RSET") == (phase is not Phase.ANSWER)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", [*BROKEN, "554 5.0.0 no", "451 4.0.0 no", "421 4.3.2 closing"])
def test_a_reset_that_fails_costs_the_connection_and_no_message(
    town: Callable[..., Town], mode: str, fault: str
) -> None:
    unknown, failing = says(Phase.RCPT, "550 5.1.1 unknown", key="m0"), says(Phase.RSET, BROKEN.get(fault, fault))
    here = town(mode, lambda place: unknown(place) or failing(place))
    answers = here.send(3)
    assert [type(answers[f"m{number}"]) for number in range(3)] == [BadAddress, Receipt, Receipt]
    assert (here.receiver.taken, here.receiver.connections) == (["m1", "m2"], 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("farewell", ["", "421 4.4.2 idle too long\r\n", "250 out of turn\r\n", "wh"])
def test_a_connection_that_died_while_idle_is_no_failure_of_the_next_message(
    town: Callable[..., Town], mode: str, farewell: str
) -> None:
    here = town(mode)
    assert type(here.send(1)["m0"]) is Receipt
    here.hang_up(farewell.encode())
    assert type(here.send(1)["m0"]) is Receipt
    assert (here.receiver.taken, here.receiver.connections) == (["m0", "m0"], 2)


# ── goodbye ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("answer", ["", "554 5.0.0 no", "421 4.3.2 closing", "garbage", "250 2.0.0 ok", None])
def test_what_is_said_to_quit_changes_nothing_for_what_was_accepted(
    town: Callable[..., Town], mode: str, answer: str | None
) -> None:
    """One message a connection: each but the last is followed by QUIT before the next is sent. None: silence."""
    here = town(mode, messages=1, quit_answer=answer)
    answers = here.send(3)
    assert {type(outcome) for outcome in answers.values()} == {Receipt}
    assert (here.receiver.taken, here.receiver.connections) == (["m0", "m1", "m2"], 3)
    assert here.receiver.lines.count("QUIT") >= 2


# ── in pieces ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 2, 7, 40])
def test_replies_that_come_in_pieces_are_those_of_their_messages(
    town: Callable[..., Town], mode: str, size: int
) -> None:
    account = "550-5.1.1 The account\r\n550-5.1.1 that you tried to reach\r\n550 5.1.1 does not exist"
    said = {(Phase.RCPT, "m1"): account, (Phase.DATA, "m2"): "451 4.3.0 later", (Phase.ANSWER, "m3"): "554 5.7.1 no"}
    here = town(mode, lambda place: said.get((place.phase, place.key)), size=size)
    answers = here.send(5)
    kinds = [type(answers[f"m{number}"]) for number in range(5)]
    assert kinds == [Receipt, BadAddress, Temporary, Rejected, Receipt]
    assert (here.receiver.taken, here.receiver.connections) == (["m0", "m4"], 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 9])
@pytest.mark.parametrize("phase", [*ENVELOPE, Phase.ANSWER])
def test_a_reply_that_breaks_off_is_none(town: Callable[..., Town], mode: str, size: int, phase: Phase) -> None:
    """Its code was there, its end was not."""
    here = town(mode, says(phase, "250-2.0.0 nearly"), size=size)
    error = one(here.send(1))
    assert type(error) is (InDoubt if phase is Phase.ANSWER else Temporary)
