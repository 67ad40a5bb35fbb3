"""Who a contact is, and where it is reached."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from vinculo.db.tables.column import Id, Instant, Json, asked_at_once, contact_id, metadata, some, text

contact = sa.Table(
    "contact",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    text("kind"),
    text("given_name"),
    text("family_name"),
    text("language"),
    text("country"),
    text("region"),
    text("city"),
    text("timezone"),
    # What each was inferred from, `phone` or `country`; "" when somebody said it, or nobody knows.
    text("language_from"),
    text("country_from"),
    text("timezone_from"),
    sa.Column("birthdate", sa.Date),
    text("birthday"),  # "MM-DD", so that a birthday is an index look-up on every database
    text("owner"),
    text("source"),
    sa.Column("traits", Json, nullable=False, server_default="{}"),
    sa.Column("first_seen", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("erased_at", Instant),
    sa.Index(None, "country"),
    some("ix_contact_birthday", "birthday", where="birthday <> ''"),  # most files tell none
    some("ix_contact_homeless", "country", where="timezone = ''"),  # few: their country decides, see `audience.entry`
    some("ix_contact_erased", "id", where="erased_at IS NOT NULL"),  # few: who is not in any segment
    sqlite_autoincrement=True,  # an id must never come back: tokens in old mail name it
)

alias = sa.Table("alias", metadata, sa.Column("key", sa.Text, primary_key=True), contact_id(index=True))

#: What other systems call the contact: the shop's number, the till's, the CRM's.
identifier = sa.Table(
    "identifier",
    metadata,
    contact_id(primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Index(None, "system", "value"),
)

#: Which contact became part of which, why, and all that it takes to part them again.
merging = sa.Table(
    "merging",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(index=True),  # the one that stayed
    sa.Column("joined_id", Id, sa.ForeignKey("contact.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    text("reason"),
    sa.Column("undone_at", Instant),
    text("undone_reason"),
    sa.Column("before", Json, nullable=False, server_default="{}"),
)

tag = sa.Table(
    "tag",
    metadata,
    contact_id(primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Index(None, "name", "contact_id"),
)

address = sa.Table(
    "address",
    metadata,
    sa.Column("id", Id, nullable=False),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),  # consent.address_hash: what the suppression list holds
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("added_at", Instant, nullable=False),
    # PostgreSQL keeps no index of numbers that nobody asks for: it is a tenth of what an import takes.
    sa.PrimaryKeyConstraint("id").ddl_if(dialect="sqlite"),
    asked_at_once("contact_id", "contact"),
    sa.UniqueConstraint("contact_id", "channel", "value"),
    sa.Index(None, "channel", "value"),
)


@sa.event.listens_for(address, "after_create")
def _tell_apart(target: sa.Table, db: sa.Connection, **_: Any) -> None:
    """A server that follows this one tells rows apart by what they say, then."""
    del target
    if db.dialect.name == "postgresql":
        db.exec_driver_sql("ALTER TABLE address REPLICA IDENTITY USING INDEX uq_address_contact_id_channel_value")


preference = sa.Table(
    "preference",
    metadata,
    contact_id(primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # channel | frequency | language | pause_until
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
