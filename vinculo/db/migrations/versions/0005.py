"""Identifiers of other systems; mergings that can be undone; what country, language and zone were inferred from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "identifier",
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_identifier_contact_id"),
        sa.PrimaryKeyConstraint("contact_id", "system", "value", name="pk_identifier"),
    )
    op.create_index("ix_identifier_system_value", "identifier", ["system", "value"])
    op.create_table(
        "merging",
        sa.Column("id", _ID, nullable=False),
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("joined_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("before", _JSON, server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name="fk_merging_contact_id"),
        sa.ForeignKeyConstraint(["joined_id"], ["contact.id"], name="fk_merging_joined_id"),
        sa.PrimaryKeyConstraint("id", name="pk_merging"),
    )
    op.create_index("ix_merging_contact_id", "merging", ["contact_id"])
    op.create_index("ix_merging_joined_id", "merging", ["joined_id"])
    for name in ("language_from", "country_from", "timezone_from"):
        op.add_column("contact", sa.Column(name, sa.Text(), server_default="", nullable=False))
