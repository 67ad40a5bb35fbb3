"""A million contacts and twenty million events, or any smaller crowd, from a seed, kept for every bench that asks.

`python -m bench.crowd --contacts 100000 --events 2000000 --database postgresql` makes one by hand.
"""

from bench.crowd.calendar import NOW
from bench.crowd.store import FOLDER, Crowd, crowd

__all__ = ["FOLDER", "NOW", "Crowd", "crowd"]
