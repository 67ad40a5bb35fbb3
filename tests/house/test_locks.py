"""The locks hold hashes, no address, and what Prefect 3.8 needs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_pins_every_package_with_a_hash_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*--(extra-)?index-url", text, re.MULTILINE)
    entries = re.split(r"\n(?=[a-z0-9])", "\n" + re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE))
    pins = [entry for entry in entries if entry.strip()]
    assert pins
    assert [pin.split()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements" / "core.lock").read_text(), re.MULTILINE))
    named = {re.split(r"[\[<>=;]", one)[0].replace(".", "-").lower() for one in project["dependencies"]}
    assert named - {name.replace(".", "-") for name in locked} == set()


def test_prefect_is_locked_where_its_scheduler_works() -> None:
    """With SQLAlchemy 2.1, Prefect 3.8's scheduler silently creates no runs; with FastAPI 0.165 its server dies."""
    text = (ROOT / "requirements" / "core.lock").read_text()
    versions = dict(re.findall(r"^(sqlalchemy|fastapi)==(\d+\.\d+)", text, re.MULTILINE))
    assert versions["sqlalchemy"] == "2.0"
    assert int(versions["fastapi"].split(".")[1]) < 151


def test_what_is_installed_from_the_lock_fits_together() -> None:
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
