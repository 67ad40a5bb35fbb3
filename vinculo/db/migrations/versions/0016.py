"""Who bought twice and then no more is found by an index that begins at the newest purchase but one."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bought = sa.text("kind = 'purchased'")
    columns = ["kind", "at_2", "at_1", "contact_id"]
    op.create_index("ix_fact_again", "fact", columns, sqlite_where=bought, postgresql_where=bought)
