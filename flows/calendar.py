"""One occurrence of a campaign of the calendar. `vinculo apply` makes one deployment of this flow per campaign."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.send import due, send
from vinculo import run
from vinculo.runtime import open_runtime


def run_name() -> str:
    """A name that a person reads: the campaign and when it was due."""
    return f"{flow_run.parameters.get('campaign', '')} {due():%Y-%m-%d %H:%M} UTC"


@flow(name="calendar", flow_run_name=run_name)
async def calendar(campaign: str) -> State[Any]:
    """Send the occurrence of a campaign of the calendar for which this run stands.

    Args:
        campaign: the name of its file in plan/calendar, without `.yaml`.
    """
    with open_runtime(whole=False) as rt:
        definition = run.definition(rt, campaign)
    return await send(definition, due())
