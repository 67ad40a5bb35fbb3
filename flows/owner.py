"""Whose a Prefect server is: the deployments of two projects would write over one another, and remove one another's.

Which project it is tells its database: folders are the same in every container, and staging has production's files. A
copy of the database has its number and lies elsewhere; that of another container may lie as ours does, with another
number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.client.schemas.responses import DeploymentResponse

from vinculo.db import instance
from vinculo.errors import UsageError
from vinculo.runtime import Runtime

#: The variable on Prefect's server that says it.
NAME = "vinculo_project"


async def require(
    client: PrefectClient, rt: Runtime, found: Mapping[str, DeploymentResponse], *, take_over: bool
) -> None:
    """Raise `UsageError` when the server is another project's; with *take_over* it is to become ours (`note`).

    *found*: the deployments of a calendar that it has, which tell it where nothing is noted.
    """
    had = await client.read_variable_by_name(NAME)
    theirs: Any = had.value if had else None
    whose = _noted(theirs, _ours(rt)) if isinstance(theirs, dict) else _seen(rt, found.values())
    if whose and not take_over:
        raise UsageError(
            f"The Prefect server has the deployments of {whose}: this project's would take their place",
            "Give it a server of its own: prefect.api_url. Only if the other one is this same project, whose database "
            "or folder has moved: `vinculo apply --take-over`.",
        )


async def note(client: PrefectClient, rt: Runtime) -> None:
    """Say on the server that it is ours."""
    with rt.read() as db:
        known = instance.number(db)
    if not known:
        with rt.begin() as db:
            instance.give_number(db)
    ours, had = _ours(rt), await client.read_variable_by_name(NAME)
    if had is None:
        await client.create_variable(VariableCreate(name=NAME, value=ours))
    elif had.value != ours:
        await client.update_variable(VariableUpdate(name=NAME, value=ours))


def _noted(theirs: Mapping[str, Any], ours: Mapping[str, str]) -> str:
    """Which other project is noted; "": ours. An earlier version noted no number."""
    if theirs.get("database") == ours["database"] and theirs.get("number", ours["number"]) == ours["number"]:
        return ""
    return f"{theirs.get('company')} ({theirs.get('folder')}), on another database"


def _seen(rt: Runtime, found: Collection[DeploymentResponse]) -> str:
    """Which other project the deployments themselves tell of, by where they run and what they send; "": none."""
    folders = {directory for one in found for directory in _folders(one)} - {str(rt.project.root)}
    if folders:
        return f"a project in {', '.join(sorted(folders))}"
    names = {one.name for one in found}
    if names and not names & rt.project.campaigns.keys():
        return f"a project with other campaigns ({', '.join(sorted(names)[:3])})"
    return ""


def _folders(one: DeploymentResponse) -> list[str]:
    steps = (step.get("prefect.deployments.steps.set_working_directory") for step in one.pull_steps or [])
    return [step["directory"] for step in steps if step]


def _ours(rt: Runtime) -> dict[str, str]:
    with rt.read() as db:
        where, number = hashlib.sha256(instance.place(db).encode()).hexdigest()[:16], instance.number(db)
    return {
        "database": where,
        "number": number,
        "company": rt.project.settings.company.name,
        "folder": str(rt.project.root),
    }
