"""What became of a campaign, or of one occurrence of it: from the segment to the money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from vinculo.db.tables import delivery, inbound, interaction, occurrence, tally
from vinculo.errors import NotFound, did_you_mean
from vinculo.model import DeliveryState, EventKind, SkipReason
from vinculo.report.effect import Effect, effect
from vinculo.report.scope import Alike, Scope, alike
from vinculo.report.survey import Surveyed, surveyed
from vinculo.report.variant import Compared, compared

#: Why a contact of the segment was not asked for: no consent, or kept out.
_UNASKED = frozenset({SkipReason.EXCLUDED, SkipReason.NO_CONSENT, SkipReason.PAUSED})
#: A skip that is a failure of ours, not a choice.
_BROKEN = frozenset({SkipReason.RENDER_ERROR, SkipReason.QUARANTINED})
_CLASSES = ("human", "proxy", "machine")
_FAILED = frozenset({DeliveryState.REJECTED, DeliveryState.EXPIRED})
_ANSWERS = (
    EventKind.DELIVERED,
    EventKind.BOUNCED,
    EventKind.REPLIED,
    EventKind.AUTO_REPLIED,
    EventKind.UNSUBSCRIBED,
    EventKind.COMPLAINED,
    EventKind.SURVEYED,
)


@dataclass(frozen=True, slots=True)
class Seen:
    """Openings or clicks: deliveries seen by a person, a provider's proxy or a machine; *raw* is every count.

    *rates* are shares of what was sent: of each class, and `raw` for whoever it was. *unnamed* counts openings that
    name nobody (`open_tracking: aggregate`), by class.
    """

    human: int
    proxy: int
    machine: int
    raw: int
    rates: Mapping[str, float]
    unnamed: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign's results. Counts are deliveries, except `raw`; `answers` counts deliveries by kind of event."""

    campaign: str
    occurrence: str
    occurrences: int
    #: segment, consented, reachable, sent, failed: each a number of contacts
    funnel: Mapping[str, int]
    #: why contacts of the segment were not sent to, most frequent first
    reasons: Mapping[str, int]
    states: Mapping[str, int]
    opened: Seen
    clicked: Seen
    answers: Mapping[str, int]
    effect: Effect
    variants: Sequence[Compared]
    #: what was answered, if the campaign is a survey
    survey: Surveyed | None


def campaign_report(db: sa.Connection, campaign: str, occurrence: str = "") -> Report:
    """Return the results of *campaign*, or of its *occurrence* (a key). Raises `NotFound` if it never ran."""
    scope = Scope(campaign, occurrence)
    sent = alike(db, scope)
    if not sent:
        if occurrence and (ran := _occurrences(db, campaign)):
            raise NotFound(f"`{campaign}` has no occurrence `{occurrence}`", did_you_mean(occurrence, ran))
        raise NotFound(f"The campaign `{campaign}` has not run yet", f"Run it with `vinculo run {campaign}`.")
    counts = _counts(sent)
    return Report(
        campaign=campaign,
        occurrence=occurrence,
        occurrences=len(_occurrences(db, campaign, occurrence)),
        funnel=_funnel(counts),
        reasons=_reasons(counts),
        states=_states(counts),
        opened=replace(_seen(db, scope, EventKind.OPENED, counts), unnamed=_unnamed(db, campaign, occurrence)),
        clicked=_seen(db, scope, EventKind.CLICKED, counts),
        answers=_answers(db, scope),
        effect=effect(db, scope, sent),
        variants=compared(db, scope, sent),
        survey=surveyed(db, scope, sent),
    )


_Counts = Mapping[tuple[str, str], int]


def _occurrences(db: sa.Connection, campaign: str, name: str = "") -> list[str]:
    query = sa.select(occurrence.c.occurrence).where(Scope(campaign, name).ran())
    return list(db.scalars(query.order_by(occurrence.c.occurrence.desc())))


def _counts(sent: Sequence[Alike]) -> _Counts:
    counts: Counter[tuple[str, str]] = Counter()
    for one in sent:
        counts[one.state, one.reason] += one.number
    return counts


def _funnel(counts: _Counts) -> dict[str, int]:
    segment = sum(counts.values())
    skipped = {reason: n for (state, reason), n in counts.items() if state == DeliveryState.SKIPPED}
    unasked = sum(n for reason, n in skipped.items() if reason in _UNASKED)
    broken = sum(n for reason, n in skipped.items() if reason in _BROKEN)
    return {
        "segment": segment,
        "consented": segment - unasked,
        "reachable": segment - sum(skipped.values()) + broken,
        "sent": sum(n for (state, _), n in counts.items() if state == DeliveryState.ACCEPTED),
        "failed": broken + sum(n for (state, _), n in counts.items() if state in _FAILED),
    }


def _reasons(counts: _Counts) -> dict[str, int]:
    left_out: Counter[str] = Counter()
    for (state, reason), number in counts.items():
        if state != DeliveryState.ACCEPTED:
            # what waits for its turn is planned like the rest: that it waits is no reason for not being sent to
            left_out[state if state == DeliveryState.PLANNED else reason or state] += number
    return dict(sorted(left_out.items(), key=lambda item: (-item[1], item[0])))


def _states(counts: _Counts) -> dict[str, int]:
    found = dict.fromkeys((state for state, _ in sorted(counts)), 0)
    for (state, _), number in counts.items():
        found[state] += number
    return found


def _seen(db: sa.Connection, scope: Scope, kind: EventKind, counts: _Counts) -> Seen:
    i, by = interaction.c, sa.func.coalesce(interaction.c.data["class"].as_string(), "human")
    deliveries, hits = sa.func.count(sa.distinct(i.delivery_id)), sa.func.sum(sa.func.coalesce(inbound.c.times, 1))
    came = (inbound.c.source == i.source) & (inbound.c.event_id == i.event_id)  # hits that are one are counted there
    ask = scope.answers(by, deliveries, hits).outerjoin_from(interaction, inbound, came)
    found = {who: (number, raw) for who, number, raw in db.execute(ask.where(i.kind == kind).group_by(by))}
    numbers = {who: found.get(who, (0, 0))[0] for who in _CLASSES}
    anybody = db.scalar(scope.answers(deliveries).where(i.kind == kind)) or 0
    sent = sum(n for (state, _), n in counts.items() if state == DeliveryState.ACCEPTED)
    rates = {who: n / sent if sent else 0.0 for who, n in {**numbers, "raw": anybody}.items()}
    return Seen(**numbers, raw=sum(int(raw) for _, raw in found.values()), rates=rates, unnamed={})


def _unnamed(db: sa.Connection, campaign: str, occurrence: str) -> dict[str, int]:
    t = tally.c
    ask = sa.select(t["class"], sa.func.sum(t.number)).where(t.campaign == campaign).group_by(t["class"])
    ask = ask.where(t.occurrence == occurrence) if occurrence else ask
    return {who: int(number) for who, number in db.execute(ask.order_by(t["class"]))}


def _answers(db: sa.Connection, scope: Scope) -> dict[str, int]:
    i, deliveries = interaction.c, sa.func.count(sa.distinct(interaction.c.delivery_id))
    found = dict(
        db.execute(scope.answers(i.kind, deliveries).where(i.kind.in_(_ANSWERS)).group_by(i.kind)).tuples().all()
    )
    # That a message arrived is no answer, and in no index of them.
    joined = sa.select(deliveries).join_from(delivery, interaction, i.delivery_id == delivery.c.id)
    found[EventKind.DELIVERED] = db.scalar(joined.where(scope.of(delivery), i.kind == EventKind.DELIVERED)) or 0
    return {kind.value: found.get(kind.value, 0) for kind in _ANSWERS}
