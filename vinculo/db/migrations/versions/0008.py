"""What a purchase is worth in the project's currency; engagement, intervals and the next purchase among the scores."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PURCHASED = sa.text("kind = 'purchased'")


def upgrade() -> None:
    op.add_column("interaction", sa.Column("worth", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_interaction_purchase",
        "interaction",
        ["contact_id", "at", "amount", "worth", "currency"],
        sqlite_where=_PURCHASED,
        postgresql_where=_PURCHASED,
    )
    op.add_column("score", sa.Column("rfm", sa.Text(), server_default="", nullable=False))
    op.add_column("score", sa.Column("engagement", sa.Float(), server_default="0", nullable=False))
    op.add_column("score", sa.Column("unrated", sa.Integer(), server_default="0", nullable=False))
    for name in ("alive_low", "alive_high", "expected_low", "expected_high"):
        op.add_column("score", sa.Column(name, sa.Float(), nullable=True))
    for name in ("lifetime_low", "lifetime_high", "next_at"):
        op.add_column("score", sa.Column(name, sa.BigInteger(), nullable=True))
