"""What we owe an answer."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Id, Instant, contact_id, metadata, some, text

#: What a contact wrote that wants an answer, and all that was said since.
conversation = sa.Table(
    "conversation",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(),
    sa.Column("state", sa.Text, nullable=False),  # open: we owe an answer | waiting: for the contact | closed
    text("channel"),
    text("topic"),
    text("campaign"),  # of the message that was answered, if it was one
    text("subject"),
    text("intent"),
    sa.Column("negative", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    text("owner"),  # whoever took it or was handed it; "": the contact's, else the topic's
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),  # a person's first answer
    sa.Column("owed_at", Instant),  # since when we owe an answer
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Index(None, "contact_id", "state"),
    sa.Index(None, "state", "changed_at"),
    sa.Index(None, "opened_at"),
    sqlite_autoincrement=True,  # an address of the console names it
)

#: One line of a conversation: what was said, either way, or done. A confirmation belongs to none.
turn = sa.Table(
    "turn",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(index=True),
    sa.Column("conversation_id", Id, sa.ForeignKey("conversation.id")),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # received | answered | automatic | confirmed | taken | …
    text("author"),
    text("text"),
    text("subject"),
    text("channel"),
    text("address"),
    text("message_id"),  # of the mail received, or of the one that is answered
    text("thread"),  # its References, apart by blanks
    sa.Column("delivery_id", Id),  # of our answer; of a mail received: of the message that it answers
    text("said_in"),  # the event or the form it comes from: each is taken once
    sa.Index(None, "conversation_id", "id"),
    some("ix_turn_delivery", "delivery_id", where="delivery_id IS NOT NULL"),
    some("ix_turn_message", "message_id", where="message_id <> ''"),
    sa.Index(
        "uq_turn_said_in",
        "contact_id",
        "said_in",
        unique=True,
        sqlite_where=sa.text("said_in <> ''"),
        postgresql_where=sa.text("said_in <> ''"),
    ),
    sqlite_autoincrement=True,  # the ledger's keys name it
)
