"""Which stage of the life cycle each contact is in, by plan/lifecycle.yaml; every move is in the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from vinculo.db.tables import contact, interaction, micros, score
from vinculo.model import Direction, EventKind, Moment
from vinculo.project.lifecycle import Lifecycle, rules
from vinculo.scoring.rfm import Span
from vinculo.segment import Segment, rule_of

SOURCE = "score"


@dataclass(frozen=True, slots=True)
class Moves:
    """How many contacts have moved to another stage, and for how many stage or RFM has changed."""

    moved: int = 0
    changed: int = 0

    def __add__(self, other: Moves) -> Moves:
        return Moves(self.moved + other.moved, self.changed + other.changed)


def stage(
    lifecycle: Lifecycle, segments: Mapping[str, Segment], moment: Moment, currency: str
) -> sa.ColumnElement[str]:
    """The stage of a row of `score` joined with its `contact`: the first whose rule holds, "" where none does.

    *currency*: the company's, in which the rules name amounts.
    """
    rule = rules(lifecycle, currency)
    return sa.case(
        *((rule_of(found, segments, moment), sa.literal(name)) for name, found in rule.items()), else_=sa.literal("")
    )


def move(db: sa.Connection, now: datetime, new: sa.ColumnElement[str], span: Span, *, tell: bool = True) -> Moves:
    """Bring the stages of *span* up to date (*new* is `stage`); *tell* the contact's history of each change, once."""
    rfm = _rfm()
    mine = (score.c.contact_id == contact.c.id) & score.c.contact_id.between(*span)
    stale = mine & ((score.c.stage != new) | (score.c.rfm != rfm))
    told = stale & (score.c.stage != "")
    moved = sa.func.count().filter(score.c.stage != new)
    row = db.execute(sa.select(moved, sa.func.count()).select_from(contact).where(told)).one()
    if tell and row[1]:
        db.execute(_note(db, now, new, rfm, told))
    db.execute(sa.update(score).where(stale).values(stage=new, rfm=rfm))
    return Moves(*row)


def _rfm() -> sa.ColumnElement[str]:
    """`5-3-4`; "" for who never bought."""
    digits = [sa.cast(score.c[name], sa.Text) for name in ("r", "f", "m")]
    words = digits[0].concat("-").concat(digits[1]).concat("-").concat(digits[2])
    return sa.func.coalesce(words, "")


def _note(
    db: sa.Connection, now: datetime, new: sa.ColumnElement[str], rfm: sa.ColumnElement[str], told: Any
) -> sa.Insert:
    """One line of history for each contact of *told*: `loyalty → reactivation`, else what became of the RFM."""
    move_ = score.c.stage.concat(" → ").concat(new)
    fifths = sa.literal("RFM ").concat(_shown(score.c.rfm)).concat(" → ").concat(_shown(rfm))
    lines = sa.select(
        score.c.contact_id,
        sa.literal(micros(now)),
        sa.literal(Direction.IN.value),
        sa.literal(EventKind.SCORED.value),
        sa.case((score.c.stage != new, move_), else_=fifths),
        _data(db, new, rfm),
        sa.literal(SOURCE),
    )
    names = ["contact_id", "at", "direction", "kind", "summary", "data", "source"]
    return sa.insert(interaction).from_select(names, lines.select_from(contact).where(told))


def _shown(rfm: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.case((rfm == "", "–"), else_=rfm)


def _data(db: sa.Connection, new: sa.ColumnElement[str], rfm: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """`{"stage": [before, after], "rfm": [before, after]}`; the names in it need no quoting."""
    text: sa.ColumnElement[str] = sa.literal('{"stage": ["')
    for part in (score.c.stage, '", "', new, '"], "rfm": ["', score.c.rfm, '", "', rfm, '"]}'):
        text = text.concat(part)
    return sa.cast(text, postgresql.JSONB) if db.dialect.name == "postgresql" else text
