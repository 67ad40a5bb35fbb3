"""The one path of every campaign: plan → approve → deliver → conclude. `calendar`, `newsletter`, `promotion` call it.

Prefect's state never decides whether something was sent: every task may run again, the ledger hands out each
delivery once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any, Literal, cast

from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.deployments import arun_deployment
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed
from pydantic import Field

from flows import artifact
from flows.steering import APPROVAL, go_on, heeded, look, watched
from flows.workers import ended_early, patient, pool, until_asked
from vinculo import run
from vinculo.errors import NotReady
from vinculo.project import Settings
from vinculo.runtime import Runtime, open_runtime

DAY = 86_400
#: So often may one run begin: a crash starts it again, and what crashes it may be no delivery, of which the ledger
#: puts one aside that killed three workers.
STARTS = 6


def run_name() -> str:
    """What a run of the deployment `deliver` or `help` is called."""
    return f"deliver {flow_run.parameters.get('campaign') or 'what is due'}"


def due() -> datetime:
    """When this run was meant to start: the same again after a retry or a resumption.

    Prefect gives a datetime of its own make, whose arithmetic differs: the engine gets Python's.
    """
    meant = flow_run.scheduled_start_time
    return datetime.fromtimestamp(meant.timestamp(), UTC) if meant else datetime.now(UTC)


class Approval(RunInput):
    """What the person who approves is asked for in the Prefect UI."""

    decision: Literal["approve", "reject"] = Field("reject", title="Decision")
    approver: str = Field("", title="Your name", description="Kept with the occurrence.")


@task(task_run_name="plan {definition[name]}", retries=2, retry_delay_seconds=[5, 30], retry_condition_fn=patient)
def plan(definition: dict[str, Any], at: datetime, *, adhoc: bool) -> dict[str, Any]:
    """Plan the occurrence that *at* stands for into the ledger; say what became of the audience."""
    with open_runtime(whole=False) as rt:
        return run.start(rt, definition, at, adhoc=adhoc, stop=lambda: not patient())


@task(task_run_name="deliver {campaign} #{number}", retries=2, retry_delay_seconds=[5, 20], retry_jitter_factor=0.5)
def deliver(campaign: str, occurrence: str, number: int) -> dict[str, int]:
    """Drain the ledger by leases until nothing due is left. Fails, visibly, when a provider works for nobody."""
    with until_asked() as stop, open_runtime(whole=False) as rt:
        worker = f"{flow_run.id or 'local'}/{flow_run.run_count or 1}/{number}/{task_run.run_count or 1}"
        return dict(run.drain(rt, worker=worker, campaign=campaign, occurrence=occurrence, stop=stop))


@task(task_run_name="conclude {campaign}")
def conclude(campaign: str, occurrence: str) -> dict[str, Any]:
    """Mark the occurrence finished if nothing of it is open; return its states and what it waits for."""
    with open_runtime(whole=False) as rt:
        return run.conclude(rt, campaign, occurrence)


async def send(definition: dict[str, Any], at: datetime, *, adhoc: bool = False) -> State[Any]:
    """Send the occurrence of the campaign *definition* that *at* stands for."""
    _count_starts()
    async with heeded(definition["name"]):
        # In a thread: SIGTERM raises in the main one, and from within a query SQLite would let nobody hear of it.
        with ended_early():
            planned = await asyncio.to_thread(plan, definition, at, adhoc=adhoc)
        if not planned["occurrence"]:
            return Completed(name="Skipped", message=planned["reason"])
        name, key = planned["campaign"], planned["occurrence"]
        await artifact.funnel(planned)
        with open_runtime(whole=False) as rt:
            go_on(rt, name)
            if planned["held"] and not await _approved(planned):
                return Cancelled(message=f"{key} was not approved; nobody was written to")
            await look(name)  # whoever stops it while it is planned is heard before anything leaves
            await _watched(rt, planned)
        result = conclude(name, key)
        await artifact.results(planned, result)
    return Completed(name=None if result["finished"] else "Waiting", message=result["words"], data=result["states"])


def _count_starts() -> None:
    """Fail a run that was started too often."""
    if (flow_run.run_count or 1) > STARTS:
        raise NotReady(f"This run was started {STARTS} times", "What is not sent waits in the ledger for `deliver`.")


async def _approved(planned: dict[str, Any]) -> bool:
    """Let the process end until a person has decided; afterwards the flow starts again from its top."""
    ask = Approval.with_initial_data(description=artifact.approval_words(planned))
    asked = suspend_flow_run(wait_for_input=ask, timeout=7 * DAY, key=f"{APPROVAL}{planned['slug']}")
    answer = await cast("Awaitable[Approval]", asked)
    with open_runtime(whole=False) as rt:
        return run.decide(rt, planned["campaign"], planned["occurrence"], answer.decision == "approve", answer.approver)


async def _watched(rt: Runtime, planned: dict[str, Any]) -> None:
    """Deliver, while the progress bar moves and what a person does to the run is heeded."""
    settings, name, key = rt.project.settings, planned["campaign"], planned["occurrence"]
    async with watched(rt, planned):
        await _call_helpers(settings.prefect.runs, name, key)
        await drain(settings, name, key)


async def drain(settings: Settings, campaign: str, occurrence: str) -> list[dict[str, int]]:
    """Deliver what is due with as many workers as the settings say; return what each did, or raise what failed."""
    numbers = range(1, settings.limits.workers + 1)

    def work() -> list[dict[str, int]]:
        with pool(settings.prefect, len(numbers)) as workers:
            tasks = [{"campaign": campaign, "occurrence": occurrence, "number": number} for number in numbers]
            futures = [workers.submit(deliver, each) for each in tasks]
            for future in futures:  # who fails early takes nobody along
                future.wait()
            return [future.result() for future in futures]

    with ended_early():
        return await asyncio.to_thread(work)


async def _call_helpers(runs: int, campaign: str, occurrence: str) -> None:
    """Start a run for each further slot of the work pool. One for which there is none comes too late, and harms not."""
    for number in range(1, runs):
        key = f"{flow_run.id}/{flow_run.run_count}/{number}"
        task = {"campaign": campaign, "occurrence": occurrence}
        await arun_deployment("deliver/help", parameters=task, timeout=0, as_subflow=False, idempotency_key=key)


@flow(name="deliver", flow_run_name=run_name)
async def deliver_due(campaign: str = "", occurrence: str = "") -> dict[str, int]:
    """Send what is due: retries after a deferral, later time zones, shares of dead workers; or help with one send.

    Args:
        campaign: only of this campaign.
        occurrence: only of this occurrence.
    """
    _count_starts()
    with open_runtime(whole=False) as rt:
        try:
            outcomes = await drain(rt.project.settings, campaign, occurrence)
        finally:  # a provider that is down keeps no other campaign open
            run.conclude_open(rt)
    return {word: sum(outcome.get(word, 0) for outcome in outcomes) for word in {w for o in outcomes for w in o}}
