"""What is sent: occurrences and deliveries."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db import rules
from vinculo.db.tables.column import Id, Instant, Json, metadata, some, text

#: The conditions of partial indexes: a query uses one only if it says the same, with no parameter in it.
WAITING = "state IN ('planned', 'deferred')"
IN_DOUBT = "state = 'in_doubt'"

occurrence = sa.Table(
    "occurrence",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("occurrence", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # held | open | finished | cancelled
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("planned_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    #: The campaign as it was when it was planned: a file edited in mid-send changes nothing, any worker can read it.
    sa.Column("definition", Json, nullable=False),
    text("approved_by"),
    sa.Index(None, "state", "due_at"),
)

control = sa.Table(
    "control",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # paused | cancelled
    sa.Column("at", Instant, nullable=False),
    text("reason"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("occurrence", sa.Text, nullable=False),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    text("reason"),
    text("channel"),
    text("address"),
    text("topic"),
    text("variant"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="50"),
    sa.Column("due_at", Instant, nullable=False),  # not before; moved by a deferral
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("crashes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    text("worker"),
    sa.Column("lease_until", Instant),
    sa.Column("submitted_at", Instant),
    sa.Column("settled_at", Instant),
    text("provider_id"),
    text("response"),
    #: Handed over, no answer, and to be sent again: whatever becomes of it, the provider may have the first.
    sa.Column("lost_at", Instant),
    #: On what it rests that we may write (`rules`): consent | service | request | earlier; "" when it is left out.
    text("basis"),
    sa.Column("consent_id", Id),
    sa.Column("lapses_at", Instant),  # from then on it rests on nothing
    sa.CheckConstraint(rules.PERMITTED, "ck_delivery_permitted"),
    sa.CheckConstraint(rules.LAPSED, "ck_delivery_lapsed"),
    sa.CheckConstraint(rules.HANDED, "ck_delivery_handed"),
    sa.UniqueConstraint("campaign", "occurrence", "contact_id"),
    # PostgreSQL asks for all rows of a statement at once, see `rules`.
    sa.ForeignKeyConstraint(["contact_id"], ["contact.id"]).ddl_if(dialect="sqlite"),
    sa.ForeignKeyConstraint(["campaign", "occurrence"], ["occurrence.campaign", "occurrence.occurrence"]).ddl_if(
        dialect="sqlite"
    ),
    # Partial, so that most rows are in none and a handover touches one. Queries must say a state in these very words.
    some("ix_delivery_waiting", "campaign", "occurrence", "due_at", "id", where=WAITING),  # claims go in this order
    some("ix_delivery_held", "lease_until", where="lease_until IS NOT NULL"),
    some("ix_delivery_in_doubt", "campaign", "occurrence", where=IN_DOUBT),
    sa.Index(None, "contact_id", "due_at"),
    sqlite_autoincrement=True,  # tokens in old mail name the id
)
