"""Moves every contact along the journeys: enters, waits, sends, leaves."""

from __future__ import annotations

from prefect import flow, task

from vinculo import journey, proof, run
from vinculo.errors import ProjectError
from vinculo.runtime import open_runtime


@task(task_run_name="advance {name}", retries=2, retry_delay_seconds=[5, 30])
def advance(name: str) -> dict[str, int]:
    """Advance one journey by what is due; its messages are planned into the ledger."""
    with open_runtime(whole=False) as rt, rt.begin() as db:
        return dict(journey.advance(db, rt.project, rt.project.journeys[name], rt.now()))


@task(task_run_name="implied consent", retries=2, retry_delay_seconds=[5, 30])
def imply() -> int:
    """Record the consents that policy.yaml sees in what contacts did; how many."""
    with open_runtime(whole=False) as rt, rt.begin() as db:
        return proof.imply(db, rt.project.policy, rt.now())


@flow(name="journeys", flow_run_name="journeys")
async def journeys() -> dict[str, dict[str, int]]:
    """Advance every active journey; the deliver flow sends what they planned. Then say which could not be read."""
    with open_runtime(whole=False) as rt:
        run.require_whole(rt.project)
        names = [name for name, one in rt.project.journeys.items() if one.active]
        wrong = [each for each in rt.project.problems if each.file.startswith("plan/journeys/")]
        implied = bool(rt.project.policy.implied)
    if implied:
        imply.submit().wait()
    futures = {name: advance.submit(name) for name in names}  # a journey that fails stops no other
    moved = {name: future.result() for name, future in futures.items()}
    if wrong:
        raise ProjectError(wrong)
    return moved
