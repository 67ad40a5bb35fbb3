"""Objectives: measured now, against where they stood and where they should be by when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from vinculo import ledger
from vinculo.db.tables import PURCHASED, contact, delivery, interaction, occurrence, score
from vinculo.model import DeliveryState, EventKind
from vinculo.project.schema import Campaign, MetricName, Objective
from vinculo.report.effect import bought_after
from vinculo.report.scope import seen_by_a_person, with_answers
from vinculo.report.survey import of_scale

#: Rates are measured over the deliveries and answers of so long.
WINDOW = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a metric is measured on."""

    db: sa.Connection
    now: datetime
    campaigns: tuple[str, ...]

    def lately(self) -> sa.Select[Any]:
        """The occurrences of which something may have been sent in the window: a campaign of years has many."""
        o = occurrence.c
        return sa.select(o.occurrence).where(o.campaign.in_(self.campaigns), ledger.alive_since(self.now - WINDOW))

    def sent(self) -> sa.ColumnElement[bool]:
        """The deliveries of the objective's campaigns that were sent in the window."""
        mine = delivery.c.campaign.in_(self.campaigns) & delivery.c.occurrence.in_(self.lately())
        mine &= delivery.c.state == DeliveryState.ACCEPTED
        return mine & (delivery.c.submitted_at > self.now - WINDOW) & (delivery.c.submitted_at <= self.now)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an objective stands. *now* is None while there is nothing to measure; *done* is the share of the way."""

    name: str
    description: str
    metric: str
    baseline: float
    now: float | None
    target: float
    deadline: date
    days_left: int
    done: float | None
    reached: bool


def _share(scope: _Scope, kind: EventKind, *, human: bool = False) -> float | None:
    """The share of what was sent that had an answer of *kind*: looked for among the answers, which are fewer."""
    i = interaction.c
    # Anybody can write a mail that calls itself a bounce or a complaint: of an objective only what is proved counts.
    # As text: PostgreSQL takes no other word of an event's own data for true or false.
    unproved = sa.func.coalesce(sa.cast(i.data["unproved"].as_string(), sa.Text), "")
    answers = sa.select(i.delivery_id).where(
        i.campaign.in_(scope.campaigns), i.kind == kind, i.occurrence.in_(scope.lately())
    )
    answers = with_answers(answers.where(unproved.in_(["", "false", "0"])))
    if human:
        answers = answers.where(seen_by_a_person())
    ask = sa.select(sa.func.count()).select_from(delivery).where(delivery.c.id.in_(answers), scope.sent())
    return _percent(scope.db.scalar(ask) or 0, _sent(scope))


def _sent(scope: _Scope) -> int:
    return scope.db.scalar(sa.select(sa.func.count()).select_from(delivery).where(scope.sent())) or 0


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _conversion(scope: _Scope) -> float | None:
    ask = sa.select(sa.func.count(sa.distinct(delivery.c.id))).join_from(delivery, interaction, bought_after())
    return _percent(scope.db.scalar(ask.where(scope.sent())) or 0, _sent(scope))


def _repeat(scope: _Scope) -> float | None:
    counts = sa.select(sa.func.count()).where(
        sa.text(PURCHASED),  # in the words of its index, which SQLite cannot tell from a parameter
        interaction.c.at <= scope.now,
        sa.func.coalesce(interaction.c.amount, 0) >= 0,
    )
    each = counts.add_columns(interaction.c.contact_id).group_by(interaction.c.contact_id).subquery()
    times = each.c[0]
    again, all_ = scope.db.execute(
        sa.select(sa.func.coalesce(sa.func.sum(sa.case((times > 1, 1), else_=0)), 0), sa.func.count())
    ).one()
    return _percent(int(again), int(all_))


def _nps(scope: _Scope) -> float | None:
    """Net promoter score of the answers in the window, each person's last one to an occurrence."""
    answers = of_scale("nps", scope.now - WINDOW, scope.now).subquery()
    given = answers.c[0]
    kind = sa.case((given >= 9, 1), (given <= 6, -1), else_=0)
    balance, count = scope.db.execute(sa.select(sa.func.coalesce(sa.func.sum(kind), 0), sa.func.count(given))).one()
    return _percent(int(balance), int(count))


def _staying(scope: _Scope) -> float | None:
    """Share of buyers, as last scored, who bought in the last half year; who bought only once, in the last year."""
    lost = sa.case((score.c.recency > 365, 0), ((score.c.recency > 180) & (score.c.frequency > 1), 0), else_=1)
    staying, buyers = scope.db.execute(
        sa.select(sa.func.coalesce(sa.func.sum(lost), 0), sa.func.count()).where(score.c.frequency > 0)
    ).one()
    return _percent(int(staying), int(buyers))


def _contacts(scope: _Scope) -> float | None:
    ask = sa.select(sa.func.count()).select_from(contact).where(contact.c.erased_at.is_(None))
    return float(scope.db.scalar(ask.where(contact.c.first_seen <= scope.now)) or 0)


@dataclass(frozen=True, slots=True)
class Metric:
    """What an objective can be measured by."""

    words: str
    measure: Callable[[_Scope], float | None]


#: Percentages are 0 to 100. "Sent" are deliveries of the objective's campaigns in the last 90 days.
METRICS: Mapping[MetricName, Metric] = {
    "open_rate": Metric("percent of sent opened by a person", lambda s: _share(s, EventKind.OPENED, human=True)),
    "click_rate": Metric("percent of sent clicked by a person", lambda s: _share(s, EventKind.CLICKED, human=True)),
    "reply_rate": Metric("percent of sent answered", lambda s: _share(s, EventKind.REPLIED)),
    "unsubscribe_rate": Metric("percent of sent unsubscribed from", lambda s: _share(s, EventKind.UNSUBSCRIBED)),
    "complaint_rate": Metric(
        "percent of sent marked as spam, by proved complaints", lambda s: _share(s, EventKind.COMPLAINED)
    ),
    "bounce_rate": Metric("percent of sent given back, by proved bounces", lambda s: _share(s, EventKind.BOUNCED)),
    "conversion_rate": Metric("percent of sent followed by a purchase within 7 days", _conversion),
    "repeat_rate": Metric("percent of buyers who bought twice or more", _repeat),
    "retention_rate": Metric(
        "percent of buyers who bought in the last half year; who bought only once, in the last year", _staying
    ),
    "nps": Metric("net promoter score of the last 90 days, -100 to 100", _nps),
    "contacts": Metric("number of contacts", _contacts),
}


def objectives(
    db: sa.Connection, wanted: Mapping[str, Objective], campaigns: Mapping[str, Campaign], now: datetime
) -> list[Standing]:
    """Measure every objective on the campaigns that serve it."""
    return [_standing(db, name, each, campaigns, now) for name, each in sorted(wanted.items())]


def _standing(
    db: sa.Connection, name: str, wanted: Objective, campaigns: Mapping[str, Campaign], now: datetime
) -> Standing:
    serving = tuple(sorted(key for key, campaign in campaigns.items() if campaign.objective == name))
    value = METRICS[wanted.metric].measure(_Scope(db, now, serving))
    way = wanted.target - wanted.baseline
    done = None if value is None or not way else (value - wanted.baseline) / way
    return Standing(
        name=name,
        description=wanted.description,
        metric=wanted.metric,
        baseline=wanted.baseline,
        now=value,
        target=wanted.target,
        deadline=wanted.deadline,
        days_left=(wanted.deadline - now.date()).days,
        done=done,
        reached=value is not None and (value >= wanted.target if way >= 0 else value <= wanted.target),
    )
