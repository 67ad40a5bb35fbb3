"""Slim indexes for the ledger: of waiting rows, of held rows and of those in doubt, each alone."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WAITING = "state IN ('planned', 'deferred')"
HELD = "lease_until IS NOT NULL"
IN_DOUBT = "state = 'in_doubt'"


def _some(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "delivery", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    # A row that was too old when it was claimed kept its lease: it would be taken for a held one.
    op.execute("UPDATE delivery SET lease_until = NULL WHERE state NOT IN ('claimed', 'submitting')")
    op.drop_index("ix_delivery_state_due_at", "delivery")
    op.drop_index("ix_delivery_campaign_occurrence_state_due_at", "delivery")
    op.drop_index("ix_delivery_contact_id_submitted_at", "delivery")
    op.drop_index("ix_interaction_campaign_occurrence_kind", "interaction")
    _some("ix_delivery_waiting", ["campaign", "occurrence", "due_at", "id"], WAITING)
    _some("ix_delivery_held", ["lease_until"], HELD)
    _some("ix_delivery_in_doubt", ["campaign", "occurrence"], IN_DOUBT)
    op.create_index("ix_delivery_contact_id_due_at", "delivery", ["contact_id", "due_at"])
