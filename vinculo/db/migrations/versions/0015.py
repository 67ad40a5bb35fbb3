"""On PostgreSQL a page of scores has room for what scoring writes anew."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE score SET (fillfactor = 50)")
        op.execute("CLUSTER score USING pk_score")
