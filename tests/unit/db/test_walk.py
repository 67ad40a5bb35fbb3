"""Whatever is written into the tables, in whatever order: nothing is handed over that rests on no live answer.

Every row that can come in, then every pair of the steps below, in plain SQL; what the database refuses, it has refused.
At the end somebody hands over what is left. That must fail, unless the contact's answer at that moment permits it.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo.db import micros
from vinculo.testing import store

STATES = (
    "planned",
    "deferred",
    "claimed",
    "submitting",
    "in_doubt",
    "accepted",
    "rejected",
    "skipped",
    "cancelled",
    "expired",
)
#: What a row in one of these says that it is, or was: handed over, at an instant.
HANDED = {"submitting", "in_doubt", "accepted", "rejected"}
#: The contacts, their lines of `consent`, and the answers that live at the start: ana's, and carl's until it expires.
ANA, BIA, CARL = 1, 2, 3
YES, NO, ENDING = 1, 2, 3
#: Hours after the beginning.
SAYS, EXPIRES, HANDS = 10, 20, 30

#: What may happen to the row, to the answers and to what they rest on. `:h` is an hour, in microseconds.
STEPS = (
    *(f"UPDATE delivery SET state = '{state}'" for state in STATES),
    "UPDATE delivery SET state = 'accepted', submitted_at = :now + 1 * :h, settled_at = :now + 1 * :h",
    "UPDATE delivery SET state = 'submitting', submitted_at = :now + 1 * :h",
    "UPDATE delivery SET state = 'skipped', basis = '', consent_id = NULL, lapses_at = NULL",
    "UPDATE delivery SET basis = 'consent', consent_id = 1, lapses_at = NULL",
    "UPDATE delivery SET basis = 'service', consent_id = NULL, lapses_at = NULL",
    "UPDATE delivery SET basis = 'request', lapses_at = :now + 99 * :h",
    "UPDATE delivery SET basis = 'earlier', consent_id = NULL",
    "UPDATE delivery SET consent_id = 2",
    "UPDATE delivery SET lapses_at = NULL",
    "UPDATE delivery SET contact_id = 2",
    "UPDATE delivery SET contact_id = 3",
    "UPDATE delivery SET channel = 'sms'",
    "UPDATE delivery SET topic = 'offers'",
    "UPDATE delivery SET topic = 'service'",
    "UPDATE delivery SET occurrence = 'letter'",
    "UPDATE delivery SET occurrence = 'receipt'",
    'UPDATE occurrence SET definition = \'{"kind": "newsletter"}\'',
    "UPDATE permission SET granted = false, consent_id = 2, at = :now + 10 * :h WHERE contact_id = 1",
    "UPDATE permission SET expires_at = :now + 20 * :h WHERE contact_id = 1",
    "UPDATE permission SET topic = 'offers' WHERE contact_id = 1",
    "UPDATE permission SET contact_id = 2 WHERE contact_id = 1",
    "DELETE FROM permission",
    "UPDATE consent SET granted = true",
    "UPDATE consent SET expires_at = NULL",
    "DELETE FROM consent WHERE id = 1",
    "DELETE FROM delivery",
    "DELETE FROM contact WHERE id = 1",
)
HAND_OVER = "UPDATE delivery SET state = 'submitting', submitted_at = :now + 30 * :h"


@pytest.fixture
def books(engine: sa.Engine, now: datetime) -> sa.Engine:
    """Ana has said yes to the news and once no; bia nothing; carl a yes that ends. A letter, and a receipt."""
    with engine.begin() as db:
        for key in ("ana", "bia", "carl"):
            store.add_contact(db, key=key)
        said = "INSERT INTO consent (id, contact_id, channel, topic, granted, at, expires_at) VALUES "
        _run(db, now, f"{said} (1, 1, 'email', 'news', true, :now, NULL)")
        _run(db, now, f"{said} (2, 1, 'email', 'news', false, :now - 1 * :h, NULL)")
        _run(db, now, f"{said} (3, 3, 'email', 'news', true, :now, :now + 20 * :h)")
        live = "INSERT INTO permission (contact_id, channel, topic, granted, at, expires_at, consent_id) "
        _run(
            db, now, f"{live} SELECT contact_id, channel, topic, granted, at, expires_at, id FROM consent WHERE id <> 2"
        )
        place = "INSERT INTO occurrence (campaign, occurrence, state, due_at, planned_at, definition) VALUES "
        _run(db, now, f"{place} ('weekly', 'letter', 'open', :now, :now, '{{\"kind\": \"newsletter\"}}')")
        _run(db, now, f"{place} ('weekly', 'receipt', 'open', :now, :now, '{{\"kind\": \"service\"}}')")
    return engine


def _run(db: sa.Connection, now: datetime, sql: str) -> bool:
    """Whether the database takes it."""
    values = {name: value for name, value in (("now", micros(now)), ("h", 3_600_000_000)) if f":{name}" in sql}
    try:
        with db.begin_nested():
            db.execute(sa.text(sql.replace('{"kind": ', '{"kind"\\: ')), values)
    except sa.exc.IntegrityError:
        return False
    return True


def _rows() -> list[str]:
    """Every row that might come in: of whom, in which state, resting on what."""
    columns = "campaign, occurrence, contact_id, channel, topic, due_at, expires_at, state, submitted_at, basis, consent_id, lapses_at"
    ends = "NULL", ":now + 20 * :h"
    rests = [("consent", "1", ends[0]), ("consent", "3", ends[1]), ("consent", "2", ends[0]), ("service", "NULL", ends[0]),
             ("earlier", "NULL", "0"), ("", "NULL", ends[0])]  # fmt: skip
    found = []
    for who, where, state, (basis, line, lapses) in product((ANA, CARL), ("letter", "receipt"), STATES, rests):
        handed = ":now" if state in HANDED else "NULL"
        lapse = ":now + 1" if basis == "earlier" and handed != "NULL" else lapses
        found.append(
            f"INSERT INTO delivery ({columns}) VALUES ('weekly', '{where}', {who}, 'email', 'news', :now, :now + 99 * :h, "
            f"'{state}', {handed}, '{basis}', {line}, {lapse})"
        )
    return found


def _permitted(db: sa.Connection, now: datetime) -> bool:
    """Whether what the row is now may be handed over `HANDS` hours after the beginning, by the answers alone."""
    row: Any = db.execute(sa.text("SELECT * FROM delivery")).one()
    if row.basis == "service":
        return row.topic == "service" or row.occurrence == "receipt"
    ask = sa.text(
        "SELECT count(*) FROM permission p JOIN consent c ON c.id = p.consent_id WHERE p.contact_id = :who AND p.granted"
        " AND p.channel = :channel AND p.topic = :topic AND (p.expires_at IS NULL OR p.expires_at > :at)"
    )
    at = micros(now) + HANDS * 3_600_000_000
    values = {"who": row.contact_id, "channel": row.channel, "topic": row.topic, "at": at}
    return row.basis == "consent" and bool(db.scalar(ask, values))


def _walk(db: sa.Connection, now: datetime, path: tuple[str, ...], steps: int, tally: Counter[bool]) -> None:
    """Take each way of so many *steps* on from *path*, and try to hand over wherever it leads."""
    row = db.execute(sa.text("SELECT state, submitted_at FROM delivery")).one_or_none()
    if row is None:
        return
    state, handed = row
    assert handed is not None or state not in HANDED, path
    if state not in {"submitting", "accepted"}:
        permitted = _permitted(db, now)
        with db.begin_nested() as end:
            went = _run(db, now, HAND_OVER)
            end.rollback()
        assert permitted or not went, path
        tally[went] += 1
    for step in STEPS if steps else ():
        with db.begin_nested() as taken:
            if _run(db, now, step):
                _walk(db, now, (*path, step), steps - 1, tally)
            taken.rollback()


#: Of the rows that rest on ana's yes, one that waits, one that is over and one in doubt: with two steps, for time.
_SOME = [row for row in _rows() for state in ("planned", "cancelled", "in_doubt")
         if f"'letter', {ANA}, " in row and f"'{state}'" in row and "'consent', 1," in row]  # fmt: skip


@pytest.mark.parametrize(("steps", "rows"), [(1, _rows()), (2, _SOME)], ids=["any row", "some rows"])
def test_no_way_leads_to_a_message_that_rests_on_no_live_answer(
    books: sa.Engine, now: datetime, steps: int, rows: list[str]
) -> None:
    tally: Counter[bool] = Counter()
    with books.connect() as db, db.begin():
        for row in rows:
            with db.begin_nested() as first:
                if _run(db, now, row):
                    _walk(db, now, (row,), steps, tally)
                first.rollback()
    assert tally[True] > 0
    assert tally[False] > 0
