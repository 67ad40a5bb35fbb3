"""The index of birthdays holds those who have told theirs: most files do not, and each contact was in it all the same."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    told = sa.text("birthday <> ''")
    op.drop_index("ix_contact_birthday", "contact")
    op.create_index("ix_contact_birthday", "contact", ["birthday"], sqlite_where=told, postgresql_where=told)
