"""What Prefect does with a run whose process died: says that it crashed, and starts it again where a worker is free.

Left alone, a run that dies together with its worker stays `Running` for good, and holds its deployment's only slot.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

#: On every deployment of ours; on those that a crash may start again, because the ledger makes that safe.
OURS, SENDS = "vinculo", "send"
#: Seconds between two signs of life of a run. Prefect's own 180 would make a dead one known after nine minutes.
HEARTBEAT = 30
#: In these states a run has no process; those in the second line are our own names.
SILENT = (
    *("Completed", "Failed", "Cancelled", "Cancelling", "Crashed", "Suspended", "Paused", "AwaitingRetry", "Scheduled"),
    *("Skipped", "Tested", "Waiting"),
)
_RUN, _BEAT = "prefect.flow-run.", "prefect.flow-run.heartbeat"


def desired() -> list[AutomationCore]:
    """The automations as they must be."""
    silent = timedelta(seconds=3 * HEARTBEAT)
    crashed = ChangeFlowRunState(state=StateType.CRASHED, message=f"No sign of life for {silent.seconds} s")
    again = ChangeFlowRunState(state=StateType.SCHEDULED, name="AwaitingRetry", message="Its process died")
    return [
        AutomationCore(
            name="A dead run is crashed",
            tags=[OURS],
            trigger=_trigger(OURS, Posture.Proactive, {_BEAT}, {_BEAT, *(_RUN + name for name in SILENT)}, silent),
            actions=[crashed],
        ),
        AutomationCore(
            name="A crashed send starts again",
            tags=[OURS],
            # Only after a sign of life: what dies before, because its code cannot be loaded, would start for ever.
            trigger=_trigger(SENDS, Posture.Reactive, {_BEAT, f"{_RUN}Running"}, {f"{_RUN}Crashed"}, timedelta(days=1)),
            actions=[again],
        ),
    ]


def _trigger(tag: str, posture: Posture, after: set[str], expect: set[str], within: timedelta) -> EventTrigger:
    return EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": f"{_RUN}*"}),
        # Without the filter Prefect's server looks at every run of everybody: on SQLite it became 14 times slower.
        match_related=ResourceSpecification(
            {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag}"}
        ),
        for_each={"prefect.resource.id"},
        posture=posture,
        after=after,
        expect=expect,
        within=within,
        threshold=1,
    )


async def existing(client: PrefectClient) -> dict[str, Automation]:
    """Those that we made."""
    return {one.name: one for one in await client.read_automations() if OURS in one.tags}


def differs(want: AutomationCore, have: Automation) -> bool:
    """Whether somebody changed it, or we did."""
    return _plain(want) != _plain(have)


def _plain(automation: AutomationCore) -> dict[str, Any]:
    return automation.model_dump(include={"name", "description", "tags", "enabled", "trigger", "actions"})


async def write(client: PrefectClient, want: AutomationCore, have: Automation | None) -> None:
    """Create or update it."""
    if have is None:
        await client.create_automation(want)
    else:
        # Whole, but for what a server of one's own does not take.
        whole = AutomationCore.model_validate(want.model_dump(exclude={"owner_resource"}))
        await client.update_automation(have.id, whole)
