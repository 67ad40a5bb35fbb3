"""What a person does to a run in the Prefect UI is done to its campaign: there, and nowhere else, it stops messages.

A run that is suspended or cancelled in mid-send would otherwise go on by its helpers, and by `deliver` minutes later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows import artifact
from vinculo import ledger
from vinculo.runtime import Runtime, open_runtime

#: Seconds between two looks at what a person has done to the run.
LOOK = 5.0
#: Seconds that Prefect has for an answer; then we go on with what we know. The client alone would wait for minutes and
#: hold its worker, and a run that is asked to stop has eight.
ANSWER = 5.0
#: How the keys of pauses begin that wait for a person's approval.
APPROVAL = "approval-"


@asynccontextmanager
async def heeded(campaign: str) -> AsyncIterator[None]:
    """The block may plan and send: at its end, however it ends, the campaign is paused if a person stopped the run.

    A run that is cancelled gets its SIGTERM at once, and one that is suspended ends with its next task.
    """
    try:
        yield
    finally:
        if not await look(campaign):
            words = "Whether a person has stopped this run could not be asked of Prefect, or not be kept: if so,"
            get_run_logger().warning("%s `vinculo pause %s` holds", words, campaign)


@asynccontextmanager
async def watched(rt: Runtime, planned: dict[str, Any]) -> AsyncIterator[None]:
    """Within the block the progress bar moves, and once a person has stopped the run, the campaign is paused."""
    campaign = planned["campaign"]
    run = asyncio.current_task()
    assert run

    def pass_on(watch: asyncio.Task[None]) -> None:
        if not watch.cancelled() and isinstance(watch.exception(), TerminationSignal):
            run.cancel()  # Prefect's handler of SIGTERM raises where the process is, which may be in a watch

    watches = [asyncio.create_task(each) for each in (artifact.progress(rt, planned), _heed(campaign))]
    for watch in watches:
        watch.add_done_callback(pass_on)
    try:
        yield
    finally:
        for watch in watches:
            watch.cancel()
    with suppress(TimeoutError):  # the bar's last move; what could not be shown fails no run
        async with asyncio.timeout(ANSWER):
            await asyncio.gather(*watches, return_exceptions=True)


async def _heed(campaign: str) -> None:
    """Look until cancelled. Where Prefect does not answer, it is asked again."""
    while True:
        await asyncio.sleep(LOOK)
        await look(campaign)


async def look(campaign: str) -> bool:
    """Pause the campaign if a person has stopped the run. False: that could not be asked, or kept; it fails no run."""
    if flow_run.id is None:
        return True
    with suppress(Exception):
        async with asyncio.timeout(ANSWER), get_client() as client:
            state = (await client.read_flow_run(flow_run.id)).state
        if state is None or not stopped(state):
            return True
        words = _suspended() if state.is_paused() else f"its run {flow_run.id} was cancelled in Prefect"
        if await asyncio.to_thread(_hold, campaign, words):
            get_run_logger().warning("%s is paused: %s. `vinculo resume %s` lets it go on", campaign, words, campaign)
        return True
    return False


def stopped(state: State[Any]) -> bool:
    """Whether a person has stopped the run that is in *state*. One that waits for approval has stopped itself.

    Prefect itself cancels one that it took for dead and starts again, if another has its place by then: it may live.
    """
    by_itself = (state.message or "").startswith("Deployment concurrency")
    waits = (state.state_details.pause_key or "").startswith(APPROVAL)
    return (state.is_paused() and not waits) or state.is_cancelling() or (state.is_cancelled() and not by_itself)


def _suspended() -> str:
    """Names the run: another one, of the next occurrence, must not take it for its own."""
    return f"its run {flow_run.id} was suspended in Prefect"


def _hold(campaign: str, words: str) -> bool:
    """Pause the campaign; False when it stands still already, whoever said so."""
    with open_runtime(whole=False) as rt, rt.begin() as db:
        if ledger.standing(db, campaign):
            return False
        ledger.pause(db, campaign, rt.now(), words)
        return True


def go_on(rt: Runtime, campaign: str) -> None:
    """Resume the campaign if it was paused because this run was suspended: the run is resumed."""
    with rt.begin() as db:
        ledger.resume(db, campaign, rt.now(), only=_suspended())
