"""Whether an occurrence would be its campaign's second of a day, because its hour or its zone was changed meanwhile.

An occurrence is its day, hour and zone: to the ledger one of another hour is another one, and everybody would have it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import ledger, schedule
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign

#: What became of the earlier one; else it went out.
_WORDS = {"held": "waits for approval, planned", "open": "is on its way, planned"}


@dataclass(frozen=True, slots=True)
class Repeat:
    """Why an occurrence is not sent. *earlier*: wall clock and zone of the one that the ledger has of that day.

    *command*: what a person writes who wants it sent all the same.
    """

    words: str
    earlier: str
    command: str


def repeat(
    db: sa.Connection, campaign: Campaign, one: Occurrence, *, home: str, zones: Collection[str]
) -> Repeat | None:
    """Why *one*, of the calendar as it stands now and not planned, is not sent; None: nothing speaks against it.

    Where the calendar has one occurrence that day, whichever other one the ledger has is no more in the calendar.
    """
    day = one.local.date()
    if campaign.when is None or not schedule.alone(campaign.when, day):
        return None
    first = next(iter(ledger.sent_on(db, campaign.name, day)), None)
    if first is None or ledger.place(db, campaign.name, one.key):
        return None
    clock, _, zone = first.occurrence.partition("T")[2].rstrip("]").partition("[")
    begins = schedule.span(one, [home, *zones])[0].astimezone(ZoneInfo(home))
    command = f"vinculo run {campaign.name} --at {begins:%Y-%m-%dT%H:%M}"
    what = f"{campaign.name} {_WORDS.get(first.state, 'went out')} on {day} at {clock} ({zone})"
    changed = f"before its hour or zone was changed; to send that of {one.local:%H:%M} all the same: `{command}`"
    return Repeat(f"{what}, {changed}", f"{clock} ({zone})", command)
