"""docs/connectors.md says of each connector what its class says."""

import importlib
import inspect
from pathlib import Path

from vinculo.connector import Connector

ROOT = Path(__file__).parents[2]


def shipped() -> list[type[Connector]]:
    modules = [
        importlib.import_module(f"connectors.{path.stem}") for path in sorted((ROOT / "connectors").glob("[a-z]*.py"))
    ]
    return [
        each
        for module in modules
        for _, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, Connector) and each.__module__ == module.__name__
    ]


def row(connector: type[Connector]) -> str:
    can = connector.can
    cells = [
        f"`{connector.__module__}:{connector.__name__}`",
        ", ".join(sorted(connector.channels)),
        "yes" if can.html else "no",
        "yes" if can.subject else "no",
        f"{can.max_text:,}" if can.max_text else "no limit",
        "yes" if can.idempotent else "no",
        str(can.bulk),
        ", ".join(sorted(can.reports)) or "no webhooks",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_matrix_is_that_of_the_classes() -> None:
    page = (ROOT / "docs" / "connectors.md").read_text("utf-8").splitlines()
    assert [line for line in page if line.startswith("| `connectors.")] == [row(each) for each in shipped()]


def test_a_connector_is_short() -> None:
    for path in (ROOT / "connectors").glob("*.py"):
        assert len(path.read_text("utf-8").splitlines()) <= 120, path.name
