"""Fetches what came back: mailboxes and the connectors' polls. The SMTP door and webhooks are the web app's."""

from __future__ import annotations

from prefect import flow, task

from vinculo import feedback
from vinculo.runtime import open_runtime


@task(task_run_name="listen at {door}", retries=2, retry_delay_seconds=[5, 30])
def collect(door: str) -> dict[str, int]:
    """Fetch and store the events of one door; return how many of each outcome."""
    with open_runtime(whole=False) as rt:
        return dict(feedback.collect(rt, door))


@flow(name="listen", flow_run_name="listen")
async def listen() -> dict[str, dict[str, int]]:
    """Fetch what came back through every door that has to be asked."""
    with open_runtime(whole=False) as rt:
        doors = feedback.doors(rt)
    futures = {door: collect.submit(door) for door in doors}  # a door that is shut closes no other
    return {door: future.result() for door, future in futures.items()}
