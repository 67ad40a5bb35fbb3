"""Openings and clicks as the web app sees them, taken in by the hundred in a few statements.

What cannot be told apart is one: the same program at the same address, asking for the same thing of the same message on
the same day (UTC). The first such hit writes one line into the history; each further one only raises `inbound.times`.
So whoever fetches every link a thousand times leaves what one who fetched it once leaves.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vinculo import contacts, facts, history, ledger, tracking
from vinculo.db.insert import insert
from vinculo.db.statement import Statement, given, id_of
from vinculo.db.tables import contact, delivery, interaction, micros, occurrence, tally
from vinculo.feedback import judging
from vinculo.feedback.agent import RULE, judge
from vinculo.model import DeliveryState, Direction, EventKind
from vinculo.project.schema import Tracking

#: Where hits come from; their ids are of its own.
SOURCE = "web"
_SUMMARY = 200
_NO_DOUBT = frozenset({DeliveryState.ACCEPTED, DeliveryState.SKIPPED, DeliveryState.CANCELLED, DeliveryState.EXPIRED})


class Hit(NamedTuple):
    """A request for the pixel, or for a link (*url*), of one delivery; *features* is what its sender says of itself."""

    kind: EventKind
    delivery: int
    at: datetime
    features: Mapping[str, str]
    url: str = ""


class Glance(NamedTuple):
    """A request for the pixel that names nobody."""

    campaign: str
    occurrence: str
    at: datetime
    features: Mapping[str, str]


class TrackedDelivery(NamedTuple):
    """What we need to know of a delivery that is opened.

    *submitted*: when it was handed over, in microseconds; *known*: its contact lets us know who opens.
    """

    id: int
    contact_id: int
    campaign: str
    occurrence: str
    channel: str
    variant: str
    state: str
    submitted: int | None
    known: bool
    alive: bool


@dataclass(slots=True)
class _Seen:
    """Hits that are one: the first of them, and how many they were."""

    hit: Hit
    sent: TrackedDelivery
    times: int = 1


#: Whose openings are kept, the UTM parameters, the campaign's kind.
_Rules = tuple[str, Mapping[Any, str], str]


class TrackingRules:
    """How each occurrence is tracked, as it was planned with it, or else as the *company* is; kept, for it stays."""

    _MOST = 1_000

    def __init__(self, company: Tracking) -> None:
        self.company = company
        self._of: dict[tuple[str, str], _Rules] = {}
        self._leads: dict[tuple[str, ...], str] = {}

    def opens(self, db: sa.Connection, campaign: str, occurrence: str) -> str:
        """Whether openings of it are kept by person (`individual`), counted (`aggregate`) or nothing (`off`)."""
        return self._find(db, campaign, occurrence)[0]

    def address(self, db: sa.Connection, sent: TrackedDelivery, url: str) -> str:
        """Return where a click on *url* leads: there, with the UTM parameters of the campaign or of the company."""
        key = (url, sent.campaign, sent.occurrence, sent.channel, sent.variant)
        if key not in self._leads:
            _, utm, kind = self._find(db, sent.campaign, sent.occurrence)
            if len(self._leads) >= self._MOST:
                self._leads.clear()
            self._leads[key] = tracking.destination(url, utm, self.company.utm_domains, tracking.Of(*key[1:], kind))
        return self._leads[key]

    def _find(self, db: sa.Connection, campaign: str, at: str) -> _Rules:
        found = self._of.get((campaign, at))
        if found is not None:
            return found
        o = occurrence.c
        told = db.scalar(sa.select(o.definition).where(o.campaign == campaign, o.occurrence == at)) or {}
        utm = told.get("utm") or self.company.utm
        made = told.get("open_tracking") or self.company.opens, {} if utm == "off" else utm, str(told.get("kind", ""))
        if len(self._of) >= self._MOST:
            self._of.clear()
        self._of[campaign, at] = made
        return made


def receive_hits(db: sa.Connection, hits: Sequence[Hit], rules: TrackingRules, now: datetime) -> list[str]:
    """Take in *hits* and return where each leads, with the parameters of its campaign.

    Call it inside a transaction. What is of nobody we know, or of one who was erased, or would not be known, leaves no
    line; an opening of the latter is counted.
    """
    found = {row.id: row for row in _deliveries(db, {hit.delivery for hit in hits}, rules.company, now)}
    leads = [
        rules.address(db, found[hit.delivery], hit.url) if hit.url and hit.delivery in found else hit.url
        for hit in hits
    ]
    kept, uncounted = _told_apart(db, hits, found, rules)
    _keep(db, kept)
    count(db, uncounted, rules)
    _settle(db, (seen.sent for seen in kept.values()), now)
    _look_around(db, [seen.hit for seen in kept.values()])
    return leads


def _told_apart(
    db: sa.Connection, hits: Sequence[Hit], found: Mapping[int, TrackedDelivery], rules: TrackingRules
) -> tuple[dict[str, _Seen], list[Glance]]:
    """Those of *hits* that are kept, by name, and the openings that are counted instead."""
    kept: dict[str, _Seen] = {}
    uncounted: list[Glance] = []
    for hit in hits:
        sent = found.get(hit.delivery)
        if sent is None or not sent.alive:
            continue
        opens = rules.opens(db, sent.campaign, sent.occurrence) if hit.kind is EventKind.OPENED else ""
        if opens == "aggregate" or (opens == "individual" and not sent.known):
            uncounted.append(Glance(sent.campaign, sent.occurrence, hit.at, hit.features))
        elif opens != "off":
            name = _name(hit)
            if name in kept:
                kept[name].times += 1
            else:
                kept[name] = _Seen(hit, sent)
    return kept, uncounted


def count(db: sa.Connection, glances: Sequence[Glance], rules: TrackingRules) -> None:
    """Count openings that name nobody, by occurrence, day and class; of an occurrence that asks for none, nothing."""
    wanted = [each for each in glances if rules.opens(db, each.campaign, each.occurrence) != "off"]
    numbers = Counter((each.campaign, each.occurrence, each.at.date(), judge(each.features)) for each in wanted)
    if numbers:
        names = ("campaign", "occurrence", "day", "class")
        rows = [{**dict(zip(names, key, strict=True)), "number": n} for key, n in sorted(numbers.items())]
        statement = insert(db, tally)
        raised = statement.on_conflict_do_update(
            index_elements=list(tally.primary_key.columns), set_={"number": tally.c.number + statement.excluded.number}
        )
        db.execute(raised, rows)


# ── whom it is about ─────────────────────────────────────────────────────────────────────────────────────────────
def _deliveries(db: sa.Connection, ids: Collection[int], rules: Tracking, now: datetime) -> Iterator[TrackedDelivery]:
    ask = _ASK[rules.consent]
    for row in ask.rows(db, given=dict.fromkeys(ids, 0), at=now):
        number, owner, campaign, at, channel, variant, state, submitted, known, alive = row
        if not alive:  # joined into another contact since, or erased
            owner = contacts.living(db, owner)
        left = micros(submitted) if isinstance(submitted, datetime) else submitted
        yield TrackedDelivery(
            number, owner or 0, campaign, at, channel, variant, state, left, bool(known), owner is not None
        )


def _ask(rules: Tracking) -> sa.Select[Any]:
    d, rows = delivery.c, given()
    known = tracking.known(rules, d.contact_id, sa.bindparam("at", type_=d.due_at.type))
    return sa.select(
        d.id, d.contact_id, d.campaign, d.occurrence, d.channel, d.variant, d.state, d.submitted_at, known,
        contact.c.erased_at.is_(None),
    ).join_from(rows, delivery, d.id == id_of(rows)).join(contact, contact.c.id == d.contact_id)  # fmt: skip


_ASK = {
    "opt_out": Statement(lambda: _ask(Tracking(consent="opt_out"))),
    "opt_in": Statement(lambda: _ask(Tracking(consent="opt_in"))),
}


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────────────
#: In words of SQL that both databases know, with values that need no making: this runs for every hit.
_STORE = Statement(
    lambda: sa.text("""
INSERT INTO inbound (source, event_id, received_at, kind, contact_id, delivery_id, outcome, raw, times)
VALUES ('web', :event_id, :at, :kind, :contact_id, :delivery_id, 'handled', :raw, :times)
ON CONFLICT (source, event_id) DO UPDATE SET times = inbound.times + excluded.times""")
)
#: What the history has of a hit and a caller gives, beside its name, in this order.
_GIVEN = ("at", "kind", "contact_id", "delivery_id", "channel", "campaign", "occurrence", "summary", "data")
_NUMBERS = frozenset({"at", "contact_id", "delivery_id"})
#: SQLite's two: which lines are there, and the others row by row. It reads JSON once for each value that is taken out.
_THERE = Statement(
    lambda: sa.text("""
SELECT event_id FROM interaction
WHERE source = 'web' AND event_id <> '' AND event_id IN (SELECT value FROM json_each(:names))""")
)
_APPEND = Statement(
    lambda: sa.text(f"""
INSERT INTO interaction (source, direction, event_id, {", ".join(_GIVEN)})
VALUES ('web', 'in', :event_id, {", ".join(f":{name}" for name in _GIVEN)})""")  # noqa: S608 - names of ours
)


def _append(db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> list[facts.Line]:
    """Append *rows* to the history; return, of those that were not there, what facts are made of."""
    if db.dialect.name == "sqlite":  # nobody else writes meanwhile
        there = {name for (name,) in _THERE.rows(db, names=json.dumps([row["event_id"] for row in rows]))}
        new = [row for row in rows if row["event_id"] not in there]
        _APPEND.many(db, new)
        return [(row["contact_id"], row["kind"], row["at"], None, "") for row in new]
    told = {row["event_id"]: [row[name] for name in _GIVEN] for row in rows}
    return [(who, kind, at, None, "") for who, kind, at in _RECORD.rows(db, given=told)]


def _recording() -> sa.Insert:
    """PostgreSQL's one: append the hits that are `given` by name, and return what was not there."""
    rows, i = given(), interaction.c
    texts = {name: rows.c.value[number].as_string() for number, name in enumerate(_GIVEN)}
    values = {name: sa.cast(text, sa.BigInteger) if name in _NUMBERS else text for name, text in texts.items()}
    values |= {"data": sa.cast(texts["data"], i.data.type), "event_id": rows.c.key}
    values |= {"source": sa.literal(SOURCE), "direction": sa.literal(Direction.IN.value)}
    made = postgresql.insert(interaction).from_select(list(values), sa.select(*values.values()))
    return made.on_conflict_do_nothing().returning(i.contact_id, i.kind, sa.type_coerce(i.at, sa.BigInteger))


_RECORD = Statement(_recording)


def _name(hit: Hit) -> str:
    """Name a hit by what makes it the same as another."""
    said = "\0".join((hit.url, *hit.features.values())).encode("utf-8", "replace")
    return f"{hit.kind.value}/{hit.delivery}/{hit.at.toordinal()}/{hashlib.blake2b(said, digest_size=12).hexdigest()}"


def _keep(db: sa.Connection, kept: Mapping[str, _Seen]) -> None:
    if kept:
        rows = [_row(name, seen) for name, seen in kept.items()]
        _STORE.many(db, rows)
        facts.add(db, _append(db, rows))


def _row(name: str, seen: _Seen) -> dict[str, Any]:
    hit, sent, at = seen.hit, seen.sent, micros(seen.hit.at)
    raw = _told({**hit.features, "url": hit.url} if hit.url else hit.features)
    found = judging.at_once(hit.features, None if sent.submitted is None else at - sent.submitted)
    return {
        "event_id": name,
        "at": at,
        "kind": hit.kind.value,
        "contact_id": sent.contact_id,
        "delivery_id": sent.id,
        "raw": raw.encode("utf-8", "replace"),
        "times": seen.times,
        "channel": sent.channel,
        "campaign": sent.campaign,
        "occurrence": sent.occurrence,
        "summary": hit.url[:_SUMMARY],
        "data": f'{raw[:-1]},"class":"{found}","rule":{RULE}}}',
    }


def _told(features: Mapping[str, str]) -> str:
    """Return *features* as JSON with its letters as they are; a tenth of the work of `json.dumps`."""
    return "{" + ",".join([f'"{name}":{encode_basestring(said)}' for name, said in features.items()]) + "}"


# ── what follows ─────────────────────────────────────────────────────────────────────────────────────────────────
def _settle(db: sa.Connection, sent: Iterable[TrackedDelivery], now: datetime) -> None:
    """Whoever opens a message has it: a delivery that was in doubt is no longer."""
    for number in sorted({each.id for each in sent if each.state not in _NO_DOUBT}):
        if ledger.evidence(db, number, now) is not None:
            history.sent(db, [number], now)


def _look_around(db: sa.Connection, hits: Sequence[Hit]) -> None:
    """Judge a message's hits together where a machine shows itself only beside the others."""
    clicks = [hit for hit in hits if hit.kind is EventKind.CLICKED]
    if clicks:
        first = min(hit.at for hit in clicks)
        judging.judge_bursts(db, {hit.delivery for hit in clicks}, first - judging.WITHIN)
