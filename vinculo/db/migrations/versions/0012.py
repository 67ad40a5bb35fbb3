"""Facts of a kind are found, and whose they are, by their index alone."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_fact_kind_at", "fact")
    op.create_index("ix_fact_kind_at", "fact", ["kind", "at_1", "at_2", "at_3", "contact_id"])
