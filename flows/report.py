"""Reports on what was sent lately, as artifacts and as HTML files in var/reports."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from vinculo import report as reports
from vinculo.runtime import open_runtime


@task(task_run_name="report on {campaign}", retries=1)
def write(campaign: str) -> dict[str, Any]:
    """Write the campaign's report; return its headline figures and its text."""
    with open_runtime() as rt:
        return reports.publish(rt, campaign)


@flow(name="report", flow_run_name="report of {days} days")
async def report(days: int = 7) -> list[str]:
    """Report on every campaign that was sent in the last days.

    Args:
        days: how far to look back.
    """
    with open_runtime() as rt:
        names = reports.recent(rt, days)
    for name in names:
        written = write(name)
        await acreate_markdown_artifact(key=f"{name}-report", markdown=written["markdown"], description=name)
    return names
