"""Judge openings and clicks again, over the past: by a newer rule, and by what came before and after each.

An event alone shows its user agent. Beside the others of its message it shows more: a scanner follows every link within
a moment, and is there before a person could have read the subject.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from vinculo.db.statement import Statement, these
from vinculo.db.tables import delivery, interaction
from vinculo.feedback.agent import RULE, judge
from vinculo.model import EventKind

#: Nobody has opened a message, and found a link in it, so soon after it was handed over.
FASTEST = timedelta(seconds=2)
_FASTEST = FASTEST // timedelta(microseconds=1)
#: So many different links of one message within so short a time are followed by a machine.
BURST, WITHIN = 3, timedelta(seconds=3)
#: What a hit of the link that no person sees is marked with.
TRAP = "honeypot"
_HITS = (EventKind.OPENED, EventKind.CLICKED)
_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class KeptHit:
    """An opening or a click that the history has. *left*: when its message was handed over, if known."""

    id: int
    delivery_id: int
    kind: str
    at: datetime
    data: dict[str, Any]
    left: datetime | None


def judge_again(db: sa.Connection, *, since: datetime | None = None, deliveries: Collection[int] = ()) -> Counter[str]:
    """Judge every opening and click by today's rule; return how many changed, as `human→machine`.

    All of them, or those of messages that were hit from *since* on, or of these *deliveries*. The raw features are
    read and left as they are: judged again, the past gives the same.
    """
    changed: Counter[str] = Counter()
    for hits in _messages(db, since, deliveries):
        classes = judged(hits)
        changes = [(hit, classes[hit.id]) for hit in hits if classes[hit.id] != hit.data.get("class")]
        changed.update(f"{hit.data.get('class', 'human')}→{found}" for hit, found in changes)
        _keep(
            db,
            [hit for hit in hits if (hit.data.get("class"), hit.data.get("rule")) != (classes[hit.id], RULE)],
            classes,
        )
    return changed


def at_once(features: Mapping[str, Any], waited: int | None) -> str:
    """Return the class of a hit by what it shows alone, and by how long after its message it came, in microseconds."""
    found = judge(features)
    fast = found == "human" and waited is not None and 0 <= waited < _FASTEST
    return "machine" if fast else found


def judge_bursts(db: sa.Connection, deliveries: Collection[int], since: datetime) -> None:
    """Judge again those of *deliveries* whose links were followed in a burst, or by its trap, since then."""
    if found := _IN_BURSTS.ids(db, ids=list(deliveries), since=since):
        judge_again(db, deliveries=found)


def _in_bursts() -> sa.Select[tuple[int | None]]:
    i = interaction.c
    since = sa.bindparam("since", type_=i.at.type)
    ask = sa.select(i.delivery_id).where(these(i.delivery_id), i.kind == EventKind.CLICKED, i.at >= since)
    links = sa.func.count(sa.distinct(i.summary))
    trapped = sa.func.max(sa.case((i.data["trap"].as_string() == TRAP, 1), else_=0))
    return ask.group_by(i.delivery_id).having(sa.or_(links >= BURST, trapped == 1))


_IN_BURSTS = Statement(_in_bursts)


def judged(hits: Sequence[KeptHit]) -> dict[int, str]:
    """Return the class of each of *hits*, which are all those of one message, in the order of their time."""
    classes = {hit.id: judge(hit.data) for hit in hits}
    trapped = {_visitor(hit) for hit in hits if hit.data.get("trap")}
    machines = {hit.id for hit in hits if _too_fast(hit.at, hit.left) or _visitor(hit) in trapped}
    machines |= _bursts([hit for hit in hits if hit.kind == EventKind.CLICKED])
    return {
        number: "machine" if number in machines and found == "human" else found for number, found in classes.items()
    }


def _too_fast(at: datetime, left: datetime | None) -> bool:
    return left is not None and timedelta(0) <= at - left < FASTEST


def _visitor(hit: KeptHit) -> tuple[str, str]:
    return str(hit.data.get("ip", "")), str(hit.data.get("user_agent", ""))


def _bursts(clicks: Sequence[KeptHit]) -> set[int]:
    found: set[int] = set()
    for number, first in enumerate(clicks):
        group = [click for click in clicks[number:] if click.at - first.at <= WITHIN]
        if len({click.data.get("url") for click in group}) >= BURST:
            found.update(click.id for click in group)
    return found


def _messages(db: sa.Connection, since: datetime | None, deliveries: Collection[int]) -> Iterator[list[KeptHit]]:
    """Yield the hits of each message, message after message, in bounded memory.

    A message is judged by all of its hits, however late some of them came.
    """
    i, d = interaction.c, delivery.c
    ask = (
        sa.select(i.id, i.delivery_id, i.kind, i.at, i.data, d.submitted_at)
        .join(delivery, d.id == i.delivery_id)
        .where(i.kind.in_(_HITS))
        .order_by(i.delivery_id, i.at, i.id)
    )
    if deliveries:
        ask = ask.where(i.delivery_id.in_(deliveries))
    if since:
        ask = ask.where(i.delivery_id.in_(sa.select(i.delivery_id).where(i.kind.in_(_HITS), i.at >= since)))
    rows = db.execute(ask, execution_options={"yield_per": _BATCH})
    for _, hits in groupby((KeptHit(*row) for row in rows), key=lambda hit: hit.delivery_id):
        yield list(hits)


def _keep(db: sa.Connection, hits: Iterable[KeptHit], classes: dict[int, str]) -> None:
    rows = [{"number": hit.id, "told": {**hit.data, "class": classes[hit.id], "rule": RULE}} for hit in hits]
    if rows:
        update = sa.update(interaction).where(interaction.c.id == sa.bindparam("number"))
        db.execute(update.values(data=sa.bindparam("told", type_=interaction.c.data.type)), rows)
