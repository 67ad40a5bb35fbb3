"""The torture tests: kills, faults and seeds, judged by the receiver's own record.

`make test` runs them with a stride; `make torture` runs all of each, and prints what was done and what broke.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import NOW
from tests.torture.laboratory import Laboratory, Nursery, PostgresStore, SqliteStore, Store
from vinculo.testing.oracle import Violation
from vinculo.testing.postfix import PostfixSink, tool

#: `make torture` sets it: everything, and not a part.
FULL = os.environ.get("TORTURE") == "1"
COLUMNS = ("kills", "faults", "seeds", "violations")


def depth(short: int, full: int, name: str = "") -> int:
    """How often: *short* in `make test`, *full* in `make torture`, unless the environment's *name* says otherwise."""
    return int(os.environ.get(name) or (full if FULL else short))


class Tally(Counter[str]):
    """What one test did."""

    def judged(self, found: list[Violation], hint: str = "") -> None:
        """Fail with every violation by name."""
        self["violations"] += len(found)
        assert not found, "\n".join([*map(str, found), hint])


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    done = Tally()
    yield done
    request.node.user_properties.append(("torture", {"family": request.module.FAMILY, **done}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table that `make torture` ends with."""
    families: dict[str, Counter[str]] = defaultdict(Counter)
    reports = [report for those in terminalreporter.stats.values() for report in those]
    for report in reports:
        for name, done in getattr(report, "user_properties", []) if getattr(report, "when", "") == "teardown" else []:
            if name == "torture":
                families[done["family"]].update({"tests": 1, **{key: done.get(key, 0) for key in COLUMNS}})
    if not (FULL and families):
        return
    terminalreporter.section("torture")
    terminalreporter.line(f"{'':44}{'tests':>7}" + "".join(f"{name:>12}" for name in COLUMNS))
    for family, done in [*sorted(families.items(), key=_number), ("in all", sum(families.values(), Counter()))]:
        terminalreporter.line(f"{family:44}{done['tests']:>7}" + "".join(f"{done[name]:>12,}" for name in COLUMNS))


def _number(family: tuple[str, Any]) -> int:
    found = re.match(r"R(\d+)", family[0])
    return int(found[1]) if found else 0


# ── laboratories ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    kept = Nursery()
    yield kept
    kept.close()


@pytest.fixture(scope="module")
def postgres_store(postgres: str) -> Iterator[Callable[..., PostgresStore]]:
    """Makes stores of fresh PostgreSQL databases with so many contacts, beside those of a *template*."""
    made: list[PostgresStore] = []

    def make(people: int, template: str = "model") -> PostgresStore:
        made.append(PostgresStore(postgres, people, template))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def smtp_sink(tmp_path: Path) -> Iterator[Callable[..., PostfixSink]]:
    """Starts `smtp-sink` with options of its manual page; its record is a folder of files."""
    if tool("smtp-sink") is None:
        pytest.skip("there is no smtp-sink here: bash requirements/postfix.sh")
    started: list[PostfixSink] = []

    def start(*options: str) -> PostfixSink:
        sink = PostfixSink(*options, record=tmp_path / f"record{len(started)}")
        started.append(sink.__enter__())
        return sink

    yield start
    for sink in started:
        sink.__exit__(None, None, None)


@pytest.fixture
def strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here")


@pytest.fixture
def make_laboratory(
    nursery: Nursery, smtp_sink: Callable[..., PostfixSink], tmp_path: Path
) -> Callable[..., Laboratory]:
    """Lays a shop on SQLite, unless a *store* is given, before a healthy `smtp-sink`, unless a *sink* is."""

    def make(
        people: int = 4, *, store: Store | None = None, sink: Any = None, kind: type = Laboratory, **more: Any
    ):  # fmt: skip
        store = store or SqliteStore(tmp_path, people)
        return kind(tmp_path, store, nursery, sink or smtp_sink(), people, NOW, **more)

    return make
