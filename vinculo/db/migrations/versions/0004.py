"""When a message was handed over without an answer, and is to be sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("lost_at", sa.BigInteger(), nullable=True))
