"""Recurrence → occurrences. Rules run on the wall clock; `instant` says when that is in a zone."""

from vinculo.schedule.occurrence import due, instant, occurrences, span, standing_for
from vinculo.schedule.problem import problems
from vinculo.schedule.trigger import prefect_schedule
from vinculo.schedule.when import When
from vinculo.schedule.words import describe
from vinculo.schedule.zone import zone_of, zone_or

__all__ = [
    "When",
    "describe",
    "due",
    "instant",
    "occurrences",
    "prefect_schedule",
    "problems",
    "span",
    "standing_for",
    "zone_of",
    "zone_or",
]
