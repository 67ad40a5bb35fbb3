"""JSON Schemas of a project's files, for completion and checks in an editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from vinculo import segment
from vinculo.errors import UsageError, did_you_mean
from vinculo.project.answers import Answers
from vinculo.project.checking import Objectives
from vinculo.project.lifecycle import Lifecycle
from vinculo.project.schema import Campaign, Journey, Loyalty, Policy
from vinculo.project.settings import Settings

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _of(model: type[BaseModel], *hidden: str) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        found = model.model_json_schema(by_alias=True)
        for name in hidden:
            found["properties"].pop(name)
        return found

    return make


def _settings() -> dict[str, Any]:
    """vinculo.toml also has the connectors' sections, whose keys are the connectors' own."""
    return _of(Settings, "options")() | {"additionalProperties": {"type": "object"}}


def _lifecycle() -> dict[str, Any]:
    """A stage's `who` is a segment's, and completes like one."""
    found, rule = _of(Lifecycle)(), segment.json_schema()
    found["$defs"] |= rule["$defs"]
    found["$defs"]["Stage"]["properties"]["who"] = rule["properties"]["who"]
    return found


_MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "campaign": _of(Campaign, "name"),
    "segment": segment.json_schema,
    "policy": _of(Policy),
    "objectives": _of(Objectives),
    "loyalty": _of(Loyalty),
    "lifecycle": _lifecycle,
    "answers": _of(Answers),
    "journey": _of(Journey, "name"),
    "settings": _settings,
}
KINDS = tuple(_MAKERS)


def json_schema(kind: str) -> dict[str, Any]:
    """Return the JSON Schema of *kind* of file. Raises `UsageError` for a kind that is none."""
    if kind not in _MAKERS:
        raise UsageError(f"There is no schema `{kind}`", did_you_mean(kind, KINDS))
    return {"$schema": _DIALECT, **_MAKERS[kind](), "title": f"Vinculo {kind}"}
