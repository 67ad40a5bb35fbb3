"""The log of a PostgreSQL server with the settings of compose.yaml names nobody, whatever fails."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from ruamel.yaml import YAML

from vinculo.db import bulk
from vinculo.db.tables import contact

COMPOSE = Path(__file__).parents[3] / "compose.yaml"


def _settings() -> list[str]:
    """What compose.yaml says of logs; the rest counts from a server's start."""
    command = YAML(typ="safe").load(COMPOSE)["services"]["postgres"]["command"]
    return [each for each in command if each.startswith("log_")]


def _logged(engine: sa.Engine, settings: list[str], name: str) -> str:
    """What the server writes down while things about *name* fail, and while it is made to log what takes long."""
    with engine.connect() as db:
        file = Path(db.exec_driver_sql("SHOW data_directory").scalar_one()) / "log"
        before = file.stat().st_size
        for setting in settings:
            db.exec_driver_sql("SET {} = '{}'".format(*setting.split("=")))
        db.commit()
        row = (name, 0, 0)
        for fails in (
            lambda: bulk.add(db, contact, ("key", "first_seen", "updated_at"), [row, row]),  # said with the row
            lambda: db.execute(sa.text(f'SELECT 1 / 0 AS "{name}"')),
            lambda: db.execute(sa.text("SELECT 1 / (length(:name) - length(:name))"), {"name": name}),
        ):
            with suppress(sa.exc.DBAPIError):
                fails()
            db.rollback()
        db.exec_driver_sql("SET log_min_duration_statement = 0")
        db.execute(sa.text("SELECT length(:name)"), {"name": name})
    with file.open(encoding="utf-8", errors="replace") as log:
        log.seek(before)
        return log.read()


def test_it_names_nobody(postgres_engine: sa.Engine) -> None:
    said = _logged(postgres_engine, _settings(), "ana.souza")
    assert said.count("ERROR:") == 3
    assert "ana.souza" not in said


@pytest.mark.parametrize("without", _settings())
def test_each_of_the_settings_is_needed(postgres_engine: sa.Engine, without: str) -> None:
    name = without.replace("_", ".")
    assert name in _logged(postgres_engine, [each for each in _settings() if each != without], name)
