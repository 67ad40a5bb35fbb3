"""Makes Prefect's deployments equal to the calendar: adds, changes, prunes, and reads back what differs.

Run by `vinculo apply` as `python -m flows.apply`, with its options. What the calendar says goes on the deployment,
never on its schedule: switching a schedule in the UI wipes a schedule's parameters.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import suppress
from typing import Any, NamedTuple

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule, RRuleSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema

from flows import automations, owner
from flows.calendar import calendar
from vinculo import contacts, schedule
from vinculo.cli.output import report_error
from vinculo.errors import NotReady, VinculoError
from vinculo.project.schema import Campaign
from vinculo.runtime import Runtime, open_runtime

POOL, TAG, SLUG = "vinculo", "calendar", "main"
ENTRYPOINT = "flows.calendar.calendar"


class Change(NamedTuple):
    """What applying does, or did, to one deployment."""

    action: str  # add | change | remove | keep
    name: str
    what: str = ""


def desired(rt: Runtime, campaign: Campaign, zones: frozenset[str]) -> dict[str, Any]:
    """What the deployment of *campaign* must look like, as plain data."""
    home = rt.project.settings.company.timezone
    when = campaign.when and schedule.prefect_schedule(campaign.when, default_zone=home, zones=zones)
    return {
        "description": campaign.description,
        "parameters": {"campaign": campaign.name},
        "tags": sorted({TAG, automations.OURS, automations.SENDS, campaign.kind.value}),
        "entrypoint": ENTRYPOINT,
        "pull_steps": [{"prefect.deployments.steps.set_working_directory": {"directory": str(rt.project.root)}}],
        "work_pool_name": POOL,
        "job_variables": {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(automations.HEARTBEAT)}},
        "schedules": [dict(when) | {"slug": SLUG, "active": campaign.active, "parameters": {}}] if when else [],
        "concurrency": [1, "CANCEL_NEW"],
    }


def actual(found: DeploymentResponse) -> dict[str, Any]:
    """What Prefect has, in the same plain data."""
    limit, options = found.global_concurrency_limit, found.concurrency_options
    return {
        "description": found.description or "",
        "parameters": found.parameters,
        "tags": sorted(found.tags),
        "entrypoint": found.entrypoint,
        "pull_steps": found.pull_steps,
        "work_pool_name": found.work_pool_name,
        "job_variables": found.job_variables or {},
        "schedules": [
            one.schedule.model_dump(include={"cron", "rrule", "timezone"}, exclude_none=True)
            | {"slug": one.slug, "active": one.active, "parameters": one.parameters or {}}
            for one in found.schedules
        ],
        "concurrency": [limit.limit if limit else None, options.collision_strategy.value if options else None],
    }


def differs(want: dict[str, Any], have: dict[str, Any]) -> str:
    """Name what is not as it must be."""
    return ", ".join(key.replace("_", " ") for key in want if want[key] != have[key])


async def write(client: PrefectClient, name: str, want: dict[str, Any]) -> None:
    """Create or update the deployment."""
    schedules = []
    for one in want["schedules"]:
        timing = (
            CronSchedule(cron=one["cron"], timezone=one["timezone"])
            if "cron" in one
            else RRuleSchedule(rrule=one["rrule"], timezone=one["timezone"])
        )
        schedules.append(DeploymentScheduleCreate(schedule=timing, active=one["active"], slug=one["slug"]))
    limit, strategy = want["concurrency"]
    await client.create_deployment(
        flow_id=await client.create_flow(calendar),
        name=name,
        schedules=schedules,
        concurrency_limit=limit,
        concurrency_options=ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(strategy)),
        parameter_openapi_schema=parameter_schema(calendar).model_dump(),
        enforce_parameter_schema=True,
        paused=False,
        **{key: want[key] for key in want.keys() - {"schedules", "concurrency"}},
    )


async def deployed(client: PrefectClient) -> dict[str, DeploymentResponse]:
    """The deployments that came from the calendar, page by page."""
    ours, page = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG, automations.OURS])), 200
    found: list[DeploymentResponse] = []
    while len(found) % page == 0:
        more = await client.read_deployments(deployment_filter=ours, limit=page, offset=len(found))
        found += more
        if not more:
            break
    return {one.name: one for one in found}


async def apply(rt: Runtime, *, dry_run: bool, take_over: bool = False) -> list[Change]:
    """Make the deployments equal to the calendar; with *dry_run* only say what would be done.

    *take_over*: also where they are another project's.
    """
    with rt.read() as db:
        zones = frozenset(contacts.zones(db))
    wanted = {name: desired(rt, campaign, zones) for name, campaign in rt.project.campaigns.items()}
    async with get_client() as client:
        found = await deployed(client)
        await owner.require(client, rt, found, take_over=take_over)
        changes = [plan(name, want, found.get(name)) for name, want in sorted(wanted.items())]
        changes += [Change("remove", name) for name in sorted(set(found) - set(wanted))]
        if not dry_run:
            await owner.note(client, rt)
            await carry_out(client, changes, wanted, found)
            await read_back(client, wanted)
        return changes + await automate(client, dry_run=dry_run)


async def automate(client: PrefectClient, *, dry_run: bool) -> list[Change]:
    """Make what Prefect does with dead runs as it must be."""
    wanted, found = {one.name: one for one in automations.desired()}, await automations.existing(client)
    changes = [Change("remove", name) for name in sorted(found.keys() - wanted.keys())]
    for name, want in wanted.items():
        have = found.get(name)
        action = "add" if have is None else "change" if automations.differs(want, have) else "keep"
        changes.append(Change(action, name))
        if not dry_run and action != "keep":
            await automations.write(client, want, have)
    for change in () if dry_run else changes:
        if change.action == "remove":
            await client.delete_automation(found[change.name].id)
    return changes


def plan(name: str, want: dict[str, Any], have: DeploymentResponse | None) -> Change:
    """Decide what to do with one deployment."""
    if have is None:
        return Change("add", name)
    difference = differs(want, actual(have))
    return Change("change", name, difference) if difference else Change("keep", name)


async def carry_out(
    client: PrefectClient, changes: list[Change], wanted: dict[str, Any], found: dict[str, DeploymentResponse]
) -> None:
    """Do what was decided."""
    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        with suppress(ObjectAlreadyExists):  # made by somebody else, or by our own request that was repeated
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
    for change in changes:
        if change.action == "remove":
            await client.delete_deployment(found[change.name].id)
        elif change.action != "keep":
            await write(client, change.name, wanted[change.name])


async def read_back(client: PrefectClient, wanted: dict[str, Any]) -> None:
    """Raise when Prefect does not hold what was written: a schedule that is not there fires nothing."""
    found = await deployed(client)
    wrong = {name: differs(want, actual(found[name])) if name in found else "absent" for name, want in wanted.items()}
    wrong = {name: difference for name, difference in wrong.items() if difference}
    if wrong:
        raise VinculoError(f"Prefect does not hold what was applied: {wrong}", "Run `vinculo apply` again.")


def main() -> int:
    """Apply, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="vinculo apply")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("--take-over", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        with open_runtime() as rt:
            changes = asyncio.run(apply(rt, dry_run=options.dry_run, take_over=options.take_over))
    except VinculoError as error:
        report_error(error)
        return error.exit_code
    except (httpx.HTTPError, RuntimeError) as error:  # Prefect's client wraps a refused connection in RuntimeError
        report_error(
            NotReady(f"Prefect does not answer: {error}", "Start it with `vinculo up`, or mend prefect.api_url.")
        )
        return NotReady.exit_code
    if options.json:
        print(json.dumps([change._asdict() for change in changes]))
    for change in () if options.json else changes:
        print(f"{change.action:7} {change.name}" + (f" ({change.what})" if change.what else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
