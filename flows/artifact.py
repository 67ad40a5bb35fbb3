"""What ops see of a run: the audience funnel, progress, results, links. Numbers and names of files, never contacts."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)

from vinculo import report, run
from vinculo.runtime import Runtime, open_runtime


async def funnel(planned: dict[str, Any]) -> None:
    """Segment → consented → reachable → to be sent, with the reasons of those left out."""
    await acreate_table_artifact(
        key=f"{planned['slug']}-audience",
        table=planned["funnel"],
        description=f"Audience of **{planned['campaign']}**, occurrence {planned['occurrence']}",
    )


async def results(planned: dict[str, Any], result: dict[str, Any]) -> None:
    """Segment → consented → reachable → sent → failed, the ledger's states with reasons, and where to read more."""
    funnel = await asyncio.to_thread(_funnel, planned["campaign"], planned["occurrence"])
    steps = "\n".join(f"| {step} | {number:,} |" for step, number in funnel.items())
    rows = "\n".join(f"| {state} | {reason or '–'} | {number:,} |" for state, reason, number in result["rows"])
    await acreate_markdown_artifact(
        key=f"{planned['slug']}-results",
        markdown=f"## {planned['campaign']} {planned['occurrence']}\n\n{result['words']}\n\n"
        f"| audience | contacts |\n|---|--:|\n{steps}\n\n"
        f"| state | reason | deliveries |\n|---|---|--:|\n{rows}\n",
        description="What the ledger says",
    )
    await acreate_link_artifact(
        key=f"{planned['slug']}-report",
        link=f"{planned['web_url']}/campaigns/{planned['campaign']}",
        link_text="Report",
    )


async def progress(rt: Runtime, planned: dict[str, Any]) -> None:
    """Move a progress bar until cancelled, and once more then. Ever more seldom: each look counts what is open."""
    campaign, occurrence, contacts = planned["campaign"], planned["occurrence"], planned["contacts"]
    bar = await acreate_progress_artifact(progress=0.0, description=f"{campaign} {occurrence}")

    async def move() -> None:
        share = await asyncio.to_thread(run.share_done, rt, campaign, occurrence, contacts)
        await aupdate_progress_artifact(bar, progress=share * 100)

    try:
        for look in count():
            await asyncio.sleep(min(2 * 3**look, 30))
            await move()
    finally:
        await move()


def _funnel(campaign: str, occurrence: str) -> dict[str, int]:
    with open_runtime(whole=False) as rt, rt.read() as db:
        return dict(report.campaign_report(db, campaign, occurrence).funnel)


def approval_words(planned: dict[str, Any]) -> str:
    """The question put to the person who approves."""
    rows = "\n".join(f"| {row['step']} | {row['contacts']:,} |" for row in planned["funnel"])
    return (
        f"### Send **{planned['campaign']}**, {planned['occurrence']}?\n\n| step | contacts |\n|---|--:|\n{rows}\n\n"
        f"[See the plan]({planned['web_url']}/plan)"
    )
