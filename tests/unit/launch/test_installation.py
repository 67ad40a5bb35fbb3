"""What `vinculo up` asks of the flows that a project has: they may be of an earlier version."""

from __future__ import annotations

from pathlib import Path

import pytest

from vinculo.launch import Installation

#: `flows.apply` as `vinculo init` laid it before a Prefect server was asked whose it is: it knows no `--take-over`.
EARLIER = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--dry-run", action="store_true")
parser.add_argument("--json", action="store_true")
parser.parse_args()
"""
#: Notes with what it was run.
NOTES = """
import sys
with open("ran", "a") as ran:
    print(__spec__.name, *sys.argv[1:], file=ran)
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """A project whose folder has a program for each command that is run: its own `flows.apply`, and no Prefect's."""
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "__init__.py").touch()
    (tmp_path / "flows" / "apply.py").write_text(EARLIER + NOTES)
    (tmp_path / "prefect.py").write_text(NOTES)
    return Installation(tmp_path, tmp_path / "var", 4200, "http://127.0.0.1:8500", {})


def test_flows_of_an_earlier_version_are_deployed_as_before(installation: Installation) -> None:
    installation.deploy()
    assert _ran(installation) == ["flows.apply", "prefect --no-prompt deploy --all"]


def test_those_that_ask_whose_the_server_is_are_told_that_it_is_the_project_s_own(installation: Installation) -> None:
    (installation.root / "flows" / "owner.py").touch()
    (installation.root / "flows" / "apply.py").write_text(NOTES)
    installation.deploy()
    assert _ran(installation) == ["flows.apply --take-over", "prefect --no-prompt deploy --all"]


def _ran(installation: Installation) -> list[str]:
    return (installation.root / "ran").read_text().splitlines()
