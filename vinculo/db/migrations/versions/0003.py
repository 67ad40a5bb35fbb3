"""How fast messages may leave, and what came back badly."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rate",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ordered", sa.Text(), server_default="", nullable=False),
        sa.Column("ordered_by", sa.Text(), server_default="", nullable=False),
        sa.Column("pace", sa.Float(), nullable=True),
        sa.Column("slowed_at", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rate")),
    )
    op.create_table(
        "bucket",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Text(), server_default="", nullable=False),
        sa.Column("spent", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_bucket")),
    )
    op.create_table(
        "setback",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=False),
        sa.Column("bounced", sa.Integer(), server_default="0", nullable=False),
        sa.Column("complained", sa.Integer(), server_default="0", nullable=False),
        sa.Column("bounced_look", sa.Integer(), server_default="1", nullable=False),
        sa.Column("complained_look", sa.Integer(), server_default="1", nullable=False),
        sa.Column("bounced_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("complained_before", sa.Integer(), server_default="0", nullable=False),
        sa.Column("sent_before", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("campaign", "occurrence", name=op.f("pk_setback")),
    )
