"""What the database itself refuses, whoever writes: a delivery without a basis, and a consent that is written over.

A row of the ledger rests on a *basis*, and names it when it is planned:

- `consent`: the record `consent_id`, which is the live answer for the row's contact, channel and topic;
- `service`: what the contact needs to know anyway, by the kind of its occurrence or by its topic;
- `request`: the contact asked for this very message, to confirm a topic (table `confirmation`);
- `earlier`: sent before anybody wrote down on what it rested. Such a row cannot enter the ledger to be sent.

From `lapses_at` on that no longer holds: the consent expires, or was withdrawn. CHECKs hold the row to it. Who enters,
what becomes of rows when an answer changes, and what of a row that waits again after it was handed over or was over,
are triggers: they cost where rows are planned and where contacts decide, and next to nothing where a row is claimed,
handed over and settled. `sqlite` and `postgresql` say the same, each in the way that is cheap there.

SQLite's foreign keys see to it that a row's contact and occurrence are there. PostgreSQL's ask row by row, which takes
half of what inserting them takes: there one question for all rows of a statement says the same. So it is with the
contact of an address, a consent and a permission, and with the consent that a permission names.
"""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.rules import postgresql, sqlite

#: A row that is not left out names what it rests on.
PERMITTED = "state = 'skipped' OR basis IN ('service', 'request', 'earlier') OR (basis = 'consent' AND consent_id > 0)"
#: Nothing is handed over once its basis has lapsed.
LAPSED = "lapses_at IS NULL OR submitted_at IS NULL OR submitted_at < lapses_at"
#: Nothing is handed over, or was, but at an instant. Word by word: SQLite takes longer over a list (`IN`).
HANDED = (
    "submitted_at IS NOT NULL OR state = 'claimed' OR state = 'planned' OR state = 'skipped' OR state = 'deferred' "
    "OR state = 'cancelled' OR state = 'expired'"
)


def install(db: sa.Connection) -> None:
    """Make the triggers, where the tables have been made."""
    for statement in (sqlite if db.dialect.name == "sqlite" else postgresql).TRIGGERS:
        db.exec_driver_sql(statement)
