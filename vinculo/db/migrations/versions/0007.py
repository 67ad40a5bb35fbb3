"""Conversations: what a contact wrote that wants an answer, and every turn of it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=False, server_default="")


def _contact_id() -> sa.Column:
    return sa.Column("contact_id", _ID, sa.ForeignKey("contact.id"), nullable=False)


def _index(name: str, table: str, columns: list[str], where: str = "", unique: bool = False) -> None:
    some = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, columns, unique=unique, **some)


def upgrade() -> None:
    op.create_table(
        "conversation",
        sa.Column("id", _ID, primary_key=True),
        _contact_id(),
        sa.Column("state", sa.Text(), nullable=False),
        *(_text(name) for name in ("channel", "topic", "campaign", "subject", "intent")),
        sa.Column("negative", sa.Boolean(), nullable=False, server_default=sa.false()),
        _text("owner"),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger()),
        sa.Column("owed_at", sa.BigInteger()),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_conversation"),
        sqlite_autoincrement=True,
    )
    _index("ix_conversation_contact_id_state", "conversation", ["contact_id", "state"])
    _index("ix_conversation_state_changed_at", "conversation", ["state", "changed_at"])
    _index("ix_conversation_opened_at", "conversation", ["opened_at"])
    op.create_table(
        "turn",
        sa.Column("id", _ID, primary_key=True),
        _contact_id(),
        sa.Column("conversation_id", _ID, sa.ForeignKey("conversation.id")),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(_text(name) for name in ("author", "text", "subject", "channel", "address", "message_id", "thread")),
        sa.Column("delivery_id", _ID),
        _text("said_in"),
        sa.PrimaryKeyConstraint("id", name="pk_turn"),
        sqlite_autoincrement=True,
    )
    _index("ix_turn_contact_id", "turn", ["contact_id"])
    _index("ix_turn_conversation_id_id", "turn", ["conversation_id", "id"])
    _index("ix_turn_delivery", "turn", ["delivery_id"], "delivery_id IS NOT NULL")
    _index("ix_turn_message", "turn", ["message_id"], "message_id <> ''")
    _index("uq_turn_said_in", "turn", ["contact_id", "said_in"], "said_in <> ''", unique=True)
