"""policy.yaml's `routing`: what each channel costs, and which of them a contact's value pays for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from vinculo.errors import did_you_mean
from vinculo.fields import Name, Strict

#: A place in the file, what is wrong, and what to write instead.
Wrong = tuple[tuple[Any, ...], str, str]


class ValueTier(Strict):
    """Contacts of one worth, and the channels that it pays for.

    By stage: those of `stages`. By value: from `from` to below `to`, in the company's currency.
    """

    name: Name
    stages: list[Name] = []
    from_: Decimal | None = Field(None, alias="from")
    to: Decimal | None = None
    channels: list[Name] = Field(min_length=1)


class Routing(Strict):
    """A message goes out on the channel that the contact prefers, else on the cheapest that its tier pays for."""

    #: What tiers are made of: the stage of the life cycle, what was spent, or what is expected in the next year.
    by: Literal["stage", "value", "lifetime_value"] = "stage"
    #: What a message costs, in the company's currency. A channel without a price costs nothing.
    costs: dict[Name, Decimal] = {}
    tiers: list[ValueTier] = []
    #: The channels of contacts in no tier; all, when absent.
    others: list[Name] | None = None

    def cost(self, channel: str) -> Decimal:
        """What a message on *channel* costs."""
        return self.costs.get(channel, Decimal(0))

    def pays(self, tier: ValueTier | None, channel: str) -> bool:
        """Whether *tier* (None: no tier) pays for *channel*."""
        channels = tier.channels if tier else self.others
        return channels is None or channel in channels


def problems(routing: Routing, stages: set[str] | None) -> Iterator[Wrong]:
    """What is wrong with the tiers. *stages*: those there are; None: their file is broken, and says so itself."""
    for channel, cost in routing.costs.items():
        if cost < 0:
            yield ("costs", channel), f"`{channel}` cannot cost {cost}", "Write a price, or 0."
    names: set[str] = set()
    for number, tier in enumerate(routing.tiers):
        if tier.name in names:
            yield ("tiers", number, "name"), f"there are two tiers `{tier.name}`", "Give each a name of its own."
        names.add(tier.name)
        yield from _edges(routing, number, tier)
    if routing.by == "stage":
        yield from _stages(routing, stages)
    else:
        yield from _overlaps(routing)


def _edges(routing: Routing, number: int, tier: ValueTier) -> Iterator[Wrong]:
    """A tier says where it begins and ends in the one way that `by` asks for."""
    place, staged = ("tiers", number), routing.by == "stage"
    if staged and (tier.from_ is not None or tier.to is not None):
        yield place, f"the tier `{tier.name}` has `from` or `to`, but tiers are made by stage", "Write `stages: […]`."
    if staged and not tier.stages:
        yield place, f"the tier `{tier.name}` is for nobody", "Write `stages: […]`."
    if not staged and tier.stages:
        remedy = "Write `from:` and `to:`, or `by: stage`."
        yield place, f"the tier `{tier.name}` has `stages`, but tiers are made by {routing.by}", remedy
    if not staged and tier.from_ is None and tier.to is None:
        yield place, f"the tier `{tier.name}` is for everybody", "Write `from:` or `to:`."
    if tier.from_ is not None and tier.to is not None and tier.from_ >= tier.to:
        remedy = "`from` is included, `to` is not: `to` must be more."
        yield place, f"the tier `{tier.name}` is for nobody: it ends before it begins", remedy


def _stages(routing: Routing, stages: set[str] | None) -> Iterator[Wrong]:
    taken: dict[str, str] = {}
    for number, tier in enumerate(routing.tiers):
        for index, stage in enumerate(tier.stages):
            place = ("tiers", number, "stages", index)
            if stages is not None and stage not in stages:
                yield place, f"there is no stage `{stage}` in plan/lifecycle.yaml", did_you_mean(stage, stages)
            if stage in taken:
                yield place, f"the stage `{stage}` is in two tiers, `{taken[stage]}` and `{tier.name}`", "Keep one."
            taken.setdefault(stage, tier.name)


def _overlaps(routing: Routing) -> Iterator[Wrong]:
    for number, tier in enumerate(routing.tiers):
        for other in routing.tiers[:number]:
            if _begins(tier) < _ends(other) and _begins(other) < _ends(tier):
                yield (
                    ("tiers", number),
                    f"the tiers `{other.name}` and `{tier.name}` overlap",
                    "`from` is included, `to` is not: let one begin where the other ends.",
                )


def _begins(tier: ValueTier) -> Decimal:
    return Decimal("-Infinity") if tier.from_ is None else tier.from_


def _ends(tier: ValueTier) -> Decimal:
    return Decimal("Infinity") if tier.to is None else tier.to
