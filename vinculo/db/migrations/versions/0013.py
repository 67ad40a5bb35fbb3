"""Addresses are no longer found by their hash, which nobody asked: an import paid for that index."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_address_channel_hash", "address")
