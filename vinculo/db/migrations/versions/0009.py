"""On what each delivery rests: no row enters the ledger, and none is handed over, without a live basis."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_PERMITTED = "state = 'skipped' OR basis IN ('service', 'request', 'earlier') OR (basis = 'consent' AND consent_id > 0)"
_LAPSED = "lapses_at IS NULL OR submitted_at IS NULL OR submitted_at < lapses_at"
_LIVE = """FROM permission p WHERE p.contact_id = delivery.contact_id AND p.channel = delivery.channel
  AND p.topic = delivery.topic AND p.granted"""
_SERVICE = """delivery.topic = 'service' OR EXISTS (SELECT 1 FROM occurrence o
  WHERE o.campaign = delivery.campaign AND o.occurrence = delivery.occurrence AND {kind} = 'service')"""
#: What is in the ledger already: by what is known now, and `earlier` where nothing is known any more.
_WAITS = "state IN ('planned', 'deferred', 'claimed')"


def upgrade() -> None:
    op.create_table(
        "confirmation",
        sa.Column("id", _ID, nullable=False),
        sa.Column("contact_id", _ID, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("text_hash", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["contact_id"], ["contact.id"], name=op.f("fk_confirmation_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_confirmation_contact_id_channel_topic", "confirmation", ["contact_id", "channel", "topic"])
    op.add_column("delivery", sa.Column("basis", sa.Text(), server_default="", nullable=False))
    op.add_column("delivery", sa.Column("consent_id", _ID, nullable=True))
    op.add_column("delivery", sa.Column("lapses_at", sa.BigInteger(), nullable=True))
    sqlite = op.get_bind().dialect.name == "sqlite"
    kind = "json_extract(o.definition, '$.kind')" if sqlite else "o.definition ->> 'kind'"
    op.execute(f"UPDATE delivery SET basis = 'service' WHERE state <> 'skipped' AND ({_SERVICE.format(kind=kind)})")
    op.execute(
        f"UPDATE delivery SET basis = 'consent', consent_id = (SELECT p.consent_id {_LIVE}) "
        f"WHERE state <> 'skipped' AND basis = '' AND EXISTS (SELECT 1 {_LIVE})"
    )
    op.execute("UPDATE delivery SET basis = 'earlier' WHERE state <> 'skipped' AND basis = ''")
    expiry = f"(SELECT p.expires_at {_LIVE})"
    op.execute(f"UPDATE delivery SET lapses_at = {expiry} WHERE {_WAITS} AND basis = 'consent'")
    # Whoever waits without a live answer was never going to be written to.
    op.execute(f"UPDATE delivery SET lapses_at = 0 WHERE {_WAITS} AND basis = 'earlier'")
    op.execute("UPDATE delivery SET lapses_at = submitted_at + 1 WHERE lapses_at <= submitted_at")
    checks = {"ck_delivery_permitted": _PERMITTED, "ck_delivery_lapsed": _LAPSED}
    if sqlite:
        _copy(op.get_bind(), checks)
    else:
        for name, words in checks.items():
            op.create_check_constraint(name, "delivery", words)
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)


def _copy(db: sa.Connection, checks: dict[str, str]) -> None:
    """SQLite adds a constraint to a table only by copying it. Its own words are used, so that nothing is lost of them."""
    ask = "SELECT sql FROM sqlite_master WHERE tbl_name = 'delivery' AND type = '{}' AND sql IS NOT NULL"
    (table,) = db.exec_driver_sql(ask.format("table")).scalars()
    indexes = db.exec_driver_sql(ask.format("index")).scalars().all()
    added = "".join(f", CONSTRAINT {name} CHECK ({words})" for name, words in checks.items())
    body = table[table.index("(") :].rstrip().removesuffix(")")
    db.exec_driver_sql(f"CREATE TABLE delivery_new {body}{added}\n)")
    db.exec_driver_sql("INSERT INTO delivery_new SELECT * FROM delivery ORDER BY id")
    db.exec_driver_sql("DROP TABLE delivery")
    db.exec_driver_sql("ALTER TABLE delivery_new RENAME TO delivery")
    for index in indexes:
        db.exec_driver_sql(index)


_SQLITE = (
    """\
CREATE TRIGGER delivery_enters AFTER INSERT ON delivery
WHEN NEW.state <> 'skipped'
AND NOT (NEW.basis = 'earlier' AND NEW.state IN ('accepted', 'rejected', 'cancelled', 'expired'))
BEGIN
  SELECT RAISE(ABORT, 'no live consent, and no other basis, permits this delivery') WHERE NOT CASE NEW.basis
    WHEN 'consent' THEN EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted AND p.consent_id = NEW.consent_id AND p.expires_at IS NEW.lapses_at)
    WHEN 'service' THEN NEW.topic = 'service' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence
      AND json_extract(o.definition, '$.kind') = 'service')
    WHEN 'request' THEN EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
      AND c.topic = NEW.topic AND c.confirmed_at IS NULL AND c.expires_at = NEW.lapses_at)
    ELSE 0 END;
END""",
    """\
CREATE TRIGGER delivery_rests BEFORE UPDATE OF basis, consent_id, lapses_at ON delivery
WHEN NEW.state IN ('planned', 'deferred', 'claimed', 'submitting')
BEGIN
  SELECT RAISE(ABORT, 'no live consent, and no other basis, permits this delivery') WHERE NOT (
    NEW.basis = OLD.basis AND NEW.consent_id IS OLD.consent_id AND NEW.lapses_at IS NOT NULL
    AND (OLD.lapses_at IS NULL OR NEW.lapses_at <= OLD.lapses_at)
    OR NEW.basis = 'consent' AND EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted AND p.consent_id = NEW.consent_id
      AND (p.expires_at IS NEW.lapses_at OR NEW.lapses_at = NEW.submitted_at + 1)));
END""",
    """\
CREATE TRIGGER delivery_moves AFTER UPDATE OF contact_id, channel, topic ON delivery
WHEN NEW.basis IN ('consent', 'request') AND NEW.state IN ('planned', 'deferred', 'claimed')
BEGIN
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE id = NEW.id AND NOT EXISTS (
    SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
    AND p.topic = NEW.topic AND p.granted);
END""",
    """\
CREATE TRIGGER permission_changes AFTER UPDATE OF granted, expires_at, consent_id ON permission
BEGIN
  UPDATE delivery SET
    consent_id = CASE WHEN NEW.granted THEN NEW.consent_id ELSE consent_id END,
    lapses_at = CASE WHEN NOT NEW.granted
      THEN min(coalesce(lapses_at, 9223372036854775807), max(NEW.at, coalesce(submitted_at + 1, 0)))
      ELSE max(NEW.expires_at, coalesce(submitted_at + 1, 0)) END
  WHERE contact_id = NEW.contact_id AND channel = NEW.channel AND topic = NEW.topic AND basis = 'consent'
    AND state IN ('planned', 'deferred', 'claimed');
END""",
    """\
CREATE TRIGGER consent_stays
BEFORE UPDATE OF channel, topic, granted, at, source, legal_basis, text_hash, expires_at ON consent
BEGIN
  SELECT RAISE(ABORT, 'a consent is never written over: add another');
END""",
)

_POSTGRESQL = (
    """\
CREATE OR REPLACE FUNCTION delivery_enters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM entered e LEFT JOIN permission p ON p.contact_id = e.contact_id AND p.channel = e.channel
      AND p.topic = e.topic AND p.granted AND p.consent_id = e.consent_id
      AND p.expires_at IS NOT DISTINCT FROM e.lapses_at
    WHERE e.basis = 'consent' AND e.state <> 'skipped' AND p.contact_id IS NULL
  ) OR EXISTS (
    SELECT 1 FROM entered e
    WHERE e.basis <> 'consent' AND e.state <> 'skipped'
    AND NOT (e.basis = 'earlier' AND e.state IN ('accepted', 'rejected', 'cancelled', 'expired'))
    AND NOT (e.basis = 'service' AND (e.topic = 'service' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = e.campaign AND o.occurrence = e.occurrence
      AND o.definition ->> 'kind' = 'service')))
    AND NOT (e.basis = 'request' AND EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = e.contact_id AND c.channel = e.channel
      AND c.topic = e.topic AND c.confirmed_at IS NULL AND c.expires_at = e.lapses_at))
  ) THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_enters AFTER INSERT ON delivery REFERENCING NEW TABLE AS entered
FOR EACH STATEMENT EXECUTE FUNCTION delivery_enters()""",
    """\
CREATE OR REPLACE FUNCTION delivery_rests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (
    NEW.basis = OLD.basis AND NEW.consent_id IS NOT DISTINCT FROM OLD.consent_id AND NEW.lapses_at IS NOT NULL
    AND (OLD.lapses_at IS NULL OR NEW.lapses_at <= OLD.lapses_at)
    OR NEW.basis = 'consent' AND EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted AND p.consent_id = NEW.consent_id
      AND (p.expires_at IS NOT DISTINCT FROM NEW.lapses_at OR NEW.lapses_at = NEW.submitted_at + 1))
  ) THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_rests BEFORE UPDATE OF basis, consent_id, lapses_at ON delivery FOR EACH ROW
WHEN (NEW.state IN ('planned', 'deferred', 'claimed', 'submitting')) EXECUTE FUNCTION delivery_rests()""",
    """\
CREATE OR REPLACE FUNCTION delivery_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE id = NEW.id AND NOT EXISTS (
    SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
    AND p.topic = NEW.topic AND p.granted);
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_moves AFTER UPDATE OF contact_id, channel, topic ON delivery FOR EACH ROW
WHEN (NEW.basis IN ('consent', 'request') AND NEW.state IN ('planned', 'deferred', 'claimed'))
EXECUTE FUNCTION delivery_moves()""",
    """\
CREATE OR REPLACE FUNCTION permission_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- Locked in the order in which whoever sends them locks them.
  PERFORM 1 FROM delivery WHERE contact_id = NEW.contact_id AND channel = NEW.channel AND topic = NEW.topic
    AND basis = 'consent' AND state IN ('planned', 'deferred', 'claimed') ORDER BY id FOR UPDATE;
  UPDATE delivery SET
    consent_id = CASE WHEN NEW.granted THEN NEW.consent_id ELSE consent_id END,
    lapses_at = CASE WHEN NOT NEW.granted
      THEN least(lapses_at, greatest(NEW.at, coalesce(submitted_at + 1, 0)))
      WHEN NEW.expires_at IS NOT NULL THEN greatest(NEW.expires_at, coalesce(submitted_at + 1, 0)) END
  WHERE contact_id = NEW.contact_id AND channel = NEW.channel AND topic = NEW.topic AND basis = 'consent'
    AND state IN ('planned', 'deferred', 'claimed');
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER permission_changes AFTER UPDATE OF granted, expires_at, consent_id ON permission
FOR EACH ROW EXECUTE FUNCTION permission_changes()""",
    """\
CREATE OR REPLACE FUNCTION consent_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a consent is never written over: add another' USING ERRCODE = '23514';
END $$""",
    """\
CREATE OR REPLACE TRIGGER consent_stays
BEFORE UPDATE OF channel, topic, granted, at, source, legal_basis, text_hash, expires_at ON consent
FOR EACH ROW EXECUTE FUNCTION consent_stays()""",
)
