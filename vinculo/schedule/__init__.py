"""Recurrence → occurrences. Rules run on the wall clock; `instant` says when that is in a zone."""

from vinculo.schedule.occurrence import alone, due, instant, occurrences, span, standing_for
from vinculo.schedule.problem import problems
from vinculo.schedule.trigger import prefect_schedule
from vinculo.schedule.when import When
from vinculo.schedule.words import describe
from vinculo.schedule.zone import countries, zone_of, zone_or
from vinculo.schedule.zone import known as known_zone

__all__ = [
    "When",
    "alone",
    "countries",
    "describe",
    "due",
    "instant",
    "known_zone",
    "occurrences",
    "prefect_schedule",
    "problems",
    "span",
    "standing_for",
    "zone_of",
    "zone_or",
]
