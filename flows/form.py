"""The forms with which a marketer starts a send from the Prefect UI. Choices are read from the project's files."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed
from pydantic import BaseModel, Field

from flows.send import due, send
from vinculo import project, run
from vinculo.runtime import open_runtime

_files = project.load(project.find_root())


if TYPE_CHECKING:  # the choices are names of files, which no type checker knows
    Segment = StrEnum
    Template = StrEnum
    Topic = StrEnum
    Channel = StrEnum
else:
    Segment = StrEnum("Segment", {name: name for name in sorted(_files.segments)})
    Template = StrEnum("Template", {name: name for name in sorted(_files.templates)})
    Topic = StrEnum("Topic", {name: name for name in sorted(_files.policy.topics)})
    Channel = StrEnum("Channel", {name: name for name in sorted(_files.settings.channels)})


class Form(BaseModel):
    """What is asked for. A test sends a few marked copies and writes nothing into the ledger."""

    name: str = Field(
        title="Name", description="Names this send in reports, e.g. autumn-sale.", pattern=r"^[a-z0-9][a-z0-9_-]*$"
    )
    template: Template = Field(title="Template", description="A folder of templates/.")
    segment: Segment = Field(title="Segment", description="Who: a file of segments/.")
    topic: Topic = Field(title="Topic", description="Consent is asked for this topic.")
    channels: list[Channel] = Field(
        default=[next(iter(Channel))],
        title="Channels",
        description="The first that the contact allows is used.",
    )
    test: bool = Field(default=True, title="Test mode", description="Only to the test addresses, marked as a test.")
    test_addresses: list[str] = Field(
        default=[_files.settings.company.sender_email],
        title="Test addresses",
        description="Who gets the test.",
    )
    priority: int = Field(default=50, ge=0, le=100, title="Priority", description="Who wins under a frequency cap.")


def run_name() -> str:
    """A name that a person reads."""
    form = dict(flow_run.parameters.get("form") or {})
    return f"{form.get('name', '')}{' (test)' if form.get('test', True) else ''}"


async def send_form(kind: str, form: Form) -> State[Any]:
    """Send what the *form* says: a test, or the real thing, once for each start of the run."""
    definition = form.model_dump(mode="json", exclude={"test", "test_addresses"}) | {"kind": kind}
    if form.test:
        with open_runtime() as rt:
            sent = run.test_send(rt, definition, form.test_addresses)
        return Completed(name="Tested", message=f"{sent} test messages; the audience got nothing")
    return await send(definition, due(), adhoc=True)
