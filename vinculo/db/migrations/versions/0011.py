"""Who answered a campaign, and who is erased, by indexes of the few."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _some(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    _some("ix_contact_erased", "contact", ["id"], "erased_at IS NOT NULL")
    _some(
        "ix_interaction_answer",
        "interaction",
        ["campaign", "occurrence", "kind", "contact_id", "at"],
        "campaign <> '' AND kind <> 'sent' AND kind <> 'delivered'",
    )
