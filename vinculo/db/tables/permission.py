"""Whether we may write: consent, and what forbids."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Id, Instant, asked_at_once, contact_id, metadata, text

consent = sa.Table(
    "consent",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("contact_id", Id, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("granted", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("at", Instant, nullable=False),
    text("source"),
    text("legal_basis"),
    text("text_hash"),
    sa.Column("expires_at", Instant),
    asked_at_once("contact_id", "contact"),
    sa.Index(None, "contact_id", "channel", "topic"),
)

#: The live answer of `consent` per contact, channel and topic, kept up to date in the same transaction.
permission = sa.Table(
    "permission",
    metadata,
    sa.Column("contact_id", Id, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("granted", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("consent_id", Id, nullable=False),
    asked_at_once("contact_id", "contact"),
    asked_at_once("consent_id", "consent"),
)

#: What a contact was asked to confirm by a message before it counts as consent. Unconfirmed, it permits nothing.
confirmation = sa.Table(
    "confirmation",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("confirmed_at", Instant),
    text("source"),
    text("text_hash"),
    sa.Index(None, "contact_id", "channel", "topic"),
    sqlite_autoincrement=True,  # tokens in old mail name the id
)

suppression = sa.Table(
    "suppression",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("address_hash", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),  # hard_bounce | complaint | request | erasure | manual
    text("source"),
    sa.Column("at", Instant, nullable=False),
)
