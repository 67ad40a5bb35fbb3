"""The audience in plain Python, one contact at a time: slow, and plain enough to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from vinculo.model import SkipReason
from vinculo.project.schema import Campaign, Policy
from vinculo.segment import bucket_of

WISHES = {"weekly": (1, 7), "monthly": (1, 30), "2 per 10 days": (2, 10), "12 per 100 days": (12, 100)}


@dataclass
class Person:
    """A contact as the oracle sees it. *had*: (kind, channel, days before now, counts) of earlier deliveries."""

    id: int
    staff: bool = False
    zone: str = ""
    addresses: list[tuple[str, str, bool]] = field(default_factory=list)  # channel, value, suppressed; by position
    consents: dict[str, bool] = field(default_factory=dict)  # channel: granted
    preferences: dict[str, str] = field(default_factory=dict)
    had: list[tuple[str, str, float, bool]] = field(default_factory=list)


def audience(
    people: Sequence[Person], campaign: Campaign, policy: Policy, due: dict[str, datetime], now: datetime
) -> dict[int, tuple[str, str, str]]:
    """Reason, channel and address of each person; the reason "" means: gets it. No quiet hours."""
    told, taken = {}, set()
    for person in people:
        reason, channel, value = _alone(person, campaign, policy, due, now)
        if not reason and (channel, value) in taken:
            reason = SkipReason.DUPLICATE_ADDRESS
        elif not reason:
            taken.add((channel, value))
            reason = SkipReason.FREQUENCY_CAP if _capped(person, channel, campaign, policy, due, now) else ""
        told[person.id] = str(reason), channel, "" if reason else value
    return told


def _due(person: Person, due: dict[str, datetime]) -> datetime:
    return due.get(person.zone, due["America/Sao_Paulo"])


def _alone(person, campaign, policy, due, now) -> tuple[str, str, str]:
    reached = [one for one in person.addresses if one[0] in campaign.channels]
    best = _best(person, reached, campaign)
    channel, value = best[:2] if best else ("", "")
    if person.staff and campaign.exclude:
        return SkipReason.EXCLUDED, channel, value
    if not best:
        return SkipReason.NO_ADDRESS, "", ""
    obstacle = _obstacle(person, best, campaign)
    if obstacle:
        return (SkipReason.NO_CONSENT if obstacle == 1 else SkipReason.SUPPRESSED), channel, value
    service = campaign.kind == "service"
    until = person.preferences.get("pause_until", "")
    if until and not service and datetime.fromisoformat(until) > _due(person, due):
        return SkipReason.PAUSED, channel, value
    out = bucket_of(person.id, "holdout") < policy.holdout / 100 and not service
    if out or bucket_of(person.id, f"holdout/{campaign.name}") < campaign.holdout / 100:
        return SkipReason.HOLDOUT, channel, value
    return "", channel, value


def _obstacle(person, one, campaign) -> int:
    channel, _, suppressed = one
    answer = person.consents.get(channel)
    free = "service" in (campaign.kind, campaign.topic)
    allowed = answer is not False if free else answer is True
    return 2 if suppressed else 0 if allowed else 1


def _best(person, reached, campaign):
    def order(place_and_one):
        place, one = place_and_one
        wanted = person.preferences.get("channel") == one[0]
        return _obstacle(person, one, campaign), not wanted, campaign.channels.index(one[0]), place

    ordered = sorted(enumerate(reached), key=order)
    return ordered[0][1] if ordered else None


def _capped(person, channel, campaign, policy, due, now) -> bool:
    if campaign.kind == "service":
        return False
    at = _due(person, due)
    had = [(kind, on, now - timedelta(days=days)) for kind, on, days, counts in person.had if counts]

    def count(within: timedelta, kinds, channels) -> int:
        return sum(
            abs(at - when) < within
            and (kind in kinds if kinds else kind != "service")
            and (not channels or on in channels)
            for kind, on, when in had
        )

    for cap in policy.caps:
        concerns = (not cap.kinds or campaign.kind in cap.kinds) and (not cap.channels or channel in cap.channels)
        if concerns and count(cap.within, cap.kinds, cap.channels) >= cap.at_most:
            return True
    number, days = WISHES.get(person.preferences.get("frequency", ""), (10**9, 1))
    return count(timedelta(days=days), [], []) >= number
