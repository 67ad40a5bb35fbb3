"""The quiet hours of each place, worked out once a minute: they begin and end with one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from vinculo import audience, contacts
from vinculo.model import Contact
from vinculo.run.needs import Needs
from vinculo.schedule import countries, known_zone


class Quiet:
    """When the quiet hours of one channel end.

    On the clock of the contact's zone; else of each of its country's zones; else of each zone in which a contact lives
    or the company is: the most restrictive, as when it was planned (`audience.hour`).
    """

    def __init__(self, rt: Needs, channel: str) -> None:
        self.hours = bool(audience.quiet_of(rt.project.policy, channel))
        self._rt, self._policy, self._channel = rt, rt.project.policy, channel
        self._asked: datetime | None = None
        self._minute: datetime | None = None
        self._ends: dict[tuple[str, str], datetime | None] = {}
        self._everywhere: Collection[str] = ()

    def until(self, contact: Contact | None, now: datetime) -> datetime | None:
        """When those end that *now* falls into; None: it falls into none."""
        if now is not self._asked:
            self._asked, minute = now, now.replace(second=0, microsecond=0)
            if minute != self._minute:
                self._minute, self._ends = minute, {}
        place = (contact.timezone, contact.country) if contact else ("", "")
        if place not in self._ends:
            self._ends[place] = audience.quiet_until(self._policy, self._channel, self._zones(*place), now)
        return self._ends[place]

    def _zones(self, zone: str, country: str) -> Collection[str]:
        if known_zone(zone):
            return [zone]
        return countries().get(country) or self._anywhere()

    def _anywhere(self) -> Collection[str]:
        if not self._everywhere:
            with self._rt.read() as db:
                lived_in = contacts.zones(db)
            self._everywhere = sorted({*filter(known_zone, lived_in), self._rt.project.settings.company.timezone})
        return self._everywhere
