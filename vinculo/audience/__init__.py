"""Who gets a message of an occurrence, where and when; and who does not, and why."""

from vinculo.audience.allocation import allocate, verdict
from vinculo.audience.entry import enter, lands
from vinculo.audience.hour import quiet_of, quiet_until
from vinculo.audience.repeat import Repeat, by_hand, repeat
from vinculo.audience.trace import Trace, trace

__all__ = [
    "Repeat",
    "Trace",
    "allocate",
    "by_hand",
    "enter",
    "lands",
    "quiet_of",
    "quiet_until",
    "repeat",
    "trace",
    "verdict",
]
