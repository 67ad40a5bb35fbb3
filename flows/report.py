"""Reports on what was sent lately, as artifacts and as HTML files in var/reports."""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from vinculo import report as reports
from vinculo.runtime import open_runtime


@task(task_run_name="report on {campaign}", retries=1)
def write(campaign: str) -> str:
    """Write the campaign's report as a file; return its headline."""
    with open_runtime() as rt, rt.read() as db:
        found = reports.campaign_report(db, campaign)
        language = rt.project.settings.company.language
        reports.publish(found, rt.project.root / "var" / "reports", language=language, now=rt.now())
        return reports.markdown(found, language)


@flow(name="report", flow_run_name="report of {days} days")
async def report(days: int = 7) -> list[str]:
    """Report on every campaign that was sent in the last days.

    Args:
        days: how far to look back.
    """
    with open_runtime() as rt, rt.read() as db:
        names = reports.recent(db, rt.now(), days)
    for name in names:
        await acreate_markdown_artifact(key=f"{name}-report", markdown=write(name), description=name)
    return names
