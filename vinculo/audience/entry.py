"""The audience of an occurrence enters the ledger: the one way, for runs and for the plan that is taken back."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from vinculo import ledger, schedule
from vinculo.audience.allocation import allocate
from vinculo.audience.division import divided, divisible
from vinculo.audience.reach import alone
from vinculo.db.tables import contact
from vinculo.db.transaction import given_up
from vinculo.model import Moment, Occurrence
from vinculo.project import Project
from vinculo.project.schema import Campaign
from vinculo.segment import compile_segment, limits


def enter(  # noqa: PLR0913 - what is planned, as of when, for whom
    db: sa.Connection, project: Project, campaign: Campaign, occurrence: Occurrence, now: datetime, *,
    zones: Collection[str], due_now: bool = False, stop: Callable[[], bool] = lambda: False,
) -> int:  # fmt: skip
    """Plan *occurrence* as of *now*: one row for each contact of the segment; return how many there are.

    *zones*: those of our contacts. *due_now* brings the occurrence forward: everybody's message is due at once.
    A campaign that asks for approval, or that is late and says `else: ask`, is held. Raises `UsageError` when a
    segment takes longer than `limits.sql_seconds`; on SQLite, `NotReady` when *stop* says so before all are planned.
    """
    home = project.settings.company.timezone
    due = dict.fromkeys({home, *zones}, now) if due_now else schedule.due(occurrence, zones, home)
    late = min(due.values()) + campaign.late.within < now
    held = campaign.approval == "required" or (late and campaign.late.else_ == "ask")
    moment = Moment(now, occurrence.local.date())
    with given_up(db, stop):
        _bound(db, project, campaign, moment, stop)
    ask = partial(allocate, project, campaign, occurrence, moment, zones=due, lands=lands(db, project))
    with given_up(db, stop):
        if not divisible(db, project, campaign, moment):
            return ledger.plan(db, campaign, occurrence, ask(), now, held=held)
        with closing(divided(db, campaign, ask, partial(ledger.entries, campaign, occurrence))) as allocations:
            return ledger.plan(db, campaign, occurrence, allocations, now, held=held)


def lands(db: sa.Connection, project: Project) -> list[str]:
    """The countries of the contacts without a zone, if they matter: where there are quiet hours, they decide."""
    if not project.policy.quiet_hours:
        return []
    c = contact.c
    homeless = c.timezone == sa.literal_column("''")  # in the words of its index
    return sorted(db.scalars(sa.select(c.country).where(homeless, c.country != "").distinct()))


def _bound(db: sa.Connection, project: Project, campaign: Campaign, moment: Moment, stop: Callable[[], bool]) -> None:
    """Run the segments by themselves first: their time is limited, not that of a million rows of ours.

    One that asks nothing but the contacts' own rows takes no longer than to read them.
    """
    segments = (compile_segment(project.segments, name, moment) for name in (campaign.segment, *campaign.exclude))
    with limits(db, project.settings.limits.sql_seconds, read_only=False, stop=stop):
        for members in segments:
            if not alone(members):
                db.execute(sa.select(sa.func.count()).select_from(members.subquery()))
