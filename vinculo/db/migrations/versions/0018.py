"""What this transaction has made itself PostgreSQL neither locks nor asks for row by row when many rows name it."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_ENTERED_BELONG)


_ENTERED_BELONG = """\
CREATE OR REPLACE FUNCTION entered_belong() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  entering bigint;
  there bigint;
  lowest bigint;
  highest bigint;
BEGIN
  SELECT count(*) INTO entering FROM entered;
  FOREACH parent IN ARRAY TG_ARGV LOOP
    IF entering >= 100 THEN
      -- Where many come in, this transaction has mostly just made what they name: that nobody else can take away.
      EXECUTE 'SELECT min(' || parent || '_id), max(' || parent || '_id) FROM entered' INTO lowest, highest;
      IF highest - lowest < 10 * entering THEN
        EXECUTE 'SELECT count(*) FROM ' || parent || ' WHERE id BETWEEN $1 AND $2
          AND xmin = pg_current_xact_id()::xid' INTO there USING lowest, highest;
        CONTINUE WHEN there = highest - lowest + 1;
      END IF;
    END IF;
    EXECUTE 'SELECT FROM entered e, LATERAL (
      SELECT FROM ' || parent || ' p WHERE p.id = e.' || parent || '_id FOR KEY SHARE) p';
    GET DIAGNOSTICS there = ROW_COUNT;
    IF there < entering THEN
      RAISE EXCEPTION USING ERRCODE = '23503',
        MESSAGE = 'a row of ' || TG_TABLE_NAME || ' names a ' || parent || ' that is not there';
    END IF;
  END LOOP;
  RETURN NULL;
END $$"""
