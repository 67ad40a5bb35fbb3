"""What scoring rests on: the rules of the project, and what must be known of everybody before anybody is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter

from vinculo.db.note import keep_note, noted
from vinculo.errors import NotFound
from vinculo.model import NOTHING
from vinculo.project import USUAL, Lifecycle, Project, Rates
from vinculo.scoring.outlook import Models
from vinculo.scoring.rfm import Cuts
from vinculo.scoring.worth import Unrated
from vinculo.segment import Segment

_NOTE = "scores"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a project says about scoring: its currency and the rates of others, the company's zone, the stages."""

    currency: str
    zone: str = "UTC"
    rates: Rates = field(default_factory=lambda: Rates(""))
    lifecycle: Lifecycle = USUAL
    segments: Mapping[str, Segment] = field(default_factory=lambda: NOTHING)

    @classmethod
    def of(cls, project: Project) -> Rules:
        """The rules of *project*."""
        company = project.settings.company
        return cls(company.currency, company.timezone, project.rates, project.lifecycle, project.segments)


@dataclass(frozen=True, slots=True)
class Basis:
    """What must be known of everybody before anybody is scored as of *at*."""

    at: datetime
    cuts: Cuts
    models: Models
    unrated: Sequence[Unrated]


_BASIS = TypeAdapter(Basis)


def keep(db: sa.Connection, basis: Basis) -> None:
    """Note *basis* in the database, for the batches of a run that may be scored elsewhere."""
    keep_note(db, _NOTE, _BASIS.dump_json(basis).decode())


def kept(db: sa.Connection) -> Basis:
    """Return what `keep` noted last. Raises `NotFound`."""
    found = noted(db, _NOTE)
    if found is None:
        raise NotFound("Nobody has prepared a scoring", "Start the flow `scores`, or `vinculo score`.")
    return _BASIS.validate_json(found)
