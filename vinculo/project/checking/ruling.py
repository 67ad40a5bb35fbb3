"""What is wrong with the rules of policy.yaml, beyond their shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vinculo.project.asking import confirm_problems, implied_problems
from vinculo.project.routing import Wrong, problems
from vinculo.project.schema import Policy, QuietHours

_Place = tuple[Any, ...]


def policy_problems(policy: Policy, stages: set[str] | None) -> Iterator[Wrong]:
    """Yield what cannot be meant. *stages*: those of the life cycle; None: their file is broken."""
    yield from _quiet(policy)
    for number, cap in enumerate(policy.caps):
        if not cap.within:
            yield ("caps", number, "within"), "a window of no length holds nobody back", "Write for example `7 days`."
    if policy.routing:
        yield from _within(("routing",), problems(policy.routing, stages))
    if policy.confirm:
        yield from _within(("confirm",), confirm_problems(policy.confirm))
    yield from _within(("implied",), implied_problems(policy.implied))


def _quiet(policy: Policy) -> Iterator[Wrong]:
    """Quiet hours that are no time at all, or all the time."""
    for number, quiet in enumerate(policy.quiet_hours):
        if quiet.from_ == quiet.to:
            remedy = 'Write two times; over midnight is fine: `from: "20:00", to: "09:00"`.'
            yield ("quiet_hours", number), f"quiet hours from {quiet.from_} to {quiet.to} are no time at all", remedy
    named = {name for quiet in policy.quiet_hours for name in quiet.channels}
    everywhere = [quiet for quiet in policy.quiet_hours if not quiet.channels]
    for channel in [""] if _never(everywhere) else sorted(named):
        rules = [quiet for quiet in policy.quiet_hours if not quiet.channels or channel in quiet.channels]
        if _never(rules):
            last = policy.quiet_hours.index(rules[-1])
            where = f" on `{channel}`" if channel else ""
            yield ("quiet_hours", last), f"it is always quiet{where}", "Leave an hour to write in."


def _within(place: _Place, found: Iterator[Wrong]) -> Iterator[Wrong]:
    return (((*place, *path), message, remedy) for path, message, remedy in found)


def _never(rules: list[QuietHours]) -> bool:
    """Whether the quiet hours leave no minute of the day."""
    spans = [(quiet.from_, quiet.to) for quiet in rules if quiet.from_ < quiet.to]
    for quiet in rules:
        spans += [(quiet.from_, "24:00"), ("00:00", quiet.to)] if quiet.from_ > quiet.to else []
    end = "00:00"
    for first, last in sorted(spans):
        if first > end:
            return False
        end = max(end, last)
    return end == "24:00"
