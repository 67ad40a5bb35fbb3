"""A base of contacts, from a seed straight into the tables: names, towns, addresses of many domains, consents."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from random import Random
from typing import Any

import sqlalchemy as sa

from vinculo.db.tables import micros
from vinculo.demo.people import BREWS, COUNTRIES, FAMILY, GIVEN, PRODUCTS
from vinculo.signing import Signer

#: When the last of them came to us.
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
#: Half of the world has its mailbox with a few; the rest with firms and families.
_BIG = [f"{name}.example" for name in ("correio", "caixa", "recado", "inbox", "letter", "buzon")]
_SMALL = 2000
#: Everybody but one in fifty has said yes to the news; one in forty likes no name.
_NO, _NAMELESS = 50, 40
CHUNK = 10_000
COLUMNS = {
    "contact": "id key kind given_name family_name language country region city timezone source traits "
    "first_seen updated_at",
    "address": "id contact_id channel value hash position added_at",
    "consent": "id contact_id channel topic granted at source",
    "permission": "contact_id channel topic granted at consent_id",
    "score": "contact_id recency frequency value stage at",
}
Rows = dict[str, list[tuple[Any, ...]]]


def lay(engine: sa.Engine, signer: Signer, contacts: int, seed: int = 7) -> None:
    """Lay *contacts* people into empty tables; the same seed lays the same rows."""
    people = everybody(Random(seed), signer)
    connection = engine.raw_connection()
    try:
        for first in range(0, contacts, CHUNK):
            rows: Rows = {table: [] for table in COLUMNS}
            for person in islice(people, min(CHUNK, contacts - first)):
                for table, row in person.items():
                    rows[table].append(row)
            for table, lines in rows.items():
                put(connection.cursor(), table, COLUMNS[table].split(), lines)
        connection.commit()
    finally:
        connection.close()


def put(cursor: Any, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """Put *rows* into *table* the fastest way that the database of *cursor* has."""
    (_copy if hasattr(cursor, "copy") else _insert)(cursor, table, columns, rows)


def _insert(cursor: Any, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    cursor.execute("BEGIN")
    cursor.executemany(f"INSERT INTO {table} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))})", rows)
    cursor.execute("COMMIT")


def _copy(cursor: Any, table: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table} ({','.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def everybody(dice: Random, signer: Signer) -> Iterator[dict[str, tuple[Any, ...]]]:
    """People without end, each with its row in every table."""
    countries = list(accumulate(country.share for country in COUNTRIES))
    newest = micros(_NEWEST)
    number = 0
    while True:
        number += 1
        country = dice.choices(COUNTRIES, cum_weights=countries)[0]
        city = dice.choice(country.cities)
        tongue = max(country.tongues, key=lambda each: country.tongues[each])
        given, family = dice.choice(GIVEN[tongue]), dice.choice(FAMILY[tongue])
        mailbox = f"{_plain(given)}.{_plain(family)}{number}@{_domain(dice)}"
        at = newest - dice.randrange(int(timedelta(days=900).total_seconds())) * 1_000_000
        traits = json.dumps({"brew": dice.choice(BREWS), "last_product": dice.choice(PRODUCTS)[0]}, ensure_ascii=False)
        shown = "" if number % _NAMELESS == 0 else given
        yes = number % _NO != 0
        yield {
            "contact": (
                number, f"c{number:07}", "customer", shown, family, tongue, country.code, city.region, city.name,
                city.zone, "website", traits, at, at,
            ),
            "address": (number, number, "email", mailbox, signer.hash("address", "email", mailbox), 0, at),
            "consent": (number, number, "email", "news", yes, at, "website"),
            "permission": (number, "email", "news", yes, at, number),
            "score": (number, float(dice.randrange(400)), 1 + number % 12, 4200 * (1 + number % 9), "active", newest),
        }  # fmt: skip


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()


def _domain(dice: Random) -> str:
    return dice.choice(_BIG) if dice.random() < 0.7 else f"firm-{dice.randrange(_SMALL)}.example"
