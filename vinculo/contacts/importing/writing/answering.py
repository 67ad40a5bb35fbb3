"""What the rows of a batch say about consent, one after another, as if each came by itself: where a batch ends changes
nothing. What is on record already is not recorded again.

A no holds for everybody at the address: a yes is refused where somebody there says no, unless it is dated after that
no; and a no ends such a yes that was given before. Nobody dated a yes that is as of now: it knows of no earlier no.
A no without a date is as of now as well, and later than each yes after it, also where an older no is on record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo import consent
from vinculo.consent import Consent
from vinculo.contacts.importing.row.draft import About, Draft, Proof
from vinculo.contacts.importing.row.lot import PROOF
from vinculo.contacts.importing.writing.closed import Closed, at_addresses
from vinculo.contacts.importing.writing.known import Known
from vinculo.contacts.importing.writing.placing import Held
from vinculo.db.bulk import gather, listed
from vinculo.db.tables import consent as consents
from vinculo.db.tables import micros, moment, permission
from vinculo.quick import quick

#: Channel and address.
Place = tuple[str, str]
_CONSENT = quick(Consent)


class Answer(NamedTuple):
    """A yes or no, when it was given in microseconds, if that is said, and what gives its proof."""

    granted: bool
    at: int | None
    proof: Callable[[], Proof]


class Word(NamedTuple):
    """What a row says: where contact *who* is reached from now on, too, and its answers."""

    line: int
    who: int
    gained: Sequence[Place]
    answers: Mapping[About, Answer]


def words(drafts: Mapping[int, Draft], held: Held) -> Iterator[Word]:
    """What the rows of *drafts*, by their contacts, say; *held*: where those were reached before."""
    for who, draft in drafts.items():
        there = set[Place]()
        for line, _, _, addresses, answers in draft.rows:
            named = dict.fromkeys((each.channel, each.value) for each in addresses)
            gained = [each for each in named if each not in there and each[1] not in held.get((who, each[0]), ())]
            there.update(gained)
            if answers or gained:
                yield Word(line, who, gained, {about: _answer(*each) for about, each in answers.items()})


def _answer(granted: bool, proof: Proof) -> Answer:  # noqa: FBT001 - an answer
    at = proof.get("at")
    return Answer(granted, micros(at) if at else None, partial(dict, proof))


def no_of(draft: Draft, who: int) -> Word:
    """What a wrong row says no to, as said by *who*."""
    proof = {name: value for name, value in draft.proof.items() if name != "at"}
    return Word(draft.line, who, (), {about: _answer(granted=False, proof=proof) for about in draft.consents})


def known_words(known: Known, held: Held, saying: _Saying, closed: Closed | None) -> Iterator[Word]:
    """What rows of a lot say of contacts that are there. *closed*: leave out what is on record already, where nobody at
    the address has said no.
    """
    gained: dict[int, list[Place]] = defaultdict(list)
    for (channel,), column in known.of("address").items():
        for place, (who, value) in enumerate(zip(known.ids, column, strict=True)):
            if value and value not in held.get((who, channel), ()):
                gained[place].append((channel, value))
    answers: dict[int, dict[About, Answer]] = defaultdict(dict)
    for place, who, about, granted, at in _answers(known):
        old = closed is not None and saying.has(who, about, granted=granted, at=at)
        if granted:
            old = old and closed is not None and not any(map(closed.has, held.get((who, about[0]), ())))
        if not old or (not granted and saying.renews(who, about, granted=granted, at=at)):
            answers[place][about] = Answer(granted, at, partial(_proof, known, place))
    for place in gained.keys() | answers.keys():
        yield Word(known.lines[place], known.held[place][0], gained.get(place, ()), answers.get(place, {}))


def _answers(known: Known) -> Iterator[tuple[int, int, About, bool, int | None]]:
    """Place, contact, channel and topic, answer and date."""
    for (channel, topic), column in known.of("consent").items():
        rows = enumerate(zip(known.ids, column, known.said["proof", "at"], strict=True))
        yield from ((n, who, (channel, topic), yes, at) for n, (who, yes, at) in rows if yes is not None)


def _proof(known: Known, place: int) -> Proof:
    proof = {name: known.said["proof", name][place] for name in PROOF}
    return proof | {name: None if proof[name] is None else moment(proof[name]) for name in ("at", "expires_at")}


def record(  # noqa: PLR0913, PLR0917 - what a batch knows
    db: sa.Connection,
    said: Iterable[Word],
    known: Sequence[Known],
    new: Collection[int],
    held: Held,
    closed: Closed | None,
    now: datetime,
    source: str,
) -> int:
    """Record what is *said* of consent; return how many yeses a no refuses or ends.

    *new*: of whom nothing is on record. *held*: where contacts were reached before. Without *closed* a no holds for its
    contact alone.
    """
    told, saying = list(said), _Saying(now, source, closed)
    there = {who for each in known if each.of("consent") for who in each.ids}
    saying.learn(_live(db, there))
    # A no of this batch may end a yes that is on record, and has it said anew.
    anew = any(not each.granted for word in told for each in word.answers.values())
    anew = anew or any(saying.leaves(each) for each in known)
    for rows in known:
        told += known_words(rows, held, saying, None if anew else closed)
    told.sort(key=lambda each: each.line)
    speaking = {each.who for each in told if each.answers}
    told = [each for each in told if each.who in speaking or (closed is not None and each.who not in new)]
    if not told:
        return 0
    whose = {each.who for each in told}
    saying.learn(_live(db, whose - there - set(new)))
    saying.recall(_noes(db, saying.taken_back(told)))
    if places := _contested(told, held, new, saying):
        owners = list(at_addresses(db, places))
        saying.learn(_live(db, {who for who, *_ in owners} - whose - there))
        gained = {(each.who, *place) for each in told for place in each.gained}
        for who, *place in owners:
            if (who, *place) not in gained:
                saying.reach(who, (place[0], place[1]))
    for word in told:
        saying.hear(word, places)
    if closed is not None:
        closed.add(value for each in told for channel, value in each.gained if saying.left(each.who, channel))
    _write(db, saying.rows, new, now)
    return saying.refused


def _contested(told: Sequence[Word], held: Held, new: Collection[int], saying: _Saying) -> set[Place]:
    """The addresses at which what one says may matter to another. A no that is on record does to the yeses there."""
    closed = saying.closed
    back = {(each.who, about) for each in told for about, answer in each.answers.items() if answer.granted}
    noes, yeses, later, met = set[Place](), set[Place](), set[Place](), set[int]()
    own: dict[int, list[Place]] = defaultdict(list)
    for each in told:
        own[each.who] += each.gained
        if each.who in met or each.who not in new:
            later.update(each.gained)
        met.add(each.who)
    for each in told:
        for about, answer in each.answers.items():
            if (each.who, about) not in back and saying.renews(each.who, about, granted=answer.granted, at=answer.at):
                continue
            channel, mine = about[0], yeses if answer.granted else noes
            mine.update((channel, value) for value in held.get((each.who, channel), ()))
            mine.update(place for place in own[each.who] if place[0] == channel)
    return noes | later | {each for each in yeses if closed is None or each in noes or closed.has(each[1])}


@dataclass(slots=True)
class _Saying:
    """Rows as they are said. Without *closed* a no does not hold for others at the address."""

    now: datetime
    source: str
    closed: Closed | None
    rows: list[Consent] = field(default_factory=list)
    refused: int = 0
    #: By contact and channel: of each topic the live answer and when it was given.
    _live: dict[tuple[int, str], dict[str, tuple[bool, int]]] = field(default_factory=lambda: defaultdict(dict))
    #: Contact, channel, topic and date of noes that are on record: what says no again is nothing new.
    _past: set[tuple[int, str, str, int]] = field(default_factory=set)
    #: Contact, channel and topic of noes that count as of now, though an older date is on record.
    _anew: set[tuple[int, str, str]] = field(default_factory=set)
    _at: dict[Place, set[int]] = field(default_factory=lambda: defaultdict(set))
    _reached: dict[tuple[int, str], list[Place]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, live: Iterable[tuple[int, str, str, bool, int]]) -> None:
        """Take in what is on record."""
        again = self.closed.again if self.closed else {}
        for who, channel, topic, granted, at in live:
            self._live[who, channel][topic] = bool(granted), at
            if not granted and who in again.get((channel, topic), ()):
                self._anew.add((who, channel, topic))

    def taken_back(self, told: Iterable[Word]) -> set[int]:
        """The contacts that say a no which may be on record, though not as the live answer when it is heard."""
        noes, yeses = dict[int, list[About]](), set[int]()
        for each in told:
            said = [about for about, answer in each.answers.items() if not answer.granted and answer.at is not None]
            noes.setdefault(each.who, []).extend(said)
            if any(answer.granted for answer in each.answers.values()):
                yeses.add(each.who)
        had = ((who, self._live[who, channel].get(topic)) for who, said in noes.items() for channel, topic in said)
        return {who for who, live in had if live and (live[0] or who in yeses)}

    def recall(self, noes: Iterable[tuple[int, str, str, int]]) -> None:
        """Take in noes that are on record."""
        self._past.update(noes)

    def has(self, who: int, about: About, *, granted: bool, at: int | None) -> bool:
        """Whether that answer is on record already."""
        had = self._live[who, about[0]].get(about[1])
        return had is not None and had[0] == granted and (at is None or at <= had[1])

    def renews(self, who: int, about: About, *, granted: bool, at: int | None) -> bool:
        """Whether that is a no as of now, of which an older one is on record."""
        had, said = self._live[who, about[0]].get(about[1]), (who, *about) in self._anew
        return not (granted or at or said) and had is not None and not had[0] and had[1] < micros(self.now)

    def leaves(self, known: Known) -> bool:
        """Whether a row of *known* says a no that is not on record."""
        said = ((who, about, at) for _, who, about, granted, at in _answers(known) if not granted)
        return not all(self.has(who, about, granted=False, at=at) for who, about, at in said)

    def reach(self, who: int, place: Place) -> None:
        """Contact *who* is reached at *place*."""
        self._at[place].add(who)
        self._reached[who, place[0]].append(place)

    def left(self, who: int, channel: str) -> bool:
        """Whether *who* says no to anything on that channel."""
        return not all(granted for granted, _ in self._live[who, channel].values())

    def hear(self, word: Word, places: Collection[Place]) -> None:
        """Take in what a row says; *places*: where that may matter to others."""
        for place in word.gained:
            if place in places:
                self.reach(word.who, place)
                self._heed(word.who, place)
        for about, answer in word.answers.items():
            self._answer(word.who, about, answer)

    def _heed(self, who: int, place: Place) -> None:
        """The noes that are there hold for *who* as well, and those of *who* for the others."""
        for other in self._at[place] - {who} if self.closed else ():
            for giver, taker in ((other, who), (who, other)):
                for topic in list(self._live[giver, place[0]]):
                    if (at := self._no(giver, place[0], topic)) is not None:
                        self._end(taker, place[0], topic, at)

    def _no(self, who: int, channel: str, topic: str) -> int | None:
        """As of when *who* says no."""
        granted, at = self._live[who, channel].get(topic, (True, 0))
        return None if granted else micros(self.now) if (who, channel, topic) in self._anew else at

    def _answer(self, who: int, about: About, answer: Answer) -> None:
        channel, topic = about
        granted, at, proof = answer
        had = self._live[who, channel].get(topic)
        if self.has(who, about, granted=granted, at=at):
            if self.renews(who, about, granted=granted, at=at):
                self._renew(who, about)
            return
        now = micros(self.now)
        if granted and self._refuses(who, channel, topic, at):
            self.refused += 1
            return
        if not granted and had and had[1] == now:
            at = None  # it ends a yes that the file gives before it without a date, whatever its own date is
        elif not granted and (who, channel, topic, at) in self._past:
            return
        self._append(_consent(who, about, granted, {**proof(), "at": at and moment(at)}, self.source), at or now)
        for place in self._reached[who, channel] if self.closed and not granted else ():
            for other in self._at[place] - {who}:
                self._end(other, channel, topic, at or now)

    def _renew(self, who: int, about: About) -> None:
        """Have a no that is on record count as of now, as long as the file is read."""
        self._anew.add((who, *about))
        if self.closed:
            self.closed.again[about].meet([who])

    def _refuses(self, who: int, channel: str, topic: str, at: int | None) -> bool:
        """Whether a no of *who*, or of somebody at the same address, stands against a yes of that moment."""
        others = {other for place in self._reached[who, channel] for other in self._at[place]}
        noes = (self._no(each, channel, name) for each in {who, *others} for name in (topic, ""))
        return any(no is not None and (at is None or at <= no) for no in noes)

    def _end(self, who: int, channel: str, topic: str, at: int) -> None:
        """End the yeses that a no of that moment ends; of the topic "", those to all topics."""
        for about, (granted, yes) in list(self._live[who, channel].items()):
            if granted and topic in {"", about} and (yes <= at or yes == micros(self.now)):
                ended = max(yes, at)
                self._append(Consent(who, channel, about, granted=False, at=moment(ended), source=self.source), ended)
                self.refused += 1

    def _append(self, row: Consent, at: int) -> None:
        self.rows.append(row)
        if not row.granted:
            self._past.add((row.contact_id, row.channel, row.topic, at))
        said = self._live[row.contact_id, row.channel]
        before = [said[name] for name in (row.topic, "") if name in said]
        said[row.topic] = max([(row.granted, at), *before], key=lambda each: each[1])


def _consent(owner: int, about: About, granted: bool, proof: Proof, source: str) -> Consent:  # noqa: FBT001 - an answer
    return _CONSENT(
        owner,
        *about,
        granted,
        proof.get("at"),
        source=proof.get("source") or source,
        legal_basis=proof.get("legal_basis") or ("consent" if granted else ""),
        text_hash=proof.get("text_hash", ""),
        expires_at=proof.get("expires_at") if granted else None,
    )


def _write(db: sa.Connection, rows: Sequence[Consent], new: Collection[int], now: datetime) -> None:
    times = Counter((row.contact_id, row.channel, row.topic) for row in rows if row.contact_id in new)
    first = [times[row.contact_id, row.channel, row.topic] == 1 for row in rows]
    consent.record_first(db, list(compress(rows, first)), now=now)
    consent.record_many(db, [row for row, alone in zip(rows, first, strict=True) if not alone], now=now)


def _live(db: sa.Connection, owners: Collection[int]) -> list[Any]:
    row, names = permission.c, listed(db)
    mine = row.contact_id == sa.cast(names.c.value, sa.BigInteger)
    at = sa.type_coerce(row.at, sa.BigInteger)
    ask = sa.select(row.contact_id, row.channel, row.topic, row.granted, at).join_from(names, permission, mine)
    return gather(db, ask, map(str, owners)) if owners else []


def _noes(db: sa.Connection, owners: Collection[int]) -> Iterator[tuple[int, str, str, int]]:
    """Contact, channel, topic and date of every no of *owners* that is on record."""
    row, names = consents.c, listed(db)
    mine = row.contact_id == sa.cast(names.c.value, sa.BigInteger)
    ask = sa.select(row.contact_id, row.channel, row.topic, sa.type_coerce(row.at, sa.BigInteger))
    ask = ask.join_from(names, consents, mine).where(~row.granted)
    return (
        (who, channel, topic, at) for who, channel, topic, at in (gather(db, ask, map(str, owners)) if owners else ())
    )
