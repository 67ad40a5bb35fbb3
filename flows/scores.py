"""Scores every contact: recency, frequency, value, engagement, stage, what to expect; brings points up to date."""

from __future__ import annotations

from prefect import flow, task
from prefect.artifacts import acreate_markdown_artifact

from vinculo import loyalty, scoring
from vinculo.runtime import open_runtime


@task(retries=2, retry_delay_seconds=[10, 60])
def prepare() -> list[tuple[int, int]]:
    """Find out what must be known of everybody; return the batches, each from one contact's id to another's."""
    with open_runtime() as rt, rt.begin() as db:
        scoring.keep(db, scoring.prepare(db, rt.now(), scoring.Rules.of(rt.project)))
        return [(span.first, span.last) for span in scoring.spans(db)]


@task(task_run_name="score {first}-{last}", retries=2, retry_delay_seconds=[10, 60])
def score(first: int, last: int) -> tuple[int, int]:
    """Score a batch of contacts; return how many moved to another stage, and how many changed at all."""
    with open_runtime() as rt, rt.begin() as db:
        moves = scoring.score_span(db, scoring.kept(db), scoring.Rules.of(rt.project), scoring.Span(first, last))
        return moves.moved, moves.changed


@task(retries=2, retry_delay_seconds=[10, 60])
def conclude(moved: int, changed: int) -> str:
    """Bring the points up to date; return what was found, as Markdown."""
    with open_runtime() as rt, rt.begin() as db:
        rules, points = scoring.Rules.of(rt.project), rt.project.loyalty
        if points is not None:
            loyalty.earn(db, points, rt.now(), rules.currency)
        return scoring.conclude(db, scoring.kept(db), rules, scoring.Moves(moved, changed)).markdown


@flow(name="scores", flow_run_name="scores")
async def scores() -> None:
    """Score all contacts, batch by batch, and show how many are in each stage."""
    done = [score(*batch) for batch in prepare()]
    found = conclude(sum(moved for moved, _ in done), sum(changed for _, changed in done))
    await acreate_markdown_artifact(key="scores", markdown=found, description="Lifecycle stages")
