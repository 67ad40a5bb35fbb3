"""A promotion that a marketer starts from the Prefect UI: Deployments → promotion → Run."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.form import Form, run_name, send_form


@flow(name="promotion", flow_run_name=run_name)
async def promotion(form: Form) -> State[Any]:
    """Send a promotion to a segment: first as a test, then for real.

    Args:
        form: what to send, to whom, and whether it is a test.
    """
    return await send_form("promotion", form)
