"""Scores every contact: recency, frequency, value, lifecycle stage, expected purchases; brings points up to date."""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from vinculo import loyalty, scoring
from vinculo.runtime import open_runtime


@task(retries=2, retry_delay_seconds=[10, 60])
def score() -> dict[str, int]:
    """Score all contacts as of now; return how many are in each stage."""
    with open_runtime() as rt, rt.begin() as db:
        currency = rt.project.settings.company.currency
        fitted = scoring.run(db, rt.now(), currency)
        if rt.project.loyalty is not None:
            loyalty.earn(db, rt.project.loyalty, rt.now(), currency)
        return dict(fitted.stages)


@flow(name="scores", flow_run_name="scores")
async def scores() -> dict[str, int]:
    """Score all contacts and show how many are in each stage."""
    stages = score()
    rows = "\n".join(f"| {stage} | {number:,} |" for stage, number in stages.items())
    text = f"| stage | contacts |\n|---|--:|\n{rows}\n"
    await acreate_markdown_artifact(key="scores", markdown=text, description="Lifecycle stages")
    return stages
