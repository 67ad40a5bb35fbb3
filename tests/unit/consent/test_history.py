"""What a contact had said as of any moment, through merges and partings, equals a plain reading of all that was said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vinculo import consent, contacts, proof
from vinculo.db.tables import confirmation
from vinculo.errors import NotFound, UsageError

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
KEYS = "ana", "bruno", "carla"
TOPICS = "news", "offers"

_who = st.sampled_from(KEYS)
_says = st.tuples(st.just("say"), _who, st.sampled_from([*TOPICS, ""]), st.booleans(), st.integers(0, 3),
                  st.sampled_from([None, 0, 1, 2, 4]))  # fmt: skip
_steps = st.lists(
    st.one_of(
        _says,
        _says,
        st.tuples(st.just("ask"), _who, st.sampled_from(TOPICS)),
        st.tuples(st.just("merge"), _who, _who),
        st.tuples(st.just("part"), _who),
    ),
    min_size=3,
    max_size=12,
)


@dataclass
class Line:
    """A yes or no, as it was said."""

    owner: int
    topic: str
    granted: bool
    at: datetime
    ends: datetime | None = None
    by_merge: bool = False


@dataclass
class Merge:
    """What a merge did, so that it can be undone."""

    kept: int
    joined: int
    at: datetime
    moved: list[Line]
    noes: list[Line]
    seen: int


@dataclass
class Book:
    """Everything that was ever said, in the order in which it was recorded."""

    lines: list[Line] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)

    def newest(self, owner: int, at: datetime) -> dict[str, Line]:
        """The line that held at the instant *at* about each topic that was spoken of by then."""
        mine = [line for line in self.lines if line.owner == owner and line.at <= at]
        found = {}
        for topic in {line.topic for line in mine}:
            about = [line for line in mine if line.topic in {topic, ""}]
            last = max(line.at for line in about)
            found[topic] = [line for line in about if line.at == last][-1]
        return found

    def permits(self, owner: int, at: datetime) -> dict[tuple[str, str], bool]:
        held = self.newest(owner, at).items()
        return {("email", topic): line.granted and (line.ends is None or at < line.ends) for topic, line in held}

    def merge(self, kept: int, joined: int, now: datetime) -> None:
        both = [self.newest(owner, now) for owner in (kept, joined)]
        noes = []
        for topic in sorted(({*both[0], *both[1]}) - {""}):
            said = [one[topic].granted if topic in one else False if "" in one else None for one in both]
            noes += [Line(kept, topic, granted=False, at=now, by_merge=True)] if {*said} == {True, False} else []
        moved = [line for line in self.lines if line.owner == joined]
        for line in moved:
            line.owner = kept
        self.lines += noes
        self.merges.append(Merge(kept, joined, now, moved, noes, len(self.lines)))

    def part(self, kept: int, joined: int) -> None:
        done = next(each for each in reversed(self.merges) if (each.kept, each.joined) == (kept, joined))
        self.merges.remove(done)
        late = self.lines[done.seen :]
        for line in done.moved:
            if line.owner == kept:
                line.owner = joined
        gone = {id(line) for line in done.noes}
        self.lines = [line for line in self.lines if id(line) not in gone]
        for each in self.merges:
            each.seen -= sum(1 for line in done.noes) if each.seen > done.seen else 0
        new = {id(line) for line in late}
        since = [line for line in self.lines if line.owner == kept and not line.granted and not line.by_merge]
        since = [line for line in since if line.at >= done.at or id(line) in new]
        self.lines += [Line(joined, line.topic, granted=False, at=line.at, ends=line.ends) for line in since]


def _moments(book: Book, until: datetime) -> Iterator[datetime]:
    """When something was said or ended, and the instants beside."""
    for moment in sorted({until, *(at for line in book.lines for at in (line.at, line.ends) if at)}):
        yield from (moment - INSTANT, moment, moment + INSTANT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_steps)
def test_what_held_at_any_moment_equals_a_plain_reading(
    engine: sa.Engine, people: list[int], steps: list[tuple[Any, ...]]
) -> None:
    book, now = Book(), START
    with engine.connect() as db, db.begin() as transaction:
        for step in steps:
            now += HOUR
            _take(db, book, people, step, now)
            for who in people:
                live = {about: yes for about, yes in book.permits(who, now).items() if about[1]}
                assert consent.live(db, who, now) == live
        for moment in _moments(book, now + 9 * HOUR):
            for who in people:
                told = {(one.channel, one.topic): one.live for one in proof.answers(db, who, moment)}
                assert told == book.permits(who, moment), moment
        transaction.rollback()


def _take(db: sa.Connection, book: Book, people: list[int], step: tuple[Any, ...], now: datetime) -> None:
    name, key, *rest = step
    who = contacts.find(db, key)
    assert who is not None
    match name, rest:
        case "say", [topic, granted, back, hours]:
            at, yes = now - back * HOUR, granted and bool(topic)
            ends = at + hours * HOUR if hours is not None and yes else None
            consent.record(db, who, "email", topic, yes, at, source="test", expires_at=ends)
            book.lines.append(Line(who, topic, yes, at, ends))
        case "ask", [topic]:  # and not confirmed: nothing was said
            asked = {"contact_id": who, "channel": "email", "topic": topic, "asked_at": now, "expires_at": now + HOUR}
            db.execute(sa.insert(confirmation).values(asked))
        case "merge", [other]:
            joined = contacts.find(db, other)
            if joined is not None and joined != who:
                contacts.merge(db, who, joined, now)
                book.merge(who, joined, now)
        case "part", _:
            try:
                kept, joined = contacts.part(db, key, now)
            except (NotFound, UsageError):
                return
            book.part(kept, joined)
