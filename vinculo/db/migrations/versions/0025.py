"""A message that asks to confirm a yes goes on where its request moves with a merge, whatever was said before.

Until then it rested on a yes to the topic, which only who asks anew has. 0024 is as databases have it.
"""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    db = op.get_bind()
    if db.dialect.name == "sqlite":
        db.exec_driver_sql("DROP TRIGGER delivery_moves")
        db.exec_driver_sql(_SQLITE)
    else:
        db.exec_driver_sql(_POSTGRESQL)


_SQLITE = """\
CREATE TRIGGER delivery_moves AFTER UPDATE OF contact_id, channel, topic, campaign, occurrence ON delivery
WHEN NEW.basis IN ('consent', 'service', 'request')
BEGIN
  UPDATE delivery SET (consent_id, lapses_at) = (
    SELECT CASE WHEN NEW.state IN ('planned', 'deferred', 'claimed') THEN p.consent_id ELSE NEW.consent_id END,
      max(p.expires_at, coalesce(NEW.submitted_at + 1, 0))
    FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel AND p.topic = NEW.topic
    AND p.granted)
  WHERE id = NEW.id AND NEW.basis = 'consent' AND EXISTS (
    SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
    AND p.topic = NEW.topic AND p.granted);
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE id = NEW.id AND CASE
    WHEN NEW.basis = 'service' THEN NEW.topic <> 'service' AND NOT EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence
      AND json_extract(o.definition, '$.kind') = 'service')
    WHEN NEW.basis = 'consent' THEN NOT EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted)
    WHEN NEW.state IN ('planned', 'deferred', 'claimed') THEN NOT EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
      AND c.topic = NEW.topic AND c.expires_at = NEW.lapses_at) END;
END"""

_POSTGRESQL = """\
CREATE OR REPLACE FUNCTION delivery_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.basis = 'consent' THEN
    UPDATE delivery d SET consent_id = p.consent_id,
      lapses_at = CASE WHEN p.expires_at IS NOT NULL THEN greatest(p.expires_at, coalesce(d.submitted_at + 1, 0)) END
    FROM permission p WHERE d.id = NEW.id AND p.contact_id = NEW.contact_id AND p.channel = NEW.channel
    AND p.topic = NEW.topic AND p.granted;
    IF FOUND THEN
      RETURN NULL;
    END IF;
  ELSIF NEW.basis = 'service' THEN
    IF NEW.topic = 'service' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence
      AND o.definition ->> 'kind' = 'service') THEN
      RETURN NULL;
    END IF;
  ELSIF EXISTS (
    SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
    AND c.topic = NEW.topic AND c.expires_at = NEW.lapses_at) THEN
    RETURN NULL;
  END IF;
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0) WHERE id = NEW.id;
  RETURN NULL;
END $$"""
