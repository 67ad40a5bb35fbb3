"""docs/settings.md names every setting there is, its variable and its default, and no other."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from connectors.gateway import Gateway
from connectors.outbox import Outbox
from connectors.smtp import Smtp
from vinculo.project import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
ROW = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| `(\w+)` \| (.+) \| (.+?) \|$", re.MULTILINE)
DOCUMENTED = {key: (variable, meaning, default) for key, variable, meaning, default in ROW.findall(PAGE)}


def _settings() -> dict[str, object]:
    """Every key with its default; `inspect.Parameter.empty` when it must be given."""
    found: dict[str, object] = {}
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            for key, each in field.annotation.model_fields.items():
                found[f"{section}.{key}"] = inspect.Parameter.empty if each.is_required() else each.default
    for connector in (Smtp, Gateway, Outbox):
        section = connector.__module__.rpartition(".")[2]
        parameters = inspect.signature(connector).parameters
        found |= {f"{section}.{key}": parameter.default for key, parameter in parameters.items()}
    return found


def test_every_setting_is_documented_and_every_documented_setting_is_there() -> None:
    assert set(DOCUMENTED) == set(_settings())


@pytest.mark.parametrize(("key", "default"), _settings().items())
def test_a_setting_has_its_variable_and_its_default(key: str, default: object) -> None:
    variable, _, said = DOCUMENTED[key]
    assert variable == f"VINCULO__{key.replace('.', '__').upper()}"
    if default is inspect.Parameter.empty:
        assert said == "required"
    elif default == "":
        assert said.startswith("empty")
    else:
        assert said == f"`{default}`"
