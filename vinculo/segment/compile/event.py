"""What a contact did, as SQL: from the maintained facts where they give the very same answer, else from the history.

Facts know all that was ever recorded, a question knows nothing that came after its moment. So the row of `fact` answers
for a contact of whom nothing later is recorded, which is nearly everybody, and the history for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo import facts
from vinculo.db.tables import ANSWER, DEPTH, delivery, fact, interaction, micros, occurrence
from vinculo.model import EventKind, Moment
from vinculo.segment.compile.person import Boolean, Either, Person
from vinculo.segment.read.tree import Condition, Did, Not

_MICROSECOND = timedelta(microseconds=1)
#: Before it there is no instant that we can name.
_FIRST = datetime(1, 1, 1, tzinfo=UTC) + _MICROSECOND
#: Fewer contacts than this share are asked about one by one.
_FEW = 0.05
#: Kinds that are not in the index of answers: there are too many.
_UNINDEXED = frozenset({EventKind.SENT, EventKind.DELIVERED})


def instant(said: date | timedelta, moment: Moment) -> datetime:
    """So long ago; or the beginning of a day, which is midnight UTC: one instant for everyone."""
    return moment.now - said if isinstance(said, timedelta) else datetime.combine(said, time(), UTC)


def did(said: Did, person: Person, moment: Moment) -> Boolean:
    """Whether the contact did what *said* says: never NULL."""
    asked = _Question(said, window(said, moment), person, moment)
    parts: list[Boolean] = []
    if said.at_least is not None:
        parts.append(asked.at_least(said.at_least))
    if said.at_most is not None:
        parts.append(~asked.at_least(said.at_most + 1))
    if said.amount is not None:
        parts.append(asked.spent(said.amount))
    return sa.and_(sa.true(), *parts)


def everybody(said: Did, moment: Moment) -> sa.Select[Any] | None:
    """All contacts who did what *said* says, each once, where an index knows them all at once; else None."""
    asked = _Question(said, window(said, moment), Person(), moment)
    if said.at_least and said.at_most is None and said.amount is None and asked.answers():
        who = asked.answerers(said.at_least)
        return who.distinct() if said.at_least == 1 else who
    return asked.payers() if said.at_most is None and said.at_least is None and asked.pays() else None


def of_one_row(parts: Sequence[Condition], person: Person) -> list[list[Condition]]:
    """Those of *parts* that one row of `fact` answers together: two or more about one kind, of which one was done."""
    groups: dict[EventKind, list[Condition]] = {}
    for part in parts:
        said = part.part if isinstance(part, Not) else part
        if isinstance(said, Did) and said.amount is None and len(said.kinds) == 1 and factual(said, said.kinds[0]):
            groups.setdefault(said.kinds[0], []).append(part)
    return [
        group
        for kind, group in groups.items()
        if len(group) > 1 and kind not in person.facts and any(isinstance(p, Did) and p.at_least for p in group)
    ]


def one_row(group: Sequence[Condition], person: Person, moment: Moment) -> Boolean:
    """All of *group*, by one look at the row."""
    said = [part.part if isinstance(part, Not) else part for part in group]
    kind = next(each.kinds[0] for each in said if isinstance(each, Did))
    row = fact.alias(f"all_{kind}")
    here = Person(row.c.contact_id, {kind: row})
    found = [did(each, here, moment) for each in said if isinstance(each, Did)]
    asked = (~f if isinstance(part, Not) else f for f, part in zip(found, group, strict=True))
    return person.has(row, row.c.kind == word(kind), *asked)


def factual(said: Did, kind: EventKind) -> bool:
    """Facts about *kind* can answer it."""
    narrowed = said.campaign or said.channel or said.last or said.then or not said.converted
    return facts.has(kind) and not narrowed


@dataclass(frozen=True, slots=True)
class Window:
    """The instants that count: later than *after* (None: from the beginning) and not later than *until*."""

    after: datetime | None
    until: datetime


def window(said: Did, moment: Moment) -> Window:
    """The window of *said*; nothing after the moment of asking counts."""
    begins = [moment.now - said.within] if said.within else []
    begins += [_just_before(instant(said.after, moment))] if said.after else []
    ends = [_just_before(instant(said.before, moment))] if said.before else []
    return Window(max(begins, default=None), min([moment.now, *ends]))


def _just_before(at: datetime) -> datetime:
    """The instant before *at*; the first of all instants has none."""
    return max(at, _FIRST) - _MICROSECOND


#: About how many of all contacts do something of a kind within some years; the rest do so much more seldom.
_EVER = {"opened": 0.8, "clicked": 0.5, "purchased": 0.6, "visited": 0.7}
_SELDOM, _YEARS = 0.1, timedelta(days=730)


def share(kind: EventKind, within: Window, now: datetime) -> float:
    """About which share of all contacts did something of *kind* in the window: good enough to choose a way by."""
    length = (now - within.after) / _YEARS if within.after is not None else 1
    return float(_EVER.get(kind, _SELDOM) * max(0.0, min(1.0, length)) ** 0.7)


def newest(row: Any, count: int, within: Window) -> Boolean:
    """At least *count* events came after the window began. For more than `DEPTH` this is needed, and not enough."""
    if count == 1 and within.after is None:
        return sa.true()  # there is no row without an event
    met: Boolean = row.c[f"at_{min(count, DEPTH)}"] > (facts.NEVER if within.after is None else micros(within.after))
    return sa.and_(met, row.c["count"] >= count) if count > DEPTH else met


@dataclass(frozen=True, slots=True)
class _Question:
    """One `did`, about one contact, at one moment."""

    said: Did
    window: Window
    person: Person
    moment: Moment

    def at_least(self, count: int) -> Boolean:
        """At least *count* events of all its kinds together."""
        if count == 0:
            return sa.true()
        kinds = dict.fromkeys(self.said.kinds)
        plain = [kind for kind in kinds if self._answered(kind)]
        if self.answers():
            one_by_one = self.person.share < _FEW
            among = self.person.id.in_(self.answerers(count))
            # PostgreSQL takes them for so few that it would look each up; of what IS TRUE it makes a set.
            whole = Either(among.is_(sa.true()), among)
            return self._counted(kinds, count, self.person.id) if one_by_one else whole
        if count > 1 and (len(kinds) > 1 or not plain):
            return self._counted(kinds, count, self.person.id)
        rest = kinds.keys() - set(plain)
        parts = [self._by_fact(kind, count) for kind in plain]
        return sa.or_(*parts, *([self._counted(rest, 1, self.person.id)] if rest else []))

    def _answered(self, kind: EventKind) -> bool:
        return factual(self.said, kind)

    def _by_fact(self, kind: EventKind, count: int) -> Boolean:
        row = self._row(kind)
        enough = newest(row, count, self.window)
        full = count > DEPTH and self.window.after is not None  # more than a fact names one by one
        if self._sure(kind) and not full:
            return enough
        if full:
            return self._about(row, kind, sa.and_(enough, self._counted([kind], count, row.c.contact_id)))
        late = self._among_late(kind, row, lambda whose: self._counted([kind], count, whose))
        return self._about(row, kind, sa.and_(enough, sa.or_(self._known(row), late)))

    def _row(self, kind: EventKind) -> Any:
        return self.person.facts[kind] if kind in self.person.facts else fact.alias(f"its_{kind}")

    def _sure(self, kind: EventKind) -> bool:
        """The query has made sure that its facts hold nothing later than the window's end."""
        return kind in self.person.facts and self.person.sure and self.window.until == self.moment.now

    def _known(self, row: Any) -> Boolean:
        """Nothing of it came after the window's end."""
        known: Boolean = row.c.at_1 <= micros(self.window.until)
        return known

    def _among_late(self, kind: EventKind, row: Any, asked: Callable[[Any], Boolean]) -> Boolean:
        """What the history says of one whose newest event came after the window's end. After the moment of asking
        hardly anything comes: those few are looked for once, which costs a database nothing to plan and to do.
        """
        if self.window.until < self.moment.now:
            return asked(row.c.contact_id)
        late = fact.alias("late")
        who = sa.select(late.c.contact_id).where(late.c.kind == word(kind), ~self._known(late))
        found: Boolean = row.c.contact_id.in_(who.where(asked(late.c.contact_id)).correlate(None))
        return found

    def _about(self, row: Any, kind: EventKind, condition: Boolean) -> Boolean:
        if kind in self.person.facts:
            return condition
        likely = share(kind, self.window, self.moment.now)
        return self.person.is_among(row, row.c.kind == word(kind), condition, share=likely)

    def spent(self, amount: int) -> Boolean:
        """Its amounts come to at least *amount* in all."""
        said, (kind, *more) = self.said, dict.fromkeys(self.said.kinds)
        plain = facts.has(kind) and not (more or said.campaign or said.channel or said.last or said.then)
        if amount <= 0 or not plain:
            return self._summed(amount, self.person.id)
        if self.pays() and self.person.share > _FEW:
            return self.person.id.in_(self.payers())
        row = self._row(kind)
        summed = self._summed(amount, row.c.contact_id)
        if self.window.after is not None:
            return self._about(row, kind, sa.and_(newest(row, 1, self.window), summed))
        # Amounts in several currencies, or in a foreign one that is converted, are the history's.
        alike = row.c.currency.in_([said.currency, ""]) if said.converted else row.c.currency != facts.SEVERAL
        known = sa.and_(alike, self._known(row))
        enough = sa.and_(row.c.currency == said.currency, row.c.amount >= amount)
        return self._about(row, kind, sa.or_(sa.and_(known, enough), sa.and_(~known, summed)))

    # ── everybody at once ────────────────────────────────────────────────────────────────────────────────────────
    def answers(self) -> bool:
        """The index of answers knows all who did it: in answer to those campaigns."""
        said = self.said
        return bool((said.campaign or said.last) and not _UNINDEXED & set(said.kinds))

    def answerers(self, count: int) -> sa.Select[Any]:
        """Whoever did it in answer to those campaigns at least *count* times."""
        i = interaction.c
        who = self._lines(set(self.said.kinds), None, i.contact_id).where(sa.text(ANSWER))
        if count == 1:
            return who
        times = sa.func.count(sa.distinct(i.campaign.concat(" ").concat(i.occurrence)))
        return who.group_by(i.contact_id).having((times if self.said.last else sa.func.count()) >= count)

    def pays(self) -> bool:
        """The index of purchases knows all who spent so much: within a window, whose sums no fact knows."""
        said = self.said
        bought = set(said.kinds) == {EventKind.PURCHASED} and (said.amount or 0) > 0
        return (
            bought and self.window.after is not None and not (said.campaign or said.channel or said.last or said.then)
        )

    def payers(self) -> sa.Select[Any]:
        """Whoever spent so much, in one pass over that index."""
        i = interaction.c
        sums = self._lines(self.said.kinds, None, i.contact_id).group_by(i.contact_id)
        return sums.having(sa.func.sum(self._paid()) >= self.said.amount)

    # ── from the history ─────────────────────────────────────────────────────────────────────────────────────────
    def _counted(self, kinds: Collection[EventKind], count: int, whose: Any) -> Boolean:
        """At least *count* lines: the one after *count* - 1 others is there, which stops as soon as it is found."""
        i = interaction.c
        if count == 1:
            return sa.exists(self._lines(kinds, whose, i.id))
        # In answer to campaigns: so many of them, however often each was answered.
        lines = self._lines(kinds, whose, *([i.campaign, i.occurrence] if self.said.last else [i.id]))
        return sa.exists((lines.distinct() if self.said.last else lines).limit(1).offset(count - 1))

    def _summed(self, amount: int, whose: Any) -> Boolean:
        total = sa.func.coalesce(sa.func.sum(self._paid()), 0)
        return self._lines(self.said.kinds, whose, total).scalar_subquery() >= amount

    def _paid(self) -> sa.ColumnElement[Any]:
        return facts.worth(self.said.currency) if self.said.converted else interaction.c.amount

    def _lines(self, kinds: Collection[EventKind], whose: Any, *columns: Any) -> sa.Select[Any]:
        """The lines that count, *whose* or everybody's."""
        said, i, until = self.said, interaction.c, self.window.until
        words = [word(kind) for kind in sorted(kinds)]
        rows = sa.select(*columns).where(i.kind.in_(words) if words[1:] else i.kind == words[0], i.at <= until)
        if whose is not None:
            rows = rows.where(i.contact_id == whose)
        if self.window.after is not None:
            rows = rows.where(i.at > self.window.after)
        if not said.converted:
            rows = rows.where(i.currency == said.currency)
        for name in ("campaign", "channel"):
            if value := getattr(said, name):
                rows = rows.where(i[name] == value)
        if said.last:
            rows = rows.where(_in_answer(said, self.moment))
        if said.then:
            rows = rows.where(_followed(said, self.moment))
        return rows.correlate_except(interaction)


def word(kind: EventKind) -> sa.ColumnElement[str]:
    """Written out, as an index of purchases alone wants it: a kind is one of ours, and no word of a file's."""
    return sa.literal_column(f"'{EventKind(kind).value}'", sa.Text)


def _followed(said: Did, moment: Moment) -> Boolean:
    """Something else came after it, soon enough; what came at the same instant did not follow."""
    next_ = interaction.alias("next")
    later: list[Boolean] = [next_.c.at > interaction.c.at, next_.c.at <= moment.now]
    if said.then_within is not None:
        span = int(said.then_within.total_seconds() * 1_000_000)
        gap = sa.type_coerce(next_.c.at, sa.BigInteger) - sa.type_coerce(interaction.c.at, sa.BigInteger)
        later.append(gap <= span)
    kinds = next_.c.kind.in_([word(kind) for kind in said.then])
    here = next_.c.contact_id == interaction.c.contact_id
    return sa.exists().where(here, kinds, *later).correlate(interaction)


def _in_answer(said: Did, moment: Moment) -> Boolean:
    """In answer to one of the last occurrences of campaigns of a kind that were sent to anyone."""
    sent = sa.exists().where(
        delivery.c.campaign == occurrence.c.campaign,
        delivery.c.occurrence == occurrence.c.occurrence,
        delivery.c.state == "accepted",
    )
    kind: Any = occurrence.c.definition["kind"]
    last = (
        sa.select(occurrence.c.campaign, occurrence.c.occurrence)
        .where(kind.as_string() == said.last_kind, occurrence.c.due_at <= moment.now)
        .where(sent.correlate(occurrence))
        .order_by(occurrence.c.due_at.desc(), occurrence.c.campaign, occurrence.c.occurrence)
        .limit(said.last)
        .correlate(None)
    )
    pair: Any = sa.tuple_(interaction.c.campaign, interaction.c.occurrence)
    answers: Boolean = pair.in_(last)
    return answers
