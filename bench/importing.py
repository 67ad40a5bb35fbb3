"""A file of contacts becomes rows, and one of contacts with consents: how long it takes, in how much memory, how much
longer than rows take that somebody has ready and only inserts, by the fastest way that the database's driver has, and
how long it takes once more when most of it is known.

`ONLY=importing CONTACTS=1000000 ROUNDS=1 make bench` is the million.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from bench.clock import Figures, ratios
from bench.server import postgres
from bench.stage import CONTACTS, ROOT, ROUNDS, SECRET
from vinculo.contacts import Options, import_file
from vinculo.contacts.importing.contacts import BATCH
from vinculo.db import connect, metadata
from vinculo.db.tables import address, consent, contact, permission
from vinculo.demo.people import FAMILY, GIVEN
from vinculo.signing import Signer

NOW = datetime(2026, 12, 1, tzinfo=UTC)
COLUMNS = ("id", "nome", "email", "celular", "cidade", "uf", "pais", "consent.news", "consent_date", "consent_source")
#: What is measured, by the columns of its file.
KINDS = {"": COLUMNS[:7], "with consents ": COLUMNS}
TABLES = (contact, address, consent, permission)
#: Fewer than some batches have not filled what a batch needs.
_FEW = max(CONTACTS // 10, 3 * BATCH)
#: Of a hundred rows of the later file, these are changed, and this one is of somebody new.
_CHANGED, _NEW = 3, 99


def measure() -> Figures:
    """Per database, of contacts and of contacts `with consents`: `µs` a contact on the clock, `cpu` in our processes,
    `ratio` to the raw insert; `memory` is the peak at so many contacts by that at a tenth (at least three batches);
    `known` is the file once more, with three rows in a hundred changed and one new, ÷ the first time.
    """
    with tempfile.TemporaryDirectory(prefix="vinculo-bench-") as name, postgres() as server:
        folder = Path(name)
        figures: Figures = {}
        for kind, columns in KINDS.items():
            many = _file(folder / f"many{len(columns)}.csv", CONTACTS, columns)
            again = _file(folder / f"again{len(columns)}.csv", CONTACTS, columns, later=True)
            few = _file(folder / f"few{len(columns)}.csv", _FEW, columns)
            for database, where in (("sqlite", f"sqlite:///{folder}"), ("postgresql", server)):
                figures |= _measured(f"{database} {kind}", where, many, again, few)
    return figures


def _measured(name: str, where: str, many: Path, again: Path, few: Path) -> Figures:
    rounds = [_round(where, f"{many.stem}{number}", many, again) for number in range(ROUNDS)]
    small = _run("take", _fresh(where, few.stem), str(few))
    took, raw, known = zip(*rounds, strict=True)
    micros = 1e6 / CONTACTS
    return {
        f"{name}ratio": ratios([one["wall"] for one in took], [one["wall"] for one in raw]),
        f"{name}µs": [one["wall"] * micros for one in took],
        f"{name}cpu": [one["cpu"] * micros for one in took],
        f"{name}raw µs": [one["wall"] * micros for one in raw],
        f"{name}known": ratios([one["wall"] for one in known], [one["wall"] for one in took]),
        f"{name}known µs": [one["wall"] * micros for one in known],
        f"{name}known cpu": [one["cpu"] * micros for one in known],
        f"{name}MB": [one["rss"] for one in took],
        f"{name}memory": [one["rss"] / small["rss"] for one in took],
    }


def _round(where: str, name: str, file: Path, again: Path) -> tuple[dict[str, float], ...]:
    source = _fresh(where, name)
    took = _run("take", source, str(file))
    assert took["contacts"] == CONTACTS
    ready = _run("raw", _fresh(where, f"raw_{name}"), source)
    known = _run("take", source, str(again))
    assert known["contacts"] == CONTACTS // 100
    return took, ready, known


def _file(path: Path, contacts: int, columns: Sequence[str] = COLUMNS, *, later: bool = False) -> Path:
    dice = Random(7)
    given, family = (sorted(names["pt"]) for names in (GIVEN, FAMILY))
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(columns)
        for number in range(contacts):
            house = "correio" if number % 3 else f"firma-{dice.randrange(2_000)}"
            phone = f"+55119{dice.randrange(10**8):08}" if number % 3 == 0 else ""
            name = f"{dice.choice(given)} {dice.choice(family)}"
            mailbox = f"contato{dice.randrange(10**9)}.{number}@{house}.example"
            said = ("sim" if number % 50 else "não", f"2025-{1 + number % 12:02}-10", "loja")
            key, city = f"c{number:07}", "São Paulo"
            if later and number % 100 < _CHANGED:
                city = "Campinas"
            if later and number % 100 == _NEW:
                key, mailbox = f"n{number:07}", f"novo.{mailbox}"
            cells = (key, name, mailbox, phone, city, "SP", "BR", *said)
            lines.writerow(cells[: len(columns)])
    return path


def _fresh(where: str, name: str) -> str:
    """An empty database called *name*."""
    if where.startswith("sqlite"):
        url = f"{where}/{name}.db"
    else:
        url = sa.make_url(where).set(database=name).render_as_string(hide_password=False)
        admin = connect(where).execution_options(isolation_level="AUTOCOMMIT")
        with admin.connect() as db:
            db.execute(sa.text(f"CREATE DATABASE {name}"))
        admin.dispose()
    engine = connect(url)
    metadata.create_all(engine)
    engine.dispose()
    return url


def _run(what: str, *words: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.importing", what, *words]
    ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


# ── what is measured, each in a process of its own ───────────────────────────────────────────────────────────────
def take(url: str, file: str) -> dict[str, float]:
    """Import *file*."""
    engine = connect(url, durability="process")
    before = time.perf_counter(), _cpu()
    done = import_file(engine, Path(file), signer=Signer(SECRET), now=NOW, options=Options(country="BR"))
    return _spent(before) | {"contacts": done.created}


def raw(url: str, source: str) -> dict[str, float]:
    """Insert the rows that are in *source*, which are ready before the clock runs."""
    wall = cpu = 0.0
    target = connect(url, durability="process")
    with connect(source).connect().execution_options(read_only=True) as rows, target.connect() as db:
        put = _copied if target.dialect.name == "postgresql" else _inserted
        for start in range(0, rows.scalar(sa.select(sa.func.max(contact.c.id))) or 0, BATCH):
            ready = [list(_ready(rows, table, start)) for table in TABLES]
            before = time.perf_counter(), _cpu()
            with db.begin():
                for table, lines in zip(TABLES, ready, strict=True):
                    put(db.connection.dbapi_connection, table, lines)
            spent = _spent(before)
            wall, cpu = wall + spent["wall"], cpu + spent["cpu"]
    return {"wall": wall, "cpu": cpu}


def _ready(db: sa.Connection, table: sa.Table, start: int) -> Iterator[Sequence[Any]]:
    owner = table.c.id if table is contact else table.c.contact_id
    names = ",".join(f"CAST({c.name} AS text)" if isinstance(c.type, sa.JSON) else c.name for c in table.c)
    rows = db.exec_driver_sql(
        f"SELECT {names} FROM {table.name} WHERE {owner.name} > {start} AND {owner.name} <= {start + BATCH}"
    )
    return (tuple(row) for row in rows)


def _inserted(driver: Any, table: sa.Table, lines: list[Sequence[Any]]) -> None:
    driver.execute("PRAGMA cache_size = -65536")
    marks = ",".join("?" * len(table.c))
    driver.executemany(f"INSERT INTO {table.name} VALUES ({marks})", lines)


def _copied(driver: Any, table: sa.Table, lines: list[Sequence[Any]]) -> None:
    with driver.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copy:
        for line in lines:
            copy.write_row(line)


#: The process itself, and the one that reads its file.
_OURS = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu() -> float:
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, _OURS))


def _spent(before: tuple[float, float]) -> dict[str, float]:
    most = sum(resource.getrusage(each).ru_maxrss for each in _OURS) / 1024
    return {"wall": time.perf_counter() - before[0], "cpu": _cpu() - before[1], "rss": most}


if __name__ == "__main__":
    print(json.dumps({"take": take, "raw": raw}[sys.argv[1]](*sys.argv[2:])))
