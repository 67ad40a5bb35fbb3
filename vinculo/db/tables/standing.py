"""Where a contact stands: scores, points, journeys."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Id, Instant, contact_id, metadata, text

score = sa.Table(
    "score",
    metadata,
    contact_id(primary_key=True),
    sa.Column("recency", sa.Float),  # days since the last purchase
    sa.Column("frequency", sa.Integer, nullable=False, server_default="0"),
    sa.Column("value", sa.BigInteger, nullable=False, server_default="0"),  # minor units, project's currency
    sa.Column("r", sa.Integer),
    sa.Column("f", sa.Integer),
    sa.Column("m", sa.Integer),
    text("rfm"),  # "5-3-4", as the history was last told
    text("stage"),
    sa.Column("engagement", sa.Float, nullable=False, server_default="0"),  # 0 to 100
    sa.Column("unrated", sa.Integer, nullable=False, server_default="0"),  # purchases whose currency has no rate
    sa.Column("alive", sa.Float),  # probability that the contact will buy again
    sa.Column("alive_low", sa.Float),
    sa.Column("alive_high", sa.Float),
    sa.Column("expected", sa.Float),  # purchases expected in the next year
    sa.Column("expected_low", sa.Float),
    sa.Column("expected_high", sa.Float),
    sa.Column("lifetime_value", sa.BigInteger),  # minor units expected in the next year
    sa.Column("lifetime_low", sa.BigInteger),
    sa.Column("lifetime_high", sa.BigInteger),
    sa.Column("next_at", Instant),  # by when the contact will have bought again, as likely as not
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "stage"),
)
# Scoring writes most rows anew: where a page has room for that, PostgreSQL leaves the indexes alone.
ROOM: sa.DDL = sa.DDL("ALTER TABLE score SET (fillfactor = 50)")  # type: ignore[no-untyped-call]
sa.event.listen(score, "after_create", ROOM.execute_if(dialect="postgresql"))

point = sa.Table(
    "point",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.UniqueConstraint("contact_id", "reason", "reference"),
)

journey = sa.Table(
    "journey",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    contact_id(primary_key=True),
    sa.Column("entered_at", Instant, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("state", sa.Text, nullable=False),  # walking | done | left
    sa.Index(None, "state", "next_at"),
)
