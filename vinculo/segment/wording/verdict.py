"""Why a contact is in a segment or not, condition by condition; and the segment's SQL for reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from vinculo.db.tables import contact
from vinculo.errors import NotFound
from vinculo.model import Moment
from vinculo.segment.compile.select import compile_segment, compiler
from vinculo.segment.read.shape import Segment
from vinculo.segment.read.tree import In
from vinculo.segment.wording.words import lines, spoken

_DIALECTS = {"sqlite": sqlite.dialect, "postgresql": postgresql.dialect}
_WHOLE = {"en": "is in the segment {}", "pt": "está no segmento {}", "es": "está en el segmento {}"}
_ERASED = {"en": "is not erased", "pt": "não foi apagado", "es": "no fue borrado"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition in words, and whether it holds for the contact. Depth 0 is the segment as a whole."""

    depth: int
    words: str
    holds: bool


def explain_contact(
    db: sa.Connection,
    segments: Mapping[str, Segment],
    name: str,
    moment: Moment,
    contact_id: int,
    *,
    language: str = "en",
) -> list[Verdict]:
    """Judge the contact by every condition of segment *name*. Raises `NotFound` for an id that is not there."""
    said, compiled = lines(segments, name, language), compiler(segments, moment)
    alive = contact.c.erased_at.is_(None)
    whole = sa.and_(alive, compiled.sql(In(name)))
    asked = [whole, alive, *(compiled.sql(line.condition) for line in said)]
    columns = [sa.case((condition, 1), else_=0).label(f"c{number}") for number, condition in enumerate(asked)]
    row = db.execute(sa.select(*columns).where(contact.c.id == contact_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no contact #{contact_id}")
    tongue = spoken(language)
    verdicts = [Verdict(0, _WHOLE[tongue].format(name), bool(row[0])), Verdict(1, _ERASED[tongue], bool(row[1]))]
    return verdicts + [Verdict(line.depth + 1, line.words, bool(row[2 + n])) for n, line in enumerate(said)]


def sql(segments: Mapping[str, Segment], name: str, moment: Moment, dialect: str) -> str:
    """Return the SELECT of segment *name* with its values written out: for reading, not for running."""
    select = compile_segment(segments, name, moment)
    return str(select.compile(dialect=_DIALECTS[dialect](), compile_kwargs={"literal_binds": True}))
