"""PostgreSQL asks of all rows of a statement at once whether the contact of an address, a consent, a permission is there."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in ("address", "consent", "permission"):
            op.drop_constraint(f"fk_{table}_contact_id", table, type_="foreignkey")
        op.drop_constraint("fk_permission_consent_id", "permission", type_="foreignkey")
        for statement in _POSTGRESQL:
            op.get_bind().exec_driver_sql(statement)


_POSTGRESQL = (
    """\
CREATE OR REPLACE FUNCTION contact_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.id = OLD.id THEN
    RETURN NULL;
  END IF;
  -- Whoever plans looks for contacts and locks none: it must have ended, or not have begun.
  LOCK TABLE delivery IN SHARE ROW EXCLUSIVE MODE;
  IF EXISTS (SELECT 1 FROM delivery d WHERE d.contact_id = OLD.id) THEN
    RAISE EXCEPTION 'the ledger has deliveries of this contact' USING ERRCODE = '23503';
  END IF;
  IF EXISTS (SELECT 1 FROM address a WHERE a.contact_id = OLD.id)
  OR EXISTS (SELECT 1 FROM consent c WHERE c.contact_id = OLD.id)
  OR EXISTS (SELECT 1 FROM permission p WHERE p.contact_id = OLD.id) THEN
    RAISE EXCEPTION 'this contact has an address, or has said yes or no' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE FUNCTION entered_belong() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  parent text;
  entering bigint;
  there bigint;
BEGIN
  SELECT count(*) INTO entering FROM entered;
  FOREACH parent IN ARRAY TG_ARGV LOOP
    EXECUTE 'SELECT FROM entered e, LATERAL (
      SELECT FROM ' || parent || ' p WHERE p.id = e.' || parent || '_id FOR KEY SHARE) p';
    GET DIAGNOSTICS there = ROW_COUNT;
    IF there < entering THEN
      RAISE EXCEPTION USING ERRCODE = '23503',
        MESSAGE = 'a row of ' || TG_TABLE_NAME || ' names a ' || parent || ' that is not there';
    END IF;
  END LOOP;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER address_enters AFTER INSERT ON address REFERENCING NEW TABLE AS entered
FOR EACH STATEMENT EXECUTE FUNCTION entered_belong('contact')""",
    """\
CREATE OR REPLACE TRIGGER consent_enters AFTER INSERT ON consent REFERENCING NEW TABLE AS entered
FOR EACH STATEMENT EXECUTE FUNCTION entered_belong('contact')""",
    """\
CREATE OR REPLACE TRIGGER permission_enters AFTER INSERT ON permission REFERENCING NEW TABLE AS entered
FOR EACH STATEMENT EXECUTE FUNCTION entered_belong('contact', 'consent')""",
    """\
CREATE OR REPLACE FUNCTION contact_belongs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM contact c WHERE c.id = NEW.contact_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a row names a contact that is not there' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER address_moves AFTER UPDATE OF contact_id ON address FOR EACH ROW
WHEN (NEW.contact_id <> OLD.contact_id) EXECUTE FUNCTION contact_belongs()""",
    """\
CREATE OR REPLACE TRIGGER consent_moves AFTER UPDATE OF contact_id ON consent FOR EACH ROW
WHEN (NEW.contact_id <> OLD.contact_id) EXECUTE FUNCTION contact_belongs()""",
    """\
CREATE OR REPLACE TRIGGER permission_moves AFTER UPDATE OF contact_id ON permission FOR EACH ROW
WHEN (NEW.contact_id <> OLD.contact_id) EXECUTE FUNCTION contact_belongs()""",
    """\
CREATE OR REPLACE FUNCTION permission_rests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM consent c WHERE c.id = NEW.consent_id FOR KEY SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a permission names a consent that is not there' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER permission_rests AFTER UPDATE OF consent_id ON permission FOR EACH ROW
WHEN (NEW.consent_id <> OLD.consent_id) EXECUTE FUNCTION permission_rests()""",
    """\
CREATE OR REPLACE FUNCTION consent_named() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM permission p WHERE p.consent_id = OLD.id)
  AND NOT EXISTS (SELECT 1 FROM consent c WHERE c.id = OLD.id) THEN
    RAISE EXCEPTION 'a permission names this consent' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER consent_named AFTER DELETE OR UPDATE OF id ON consent
FOR EACH ROW EXECUTE FUNCTION consent_named()""",
)
