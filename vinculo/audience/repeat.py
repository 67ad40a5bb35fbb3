"""Whether an occurrence would be the second of a day: its campaign had another hour or zone, or none, when it was sent.

An occurrence is its day, hour and zone: to the ledger one of another hour is another one, and everybody would have it.
So is what a person sent by hand, which a campaign without `when:` allows once a day.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from pydantic import ValidationError

from vinculo import ledger, schedule
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign

#: What became of the earlier one; else it went out.
_WORDS = {"held": "waits for approval, planned", "open": "is on its way, planned"}


@dataclass(frozen=True, slots=True)
class Repeat:
    """Why an occurrence is not sent. *earlier*: wall clock and zone of the one that the ledger has of that day; "": a
    person sent that one, when the campaign had no `when:`.

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
    begins = schedule.span(one, [home, *zones])[0].astimezone(ZoneInfo(home))

    def had(when: Mapping[str, Any] | None) -> bool:
        """Whether the calendar of then had *one* as well, beside an hour that was taken out since."""
        try:
            then = schedule.When.model_validate(when)
        except ValidationError:  # without one, or as an earlier version wrote it
            return False
        if schedule.alone(then, day):
            return False
        end = begins + timedelta(minutes=1)
        return one in schedule.occurrences(one.campaign, then, default_zone=home, start=begins, end=end, zones=zones)

    sent = ledger.sent_on(db, campaign.name, day)
    first = next((each for each in sent if not had(each.definition.get("when"))), None)
    if first is None or ledger.place(db, campaign.name, one.key):
        return None
    command = f"vinculo run {campaign.name} --at {begins:%Y-%m-%dT%H:%M}"
    what, earlier = f"{campaign.name} {_WORDS.get(first.state, 'went out')}", ""
    if first.definition.get("when") is None:
        what += f" by hand on {day}, before it had a `when:`"
    else:
        clock, _, zone = first.occurrence.partition("T")[2].rstrip("]").partition("[")
        earlier = f"{clock} ({zone})"
        what += f" on {day} at {earlier}, before its hour or zone was changed"
    return Repeat(f"{what}; to send that of {one.local:%H:%M} all the same: `{command}`", earlier, command)


def by_hand(db: sa.Connection, campaign: str, at: datetime, *, home: str) -> Occurrence:
    """The day's occurrence of what a person sends at *at*.

    Where the company had another zone when that was sent, it is the one of that zone: in today's it would be another
    one, and who starts the same run again would write to everybody twice.
    """
    one = Occurrence(campaign, datetime.combine(at.astimezone(ZoneInfo(home)).date(), time()), home)
    today = at.astimezone(UTC).date()  # in no zone is it further than a day from that
    sent = (each for days in (-1, 0, 1) for each in ledger.sent_on(db, campaign, today + timedelta(days)))
    keys = [each.occurrence for each in sent]
    if one.key in keys:
        return one
    for key in keys:
        local, _, zone = key.rstrip("]").partition("[")
        if schedule.known_zone(zone) and local == f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%dT00:00}":
            return Occurrence(campaign, datetime.fromisoformat(local), zone)
    return one
