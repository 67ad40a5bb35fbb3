"""Scores every contact: recency, frequency, value, lifecycle stage, expected purchases."""

from __future__ import annotations

from typing import Any

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from vinculo import scoring
from vinculo.runtime import open_runtime


@task(retries=2, retry_delay_seconds=[10, 60])
def score() -> dict[str, Any]:
    """Score all contacts as of now; return what a person wants to know."""
    with open_runtime() as rt:
        return scoring.run(rt.engine, now=rt.now(), currency=rt.project.settings.company.currency).summary()


@flow(name="scores", flow_run_name="scores")
async def scores() -> dict[str, Any]:
    """Score all contacts and show how many are in each stage."""
    summary = score()
    rows = "\n".join(f"| {stage} | {number:,} |" for stage, number in summary["stages"].items())
    await acreate_markdown_artifact(
        key="scores", markdown=f"| stage | contacts |\n|---|--:|\n{rows}\n", description="Lifecycle stages"
    )
    return summary
