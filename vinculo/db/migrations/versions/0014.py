"""PostgreSQL asks of all rows of a statement at once whether their contacts are there; who has no zone, by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    few = sa.text("timezone = ''")
    op.create_index("ix_contact_homeless", "contact", ["country"], sqlite_where=few, postgresql_where=few)
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint("fk_delivery_contact_id", "delivery", type_="foreignkey")
        op.drop_constraint("fk_delivery_campaign_occurrence", "delivery", type_="foreignkey")
        for statement in _POSTGRESQL:
            op.get_bind().exec_driver_sql(statement)


_POSTGRESQL = (
    """\
CREATE OR REPLACE FUNCTION delivery_enters() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  place record;
  refused boolean;
BEGIN
  -- EXECUTE plans anew each time: what is good for one row is not for a million.
  FOR place IN EXECUTE 'SELECT e.campaign, e.occurrence, bool_and(c.id IS NOT NULL) AS known
    FROM entered e LEFT JOIN contact c ON c.id = e.contact_id GROUP BY e.campaign, e.occurrence'
  LOOP
    PERFORM 1 FROM occurrence o WHERE o.campaign = place.campaign AND o.occurrence = place.occurrence FOR KEY SHARE;
    IF NOT FOUND OR NOT place.known THEN
      RAISE EXCEPTION 'a delivery is of a contact and of an occurrence that are there' USING ERRCODE = '23503';
    END IF;
  END LOOP;
  EXECUTE 'SELECT EXISTS (
    SELECT 1 FROM entered e LEFT JOIN permission p ON p.contact_id = e.contact_id AND p.channel = e.channel
      AND p.topic = e.topic AND p.granted AND p.consent_id = e.consent_id
      AND p.expires_at IS NOT DISTINCT FROM e.lapses_at
    WHERE e.basis = ''consent'' AND e.state <> ''skipped'' AND p.contact_id IS NULL
  ) OR EXISTS (
    SELECT 1 FROM entered e
    WHERE e.basis <> ''consent'' AND e.state <> ''skipped''
    AND NOT (e.basis = ''earlier'' AND e.state IN (''accepted'', ''rejected'', ''cancelled'', ''expired''))
    AND NOT (e.basis = ''service'' AND (e.topic = ''service'' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = e.campaign AND o.occurrence = e.occurrence
      AND o.definition ->> ''kind'' = ''service'')))
    AND NOT (e.basis = ''request'' AND EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = e.contact_id AND c.channel = e.channel
      AND c.topic = e.topic AND c.confirmed_at IS NULL AND c.expires_at = e.lapses_at))
  )' INTO refused;
  IF refused THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE FUNCTION delivery_belongs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM contact c WHERE c.id = NEW.contact_id FOR KEY SHARE;
  IF FOUND THEN
    PERFORM 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence FOR KEY SHARE;
  END IF;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'a delivery is of a contact and of an occurrence that are there' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_belongs AFTER UPDATE OF contact_id, campaign, occurrence ON delivery
FOR EACH ROW EXECUTE FUNCTION delivery_belongs()""",
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
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER contact_stays AFTER DELETE OR UPDATE OF id ON contact
FOR EACH ROW EXECUTE FUNCTION contact_stays()""",
    """\
CREATE OR REPLACE FUNCTION occurrence_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.campaign = OLD.campaign AND NEW.occurrence = OLD.occurrence THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT 1 FROM delivery d WHERE d.campaign = OLD.campaign AND d.occurrence = OLD.occurrence) THEN
    RAISE EXCEPTION 'the ledger has deliveries of this occurrence' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER occurrence_stays AFTER DELETE OR UPDATE OF campaign, occurrence ON occurrence
FOR EACH ROW EXECUTE FUNCTION occurrence_stays()""",
)
