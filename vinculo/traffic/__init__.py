"""How fast messages may leave, and when they must stop: rates, daily caps, slow-downs, breakers (docs/traffic.md)."""

from vinculo.traffic.breaker import BOUNCED, COMPLAINED, Setback, count, judge
from vinculo.traffic.gate import Gate
from vinculo.traffic.order import Limit, clear, limits, set_rate
from vinculo.traffic.outlook import Outlook
from vinculo.traffic.rule import Rules

__all__ = [
    "BOUNCED",
    "COMPLAINED",
    "Gate",
    "Limit",
    "Outlook",
    "Rules",
    "Setback",
    "clear",
    "count",
    "judge",
    "limits",
    "set_rate",
]
