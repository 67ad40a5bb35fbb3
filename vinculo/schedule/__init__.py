"""Recurrence → occurrences."""

from vinculo.schedule.when import When

__all__ = ["When"]
