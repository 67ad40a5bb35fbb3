"""The quiet hours of each zone, worked out once a minute: they begin and end with one."""

from __future__ import annotations

from datetime import datetime

from vinculo import audience
from vinculo.project import Project
from vinculo.schedule import zone_or


class Quiet:
    """When the quiet hours of one channel end. *zone* is the contact's; empty or unknown, it is the company's."""

    def __init__(self, project: Project, channel: str) -> None:
        self.hours = bool(project.policy.quiet_hours)
        self._policy, self._home, self._channel = project.policy, project.settings.company.timezone, channel
        self._asked: datetime | None = None
        self._minute: datetime | None = None
        self._ends: dict[str, datetime | None] = {}

    def until(self, zone: str, now: datetime) -> datetime | None:
        """When those end that *now* falls into; None: it falls into none."""
        if now is not self._asked:
            self._asked, minute = now, now.replace(second=0, microsecond=0)
            if minute != self._minute:
                self._minute, self._ends = minute, {}
        if zone not in self._ends:
            self._ends[zone] = audience.quiet_until(self._policy, self._channel, zone_or(zone, self._home), now)
        return self._ends[zone]
