"""Who gets a message of an occurrence, where and when; and who does not, and why."""

from vinculo.audience.allocation import allocate, verdict
from vinculo.audience.entry import enter

__all__ = ["allocate", "enter", "verdict"]
