"""Maintained facts, worked out from the history that is there; tags are found by their name."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_CHUNK = 20_000
_NEVER = -(2**62)
_NEWEST = ("at_1", "at_2", "at_3", "at_4", "at_5")
_FACTS = f"""
INSERT INTO fact (contact_id, kind, count, amount, currency, {", ".join(_NEWEST)})
SELECT contact_id, kind, count(*), CAST(coalesce(sum(amount), 0) AS BIGINT),
  CASE WHEN count(amount) = 0 THEN '' WHEN min(paid) = max(paid) THEN min(paid) ELSE '*' END,
  {", ".join(f"coalesce(max(CASE WHEN place = {n} THEN at END), {_NEVER})" for n in range(1, 6))}
FROM (
  SELECT i.contact_id, i.kind, i.at, i.amount,
    CASE WHEN i.amount IS NOT NULL THEN CASE WHEN i.currency = '' THEN '*' ELSE i.currency END END AS paid,
    row_number() OVER (PARTITION BY i.contact_id, i.kind ORDER BY i.at DESC) AS place
  FROM interaction i JOIN contact c ON c.id = i.contact_id
  WHERE i.contact_id BETWEEN :low AND :high AND c.erased_at IS NULL
  AND i.kind IN ('opened', 'clicked', 'replied', 'auto_replied', 'inbound', 'purchased', 'visited', 'surveyed',
    'subscribed', 'unsubscribed', 'bounced', 'complained')
) AS line
GROUP BY contact_id, kind
"""


def upgrade() -> None:
    op.create_table(
        "fact",
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), server_default="", nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NEWEST),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_fact_contact_id")),
        sa.PrimaryKeyConstraint("contact_id", "kind", name=op.f("pk_fact")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_fact_kind_at", "fact", ["kind", "at_1", "at_2", "at_3"])
    op.create_index("ix_tag_name_contact_id", "tag", ["name", "contact_id"])
    db = op.get_bind()
    last = db.scalar(sa.text("SELECT max(id) FROM contact")) or 0
    for low in range(1, last + 1, _CHUNK):
        db.execute(sa.text(_FACTS), {"low": low, "high": low + _CHUNK - 1})
