"""No row of the ledger says that it is, or was, handed over without saying when: what it rests on might have lapsed."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_HANDED = (
    "submitted_at IS NOT NULL OR state = 'claimed' OR state = 'planned' OR state = 'skipped' OR state = 'deferred' "
    "OR state = 'cancelled' OR state = 'expired'"
)
#: Vinculo has always said when; what another program wrote was handed over before it was settled.
_SINCE = "coalesce(settled_at, due_at)"
_MEND = f"""\
UPDATE delivery SET submitted_at = {_SINCE},
  lapses_at = CASE WHEN lapses_at <= {_SINCE} THEN {_SINCE} + 1 ELSE lapses_at END
WHERE NOT ({_HANDED})"""


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name == "sqlite":
        _copy(db)
        return
    # The strongest lock at once: who has locked rows, and goes on to change them, would wait for us as we do for it.
    db.exec_driver_sql("LOCK TABLE delivery")
    db.exec_driver_sql("ALTER TABLE delivery DISABLE TRIGGER delivery_rests")  # a basis never ends later than it did
    db.exec_driver_sql(_MEND)
    db.exec_driver_sql("ALTER TABLE delivery ENABLE TRIGGER delivery_rests")
    op.create_check_constraint("ck_delivery_handed", "delivery", _HANDED)


def _copy(db: sa.Connection) -> None:
    """SQLite adds a constraint to a table only by copying it: in its own words, so that nothing is lost of them."""
    ask = "SELECT sql FROM sqlite_master WHERE type = '{}' AND tbl_name LIKE '{}' AND sql IS NOT NULL"
    (table,) = db.exec_driver_sql(ask.format("table", "delivery")).scalars()
    again = [sql for kind, of in (("index", "delivery"), ("trigger", "%"))
             for sql in db.exec_driver_sql(ask.format(kind, of)).scalars()]  # fmt: skip
    last = db.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'delivery'").scalar()
    for name in db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all():
        db.exec_driver_sql(f"DROP TRIGGER {name}")
    db.exec_driver_sql(_MEND)
    body = table[table.index("(") :].rstrip().removesuffix(")")
    db.exec_driver_sql(f"CREATE TABLE delivery_new {body}, CONSTRAINT ck_delivery_handed CHECK ({_HANDED})\n)")
    db.exec_driver_sql("INSERT INTO delivery_new SELECT * FROM delivery ORDER BY id")
    db.exec_driver_sql("DROP TABLE delivery")
    db.exec_driver_sql("ALTER TABLE delivery_new RENAME TO delivery")
    # A number is given once: tokens in old mail name it, also where its row is gone.
    db.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'delivery'")
    db.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('delivery', ?)", (last or 0,))
    for sql in again:
        db.exec_driver_sql(sql)
