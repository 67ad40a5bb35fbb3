"""Whose a Prefect server is: the deployments of two projects would write over one another, and remove one another's.

Which project it is tells its database: folders are the same in every container, and staging has production's files.
"""

from __future__ import annotations

import hashlib
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate

from vinculo.db import instance
from vinculo.errors import UsageError
from vinculo.runtime import Runtime

#: The variable on Prefect's server that says it.
NAME = "vinculo_project"


async def require(client: PrefectClient, rt: Runtime, *, take_over: bool) -> None:
    """Raise `UsageError` when the server is another project's; with *take_over* it is to become ours (`note`)."""
    had = await client.read_variable_by_name(NAME)
    theirs: Any = had.value if had else {}
    if take_over or not theirs or theirs["database"] == _ours(rt)["database"]:
        return
    raise UsageError(
        f"The Prefect server has the deployments of {theirs['company']} ({theirs['folder']}), on another database: "
        "this project's would take their place",
        "Give it a server of its own: prefect.api_url. Only if the other one is this same project, whose database "
        "has moved: `vinculo apply --take-over`.",
    )


async def note(client: PrefectClient, rt: Runtime) -> None:
    """Say on the server that it is ours."""
    ours, had = _ours(rt), await client.read_variable_by_name(NAME)
    if had is None:
        await client.create_variable(VariableCreate(name=NAME, value=ours))
    elif had.value != ours:
        await client.update_variable(VariableUpdate(name=NAME, value=ours))


def _ours(rt: Runtime) -> dict[str, str]:
    with rt.read() as db:
        where = hashlib.sha256(instance.place(db).encode()).hexdigest()[:16]
    return {"database": where, "company": rt.project.settings.company.name, "folder": str(rt.project.root)}
