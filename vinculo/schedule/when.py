"""The shape of `when:` in a campaign's file."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from vinculo.fields import Strict


class When(Strict):
    """When a campaign occurs: exactly one of `every`, `rrule`, `cron`, `on`."""

    every: str | None = Field(None, examples=["day", "weekday", "tuesday", "monday, thursday", "month on 1"])
    rrule: str | None = Field(None, examples=["FREQ=MONTHLY;BYDAY=1TU"])
    cron: str | None = Field(None, examples=["0 9 * * 2"])
    on: date | list[date] | None = None
    at: str = Field("09:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    #: An IANA zone, or `contact` for each contact's own; default: the company's zone.
    timezone: str = ""
    from_: date | None = Field(None, alias="from")
    until: date | None = None
