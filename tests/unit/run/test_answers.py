"""R14: what was answered while the database could not be written is accepted afterwards, not in doubt."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import Clock
from vinculo import ledger, run
from vinculo.connector import BadAddress, InDoubt, Outcome, Receipt, Rejected, SendError, Temporary, Unavailable
from vinculo.db.tables import delivery, interaction
from vinculo.errors import NotReady
from vinculo.ledger import Claim, Settlement
from vinculo.model import DeliveryKey
from vinculo.run import answers
from vinculo.run.answers import Answers
from vinculo.runtime import Runtime
from vinculo.testing.smtp import SmtpSink


def _begin(rt: Runtime) -> None:
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)


@pytest.fixture
def gone(rt: Runtime, sink: SmtpSink) -> Iterator[Callable[[], None]]:
    """The database fails at every commit from the moment at which the server has taken three messages."""

    def fail(_: sa.Connection) -> None:
        if len(sink.received) >= 3:
            raise sa.exc.OperationalError("COMMIT", {}, OSError("database or disk is full"))

    sa.event.listen(rt.engine, "commit", fail)

    def back() -> None:
        if sa.event.contains(rt.engine, "commit", fail):
            sa.event.remove(rt.engine, "commit", fail)

    yield back
    back()


def _states(rt: Runtime) -> dict[str, str]:
    with rt.read() as db:
        return dict(db.execute(sa.select(delivery.c.address, delivery.c.state)).tuples().all())


def _files(rt: Runtime) -> list[Path]:
    return sorted(answers.folder(rt).glob("*.jsonl"))


def _sent(rt: Runtime) -> int:
    with rt.read() as db:
        lines = sa.select(sa.func.count()).select_from(interaction).where(interaction.c.kind == "sent")
        return db.scalar(lines) or 0


def _fail(rt: Runtime) -> None:
    _begin(rt)
    with pytest.raises(sa.exc.OperationalError):
        run.drain(rt, worker="w")


def test_what_was_accepted_before_the_database_went_is_accepted_when_it_is_back(
    rt: Runtime, sink: SmtpSink, gone: Callable[[], None], clock: Clock
) -> None:
    _fail(rt)
    taken = {one.to for one in sink.received}
    assert 3 <= len(taken) <= 5
    [file] = _files(rt)
    assert file.stat().st_mode & 0o777 == 0o600  # it names contacts
    gone()
    clock.forward(hours=1)
    run.drain(rt, worker="later")
    assert set(_states(rt).values()) == {"accepted"}
    assert len(sink.received) == len({one.to for one in sink.received}) == 20
    assert _sent(rt) == 20
    assert _files(rt) == []


def test_a_row_that_was_found_in_doubt_meanwhile_is_accepted_too(
    rt: Runtime, sink: SmtpSink, gone: Callable[[], None], clock: Clock
) -> None:
    _fail(rt)
    gone()
    clock.forward(hours=1)
    with rt.begin() as db:
        assert ledger.recover(db, rt.now()).in_doubt >= 1
    taken = {one.to for one in sink.received}
    assert answers.replay(rt) >= 1
    assert {address for address, state in _states(rt).items() if state == "accepted"} == taken
    assert _sent(rt) == len(taken)


def test_replaying_twice_changes_nothing(rt: Runtime, sink: SmtpSink, gone: Callable[[], None]) -> None:
    _fail(rt)
    gone()
    [file] = _files(rt)
    text = file.read_text()
    answers.replay(rt)
    before = _states(rt), _sent(rt)
    file.write_text(text)
    answers.replay(rt)
    assert (_states(rt), _sent(rt)) == before
    assert _files(rt) == []


def test_a_line_cut_short_costs_no_other(rt: Runtime, sink: SmtpSink, gone: Callable[[], None], clock: Clock) -> None:
    _fail(rt)
    gone()
    [file] = _files(rt)
    lines = [line for line in file.read_text().splitlines() if line]
    file.write_text("\n".join(lines) + "\n" + lines[0][:40])
    assert answers.replay(rt) == len(lines)


NONSENSE = [
    "null", "[]", "7", '"accepted"', "{}", '{"claim": 7}', '{"claim": [], "outcome": "Receipt", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], 1, "email", "a@b.example", "", 0, 0], "outcome": "Receipt", "told": "250"}',
    '{"claim": [1, ["weekly", "", 1], 1, "email", "a@b.example", "", 0, 0], "outcome": "Rejected", "told": []}',
    '{"claim": [1, ["weekly", "", 1], 1, "email", "a@b.example", "", 0, 0], "outcome": "Taken", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], 1, "email", "a@b.example", "", 0, 0], "outcome": [], "told": {}}',
    '{"claim": ["x", ["weekly", "", 1], 1, "email", "a@b.example", "", 0, 0], "outcome": "Receipt", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], "x", "email", "a@b.example", "", 0, 0], "outcome": "Receipt", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], 1e99, "email", "a@b.example", "", 0, 0], "outcome": "Receipt", "told": {}}',
    '{"claim": [99999999999999999999, ["weekly", "", 1], 1, "email", "a", "", 0, 0], "outcome": "Receipt", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], 9999999999, "email", "a", "", 0, 0], "outcome": "Receipt", "told": {}}',
    '{"claim": [1, ["weekly", "", 1], 1, "email", "a", "", "x", 0], "outcome": "Temporary", "told": {"reason": "450"}}',
    '{"claim": [1, ["weekly", "", 1], 1, ["email"], "a", "", 0, 0], "outcome": "Receipt", "told": {}}',
    "[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("line", NONSENSE)
def test_a_line_that_says_nothing_stops_no_start_and_costs_no_other(rt: Runtime, line: str) -> None:
    _begin(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 2, rt.now(), timedelta(minutes=5))
        ledger.submit(db, claims, rt.now())
    kept = Answers(answers.folder(rt), "")
    kept.keep([Settlement(claim, Receipt()) for claim in claims])
    kept.leave()
    [file] = _files(rt)
    file.write_text(f"{line}\n{file.read_text()}{line}\n")
    assert answers.replay(rt) == 2
    assert not _files(rt)


def test_answers_of_rows_that_are_not_there_change_nothing(rt: Runtime) -> None:
    """A database that was made anew in the place of the old one, before anything was sent from it."""
    _begin(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 2, rt.now(), timedelta(minutes=5))
        ledger.submit(db, claims, rt.now())
    kept = Answers(answers.folder(rt), "")
    strangers = [claim._replace(id=claim.id + 1000) for claim in claims]
    kept.keep([Settlement(strangers[0], Receipt()), Settlement(strangers[1], BadAddress("550"))])
    kept.leave()
    assert answers.replay(rt) == 0
    assert Counter(_states(rt).values()) == {"planned": 18, "submitting": 2}


def test_a_file_that_is_being_written_is_left_alone(rt: Runtime) -> None:
    _begin(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 2, rt.now(), timedelta(minutes=5))
        ledger.submit(db, claims, rt.now())
    file = Answers(answers.folder(rt), "")
    file.keep([Settlement(claim, Receipt()) for claim in claims])
    assert answers.replay(rt) == 0
    file.leave()
    assert answers.replay(rt) == 2
    assert answers.replay(rt) == 0


def test_on_a_full_disk_the_room_that_was_kept_takes_the_answers(
    rt: Runtime, sink: SmtpSink, gone: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    _begin(rt)
    room, write = answers.folder(rt) / "reserve", os.write

    def full(file: int, data: bytes) -> int:
        """A disk on which there is room for as long as nobody has what was reserved."""
        if room.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(sa.exc.OperationalError):
        run.drain(rt, worker="w")
    monkeypatch.undo()
    gone()
    assert answers.replay(rt) >= 1
    accepted = {address for address, state in _states(rt).items() if state == "accepted"}
    assert accepted == {one.to for one in sink.received}
    assert not room.exists()
    answers.reserve(rt)
    assert room.stat().st_blocks * 512 >= 500_000


def test_room_that_a_full_disk_does_not_give_is_taken_when_there_is_some(
    rt: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    room = answers.folder(rt) / "reserve"
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        answers.reserve(rt)
    assert not room.exists()
    room.touch()  # as a version before left it
    answers.reserve(rt)
    assert room.stat().st_blocks * 512 >= 500_000


def test_room_is_taken_where_the_file_system_gives_none_by_itself(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on NFS: the C library then writes the room, and refuses a file that is open for appending."""

    def without(file: int, start: int, size: int) -> None:
        if fcntl.fcntl(file, fcntl.F_GETFL) & os.O_APPEND:
            raise OSError(errno.EBADF, "Bad file descriptor")
        os.pwrite(file, bytes(size), start)

    monkeypatch.setattr(os, "posix_fallocate", without)
    answers.reserve(rt)
    assert (answers.folder(rt) / "reserve").stat().st_size >= 500_000


def test_where_nothing_can_be_kept_at_all_it_stops_and_says_so(
    rt: Runtime, sink: SmtpSink, gone: Callable[[], None]
) -> None:
    folder = answers.folder(rt)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("no folder")
    _begin(rt)
    with pytest.raises(NotReady, match=r"neither in the database nor in"):
        run.drain(rt, worker="w")
    assert len(sink.received) <= 5
    gone()


OUTCOMES: Iterable[Outcome] = [
    Receipt("id", "250 ok"), Temporary("later", after=3.5, status="4.2.0"), Rejected("no", status="5.7.1"),
    BadAddress("nobody", status="5.1.1"), Unavailable("down", after=9), InDoubt("lost"),
]  # fmt: skip


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: type(one).__name__)
def test_every_answer_comes_back_as_it_was(outcome: Outcome) -> None:
    claim = Claim(7, DeliveryKey("weekly", "2026-12-01T09:00[UTC]", 3), 2, "email", "a@b.example", "b", 1, 0)
    [back] = answers._read(answers._line(Settlement(claim, outcome)))
    assert back.claim == claim
    assert type(back.outcome) is type(outcome)
    assert str(back.outcome) == str(outcome)
    if isinstance(outcome, SendError):
        assert vars(back.outcome) == vars(outcome)
