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
from prefect.flow_runs import suspend_flow_run
from prefect.futures import PrefectFuture
from prefect.input import RunInput
from prefect.runtime import flow_run, task_run
from prefect.states import Cancelled, Completed
from pydantic import Field

from flows import artifact
from vinculo import run
from vinculo.runtime import open_runtime

DAY = 86_400


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


@task(task_run_name="plan {definition[name]}", retries=2, retry_delay_seconds=[5, 30])
def plan(definition: dict[str, Any], at: datetime, *, adhoc: bool) -> dict[str, Any]:
    """Plan the occurrence that *at* stands for into the ledger; say what became of the audience."""
    with open_runtime() as rt:
        return run.start(rt, definition, at, adhoc=adhoc)


@task(task_run_name="deliver {campaign} #{number}", retries=2, retry_delay_seconds=[5, 20], retry_jitter_factor=0.5)
def deliver(campaign: str, occurrence: str, number: int) -> dict[str, int]:
    """Drain the ledger by leases until nothing due is left. Fails, visibly, when a provider works for nobody."""
    with open_runtime() as rt:
        worker = f"{flow_run.id or 'local'}/{number}/{task_run.run_count or 1}"
        return dict(run.drain(rt, worker=worker, campaign=campaign, occurrence=occurrence))


@task(task_run_name="conclude {campaign}")
def conclude(campaign: str, occurrence: str) -> dict[str, Any]:
    """Mark the occurrence finished if nothing of it is open; return its states and what it waits for."""
    with open_runtime() as rt:
        return run.conclude(rt, campaign, occurrence)


async def send(definition: dict[str, Any], at: datetime, *, adhoc: bool = False) -> State[Any]:
    """Send the occurrence of the campaign *definition* that *at* stands for."""
    planned = plan(definition, at, adhoc=adhoc)
    if not planned["occurrence"]:
        return Completed(name="Skipped", message=planned["reason"])
    name, key = planned["campaign"], planned["occurrence"]
    await artifact.funnel(planned)
    if planned["held"] and not await _approved(planned):
        return Cancelled(message=f"{key} was not approved; nobody was written to")
    numbers = range(1, planned["workers"] + 1)
    await _watched(name, key, [deliver.submit(name, key, number) for number in numbers])
    result = conclude(name, key)
    await artifact.results(planned, result)
    return Completed(name=None if result["finished"] else "Waiting", message=result["words"], data=result["states"])


async def _approved(planned: dict[str, Any]) -> bool:
    """Let the process end until a person has decided; afterwards the flow starts again from its top."""
    ask = Approval.with_initial_data(description=artifact.approval_words(planned))
    asked = suspend_flow_run(wait_for_input=ask, timeout=7 * DAY, key=f"approval-{planned['slug']}")
    answer = await cast("Awaitable[Approval]", asked)
    with open_runtime() as rt:
        return run.decide(rt, planned["campaign"], planned["occurrence"], answer.decision == "approve", answer.approver)


async def _watched(campaign: str, occurrence: str, deliveries: list[PrefectFuture[dict[str, int]]]) -> None:
    """Wait for all deliveries while the progress bar moves; then raise what failed."""
    watch = asyncio.create_task(artifact.progress(campaign, occurrence))
    try:
        await asyncio.to_thread(lambda: [future.result() for future in deliveries])
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)  # a bar that could not be moved fails no run


@flow(name="deliver", flow_run_name="deliver what is due")
async def deliver_due() -> dict[str, int]:
    """Send whatever is due of any campaign: retries after a deferral, later time zones, shares of dead workers."""
    with open_runtime() as rt:
        number = rt.project.settings.limits.workers
    futures = [deliver.submit("", "", n) for n in range(1, number + 1)]
    try:
        outcomes = await asyncio.to_thread(lambda: [future.result() for future in futures])
    finally:  # a provider that is down keeps no other campaign open
        with open_runtime() as rt:
            run.conclude_open(rt)
    return {word: sum(outcome.get(word, 0) for outcome in outcomes) for word in {w for o in outcomes for w in o}}
