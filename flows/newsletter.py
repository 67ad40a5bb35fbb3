"""A newsletter that a marketer starts from the Prefect UI: Deployments → newsletter → Run."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.form import Form, run_name, send_form


@flow(name="newsletter", flow_run_name=run_name)
async def newsletter(form: Form) -> State[Any]:
    """Send a newsletter to a segment: first as a test, then for real.

    Args:
        form: what to send, to whom, and whether it is a test.
    """
    return await send_form("newsletter", form)
