"""Who moves to which step: journeys that each contact walks at its own pace.

A step is a delivery like any other: its campaign is `journey-NAME-STEP`, its occurrence the day on which the contact
entered. So consent, caps and the ledger's promise hold for journeys too, and a contact gets each step once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo import audience, ledger
from vinculo.db.tables import contact
from vinculo.db.tables import journey as walk
from vinculo.model import Moment, Occurrence
from vinculo.project import Project
from vinculo.project.schema import Campaign, Journey, Step
from vinculo.segment import compile_segment

WALKING, DONE, LEFT = "walking", "done", "left"


def advance(db: sa.Connection, project: Project, journey: Journey, now: datetime) -> Counter[str]:
    """Let contacts enter, leave and take their next step; return how many did which. Safe to repeat."""
    ledger.plan_alone(db)
    home = ZoneInfo(project.settings.company.timezone)
    moment = Moment(now, now.astimezone(home).date())
    total = Counter(entered=_enter(db, project, journey, moment, home), left=_leave(db, project, journey, moment))
    # Last step first: a contact takes one step at a time, however late we are.
    for number in reversed(range(len(journey.steps))):
        for entered_at in _cohorts(db, journey, number, now):
            total["planned"] += _step(db, project, journey, number, entered_at, moment)
    return total


def _enter(db: sa.Connection, project: Project, journey: Journey, moment: Moment, home: ZoneInfo) -> int:
    """Let the contacts of the segment in who have not walked it, or not for `again`, and would not leave at once.

    The day of entry is the cohort.
    """
    entered_at = datetime.combine(moment.today, time(), home)
    members = compile_segment(project.segments, journey.segment, moment).subquery()
    before = sa.select(walk.c.contact_id).where(walk.c.name == journey.name)
    if journey.again is not None:
        before = before.where(sa.or_(walk.c.state == WALKING, walk.c.entered_at > entered_at - journey.again))
    newcomers = sa.select(
        sa.literal(journey.name),
        members.c.contact_id,
        sa.literal(entered_at, walk.c.entered_at.type),
        sa.literal(0),
        sa.literal(moment.now + journey.steps[0].after, walk.c.next_at.type),
        sa.literal(WALKING),
    ).where(members.c.contact_id.not_in(before))
    if journey.leave:
        gone = compile_segment(project.segments, journey.leave, moment)
        newcomers = newcomers.where(members.c.contact_id.not_in(gone))
    columns = ["name", "contact_id", "entered_at", "step", "next_at", "state"]
    statement = sa.insert(walk).from_select(columns, newcomers)
    return db.execute(statement, execution_options={"preserve_rowcount": True}).rowcount


def _leave(db: sa.Connection, project: Project, journey: Journey, moment: Moment) -> int:
    """Take those out who now belong to the segment `leave`: they have what the journey wanted, or were erased."""
    gone: sa.ColumnElement[bool] = walk.c.contact_id.in_(
        sa.select(contact.c.id).where(contact.c.erased_at.is_not(None))
    )
    if journey.leave:
        gone = sa.or_(gone, walk.c.contact_id.in_(compile_segment(project.segments, journey.leave, moment)))
    mine = sa.and_(walk.c.name == journey.name, walk.c.state == WALKING, gone)
    return db.execute(sa.update(walk).where(mine).values(state=LEFT, next_at=None)).rowcount


def _due(journey: Journey, number: int, now: datetime) -> list[sa.ColumnElement[bool]]:
    return [walk.c.name == journey.name, walk.c.state == WALKING, walk.c.step == number, walk.c.next_at <= now]


def _cohorts(db: sa.Connection, journey: Journey, number: int, now: datetime) -> list[datetime]:
    found = sa.select(walk.c.entered_at).where(*_due(journey, number, now)).distinct().order_by(walk.c.entered_at)
    return list(db.scalars(found))


def _step(
    db: sa.Connection, project: Project, journey: Journey, number: int, entered_at: datetime, moment: Moment
) -> int:
    """Plan one step's messages for one cohort, and move the cohort on."""
    step = journey.steps[number]
    zone = project.settings.company.timezone
    local = entered_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    occurrence = Occurrence(_campaign_name(journey, step), local, zone)
    cohort = sa.select(walk.c.contact_id).where(*_due(journey, number, moment.now), walk.c.entered_at == entered_at)
    allocation = audience.allocate(
        project,
        campaign(journey, step),
        occurrence,
        moment,
        zones=_zones(db, zone, moment.now),
        lands=audience.lands(db, project),
        members=_members(project, step, cohort, moment),
    )
    planned = ledger.plan(db, campaign(journey, step), occurrence, allocation, moment.now, joining=True)
    _move_on(db, journey, number, entered_at, moment.now)
    return planned


def _members(project: Project, step: Step, cohort: sa.Select[tuple[int]], moment: Moment) -> sa.Select[tuple[int]]:
    """The cohort, or those of it who belong to the step's segment `only`."""
    if step.only is None:
        return cohort
    only = compile_segment(project.segments, step.only, moment)
    return cohort.where(walk.c.contact_id.in_(only))


def _move_on(db: sa.Connection, journey: Journey, number: int, entered_at: datetime, now: datetime) -> None:
    last = number + 1 == len(journey.steps)
    after = timedelta(0) if last else journey.steps[number + 1].after
    values: Mapping[str, object] = {
        "step": number + 1,
        "state": DONE if last else WALKING,
        "next_at": None if last else now + after,
    }
    mine = sa.and_(*_due(journey, number, now), walk.c.entered_at == entered_at)
    db.execute(sa.update(walk).where(mine).values(**values))


def _campaign_name(journey: Journey, step: Step) -> str:
    return f"journey-{journey.name}-{step.name}"


def campaign(journey: Journey, step: Step) -> Campaign:
    """The campaign that a step is, for the ledger, the renderer and reports."""
    return Campaign(
        name=_campaign_name(journey, step),
        kind=journey.kind,
        description=journey.description,
        segment=journey.segment,
        topic=journey.topic,
        channels=journey.channels,
        template=step.template,
    )


def _zones(db: sa.Connection, home: str, due: datetime) -> dict[str, datetime]:
    found = db.scalars(sa.select(contact.c.timezone).distinct())
    return dict.fromkeys({home, *found}, due)
