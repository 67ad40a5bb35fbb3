"""What a survey says: who answered, what, and how sure one may be of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import interaction, micros, occurrence
from vinculo.model import CampaignKind, DeliveryState, EventKind
from vinculo.project.survey import Survey
from vinculo.report.scope import Alike, Scope, did_since, with_answers
from vinculo.segment.compile.survey import scored
from vinculo.stats import Arm, Interval, net_share, wilson

#: Of fewer answers a score says more about who answered than about all.
FEW = 30


@dataclass(frozen=True, slots=True)
class Surveyed:
    """The answers to a survey; of each person and occurrence only the last counts.

    *answers*: how many gave each, by score, or by the name of a poll's choice. *rate*: the share of those who got it
    and answered, 0 to 1. *score*: net promoter score as a share (-1 to 1), or the share of 4 and 5 (`csat`); a poll
    has none. *few*: too few have answered to say.
    """

    kind: str
    asked: int
    answered: int
    answers: Mapping[str, int]
    rate: Interval
    score: Interval | None
    few: bool


def surveyed(db: sa.Connection, scope: Scope, sent: Sequence[Alike]) -> Surveyed | None:
    """Return what the deliveries *sent* of a campaign brought, if it is a survey."""
    newest = sa.select(occurrence.c.definition).where(scope.ran()).order_by(occurrence.c.due_at.desc())
    definition = db.scalar(newest.limit(1)) or {}
    if definition.get("kind") != CampaignKind.SURVEY:
        return None
    survey = Survey.model_validate(definition.get("survey") or {})
    asked = sum(one.number for one in sent if one.state == DeliveryState.ACCEPTED)
    said = _last(db, scope)
    given = Counter(survey.choice(one) or str(one) for one in said if one in survey.answers)
    names = [survey.choice(one) or str(one) for one in survey.answers]
    answered = given.total()
    return Surveyed(
        survey.kind, asked, answered, {name: given[name] for name in names},
        wilson(Arm(min(answered, asked), asked)), _score(survey, given, answered), answered < FEW,
    )  # fmt: skip


def _last(db: sa.Connection, scope: Scope) -> list[int]:
    """The last answer of each delivery."""
    answers = with_answers(_last_answers().where(scope.of(interaction)))
    return [int(score) for score in db.scalars(answers) if score is not None]


def of_scale(kind: str, after: datetime, until: datetime) -> sa.Select[Any]:
    """Select the scores of all surveys of *kind* that were given later than *after*, not later than *until*.

    One that names no kind, as from another system, is taken for `nps`.
    """
    i = interaction.c
    named = sa.func.coalesce(i.data["kind"].as_string(), "nps")
    lately = i.contact_id.in_(did_since(EventKind.SURVEYED, micros(after)))  # else all of the history is read
    return _last_answers(until).where(lately, named == kind, i.at > after, i.at <= until)


#: The score of an answer in the history.
SCORE: sa.ColumnElement[Any] = scored(interaction.c.data)


def _last_answers(until: datetime | None = None) -> sa.Select[Any]:
    """Select the answers of the history that count: of each delivery the last, at *until* or now; of others each."""
    i, later = interaction.c, interaction.alias("later").c
    newer = sa.or_(later.at > i.at, sa.and_(later.at == i.at, later.id > i.id))
    same = [later.delivery_id == i.delivery_id, later.kind == EventKind.SURVEYED, newer]
    same += [later.at <= until] if until is not None else []
    return sa.select(SCORE).select_from(interaction).where(i.kind == EventKind.SURVEYED, ~sa.exists().where(*same))


def _score(survey: Survey, given: Mapping[str, int], answered: int) -> Interval | None:
    if survey.kind == "poll":
        return None
    if survey.kind == "csat":
        return wilson(Arm(given["4"] + given["5"], answered))
    promoters = given["9"] + given["10"]
    return net_share(promoters, sum(given[str(one)] for one in range(7)), answered)
