"""No row of the ledger comes back to be sent, from whatever state, unless it rests on a live answer."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_GONE = "delivery_enters", "delivery_rests", "delivery_moves", "permission_changes"
#: What was over when its contact withdrew: until now an answer reached only what waited.
_LAPSE = """\
UPDATE delivery SET lapses_at = (
  SELECT max(p.at, coalesce(delivery.submitted_at + 1, 0)) FROM permission p
  WHERE p.contact_id = delivery.contact_id AND p.channel = delivery.channel AND p.topic = delivery.topic)
WHERE basis = 'consent' AND contact_id IN (SELECT contact_id FROM permission WHERE NOT granted)
AND EXISTS (
  SELECT 1 FROM permission p WHERE p.contact_id = delivery.contact_id AND p.channel = delivery.channel
  AND p.topic = delivery.topic AND NOT p.granted
  AND (delivery.lapses_at IS NULL OR delivery.lapses_at > max(p.at, coalesce(delivery.submitted_at + 1, 0))))"""


def upgrade() -> None:
    db = op.get_bind()
    sqlite = db.dialect.name == "sqlite"
    if sqlite:  # PostgreSQL asks what comes back, see `rules`
        for statement in (*(f"DROP TRIGGER {name}" for name in _GONE), _LAPSE):
            db.exec_driver_sql(statement)
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        db.exec_driver_sql(statement)


_SQLITE = (
    """\
CREATE TRIGGER delivery_enters AFTER INSERT ON delivery
WHEN NEW.state <> 'skipped' OR NEW.basis <> ''
BEGIN
  SELECT RAISE(ABORT, 'no live consent, and no other basis, permits this delivery') WHERE NOT CASE
    WHEN NEW.state = 'skipped' THEN 0
    WHEN NEW.basis = 'consent' THEN EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted AND p.consent_id = NEW.consent_id AND p.expires_at IS NEW.lapses_at)
    WHEN NEW.basis = 'service' THEN NEW.topic = 'service' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence
      AND json_extract(o.definition, '$.kind') = 'service')
    WHEN NEW.basis = 'request' THEN EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
      AND c.topic = NEW.topic AND c.confirmed_at IS NULL AND c.expires_at = NEW.lapses_at)
    WHEN NEW.basis = 'earlier' THEN NEW.state IN ('accepted', 'rejected', 'cancelled', 'expired')
      AND coalesce(NEW.lapses_at = coalesce(NEW.submitted_at + 1, 0), 0)
    ELSE 0 END;
END""",
    """\
CREATE TRIGGER delivery_rests BEFORE UPDATE OF basis, consent_id, lapses_at ON delivery
WHEN NOT (NEW.state = 'skipped' AND NEW.basis = '')
BEGIN
  SELECT RAISE(ABORT, 'no live consent, and no other basis, permits this delivery') WHERE NOT (
    NEW.basis = OLD.basis AND NEW.consent_id IS OLD.consent_id AND (NEW.lapses_at IS OLD.lapses_at
      OR NEW.lapses_at IS NOT NULL AND (OLD.lapses_at IS NULL OR NEW.lapses_at <= OLD.lapses_at))
    OR NEW.basis = 'consent' AND EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted
      AND (p.consent_id = NEW.consent_id OR OLD.basis = 'consent' AND NEW.consent_id IS OLD.consent_id)
      AND (p.expires_at IS NEW.lapses_at OR NEW.lapses_at = NEW.submitted_at + 1)));
END""",
    """\
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
    WHEN NEW.basis = 'consent' OR NEW.state IN ('planned', 'deferred', 'claimed') THEN NOT EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted) END;
END""",
    """\
CREATE TRIGGER permission_changes AFTER UPDATE OF contact_id, channel, topic, granted, expires_at, consent_id
ON permission
BEGIN
  UPDATE delivery SET
    consent_id = CASE WHEN NEW.granted AND state IN ('planned', 'deferred', 'claimed')
      THEN NEW.consent_id ELSE consent_id END,
    lapses_at = CASE
      WHEN NOT NEW.granted THEN min(coalesce(lapses_at, 9223372036854775807),
        max(NEW.at, coalesce(submitted_at + 1, 0)))
      WHEN state IN ('planned', 'deferred', 'claimed', 'submitting', 'in_doubt')
        THEN max(NEW.expires_at, coalesce(submitted_at + 1, 0))
      ELSE min(coalesce(lapses_at, 9223372036854775807), max(NEW.expires_at, coalesce(submitted_at + 1, 0))) END
  WHERE contact_id = NEW.contact_id AND channel = NEW.channel AND topic = NEW.topic AND basis = 'consent'
    AND (NEW.granted AND state IN ('planned', 'deferred', 'claimed', 'submitting', 'in_doubt')
      OR coalesce(lapses_at, 9223372036854775807) > CASE WHEN NEW.granted
        THEN coalesce(NEW.expires_at, 9223372036854775807) ELSE NEW.at END);
END""",
    """\
CREATE TRIGGER permission_moves AFTER UPDATE OF contact_id, channel, topic ON permission
WHEN NEW.contact_id <> OLD.contact_id OR NEW.channel <> OLD.channel OR NEW.topic <> OLD.topic
BEGIN
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE contact_id = OLD.contact_id AND channel = OLD.channel AND topic = OLD.topic AND basis = 'consent'
    AND (lapses_at IS NULL OR lapses_at > coalesce(submitted_at + 1, 0));
END""",
    """\
CREATE TRIGGER permission_goes AFTER DELETE ON permission
BEGIN
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE contact_id = OLD.contact_id AND channel = OLD.channel AND topic = OLD.topic AND basis = 'consent'
    AND (lapses_at IS NULL OR lapses_at > coalesce(submitted_at + 1, 0));
END""",
    """\
CREATE TRIGGER occurrence_frozen BEFORE UPDATE OF definition ON occurrence
WHEN json_extract(NEW.definition, '$.kind') IS NOT json_extract(OLD.definition, '$.kind')
BEGIN
  SELECT RAISE(ABORT, 'an occurrence keeps the kind that it was planned with');
END""",
)

_POSTGRESQL = (
    """\
CREATE OR REPLACE FUNCTION delivery_enters() RETURNS trigger LANGUAGE plpgsql SET enable_hashjoin = off AS $$
DECLARE
  place record;
  topics text[] := '{}';
  about text;
  lowest bigint;
  highest bigint;
  seen record;
  unpermitted bigint[];
  refused boolean := false;
BEGIN
  -- EXECUTE plans anew each time: what is good for one row is not for a million.
  FOR place IN EXECUTE 'SELECT campaign, occurrence, topic, min(contact_id) AS first, max(contact_id) AS last
    FROM entered GROUP BY campaign, occurrence, topic' LOOP
    PERFORM 1 FROM occurrence o WHERE o.campaign = place.campaign AND o.occurrence = place.occurrence FOR KEY SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'a delivery is of a contact and of an occurrence that are there' USING ERRCODE = '23503';
    END IF;
    topics := array_append(topics, place.topic);
    lowest := least(lowest, place.first);
    highest := greatest(highest, place.last);
  END LOOP;
  -- Gathered, and asked by CASE: the planner takes EXISTS for answered by the first rows, and expects next to none that
  -- are equal to a word; so it looked up each of a million. To merge by contacts, whose order planned rows have, is
  -- also cheaper than a table of hashes that is larger than the processor's caches.
  -- Of the permissions only those are read that may be meant: of these contacts, a topic at a time.
  FOR about IN SELECT DISTINCT unnest(topics) LOOP
    EXECUTE 'SELECT array_agg(e.id) FILTER (WHERE p.contact_id IS NULL)
      FROM entered e LEFT JOIN permission p ON p.contact_id = e.contact_id
        AND p.contact_id BETWEEN $2 AND $3 AND p.topic = $1 AND p.channel IS NOT DISTINCT FROM e.channel
        AND p.granted AND p.consent_id = e.consent_id AND p.expires_at IS NOT DISTINCT FROM e.lapses_at
      WHERE CASE WHEN e.basis = ''consent'' AND e.state <> ''skipped'' AND e.topic = $1 THEN true END'
    INTO unpermitted USING about, lowest, highest;
    CONTINUE WHEN unpermitted IS NULL;
    refused := refused OR current_setting('vinculo.plans', true) IS DISTINCT FROM 'yes';
    CONTINUE WHEN refused;
    -- Who has said no since the rows were worked out is left out; whom a newer yes permits keeps the one it had.
    EXECUTE 'SELECT count(*) AS rested, array_agg(d.id) FILTER (WHERE p.granted IS NOT TRUE) AS left_out
      FROM delivery d JOIN consent c ON c.id = d.consent_id AND c.granted AND c.contact_id = d.contact_id
        AND c.channel = d.channel AND c.topic = d.topic AND c.expires_at IS NOT DISTINCT FROM d.lapses_at
      LEFT JOIN permission p ON p.contact_id = d.contact_id AND p.channel = d.channel AND p.topic = d.topic
      WHERE d.id = ANY ($1)'
    INTO seen USING unpermitted;
    refused := seen.rested < cardinality(unpermitted);
    UPDATE delivery SET state = 'skipped', reason = 'no_consent', address = '', variant = '',
      basis = '', consent_id = NULL, lapses_at = NULL
    WHERE id = ANY (seen.left_out);
  END LOOP;
  -- Whoever has a permission is there.
  EXECUTE 'SELECT count(*) AS entering, count(c.id) AS known, bool_or(e.state <> ''skipped'') AS rested,
      bool_or(e.state = ''skipped'' AND e.basis <> '''') AS pretended
    FROM entered e LEFT JOIN contact c ON c.id = e.contact_id AND c.id BETWEEN $1 AND $2
    WHERE CASE WHEN e.basis = ''consent'' AND e.state <> ''skipped'' THEN false ELSE true END'
  INTO seen USING lowest, highest;
  IF seen.known < seen.entering THEN
    RAISE EXCEPTION 'a delivery is of a contact and of an occurrence that are there' USING ERRCODE = '23503';
  END IF;
  refused := refused OR coalesce(seen.pretended, false);
  IF seen.rested AND NOT refused THEN
    EXECUTE 'SELECT EXISTS (
      SELECT 1 FROM entered e
      WHERE e.basis <> ''consent'' AND e.state <> ''skipped''
      AND NOT (e.basis = ''earlier'' AND e.state IN (''accepted'', ''rejected'', ''cancelled'', ''expired'')
        AND e.lapses_at IS NOT DISTINCT FROM coalesce(e.submitted_at + 1, 0))
      AND NOT (e.basis = ''service'' AND (e.topic = ''service'' OR EXISTS (
        SELECT 1 FROM occurrence o WHERE o.campaign = e.campaign AND o.occurrence = e.occurrence
        AND o.definition ->> ''kind'' = ''service'')))
      AND NOT (e.basis = ''request'' AND EXISTS (
        SELECT 1 FROM confirmation c WHERE c.contact_id = e.contact_id AND c.channel = e.channel
        AND c.topic = e.topic AND c.confirmed_at IS NULL AND c.expires_at = e.lapses_at))
    )' INTO refused;
  END IF;
  IF refused THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE FUNCTION delivery_rests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT (
    NEW.basis = OLD.basis AND NEW.consent_id IS NOT DISTINCT FROM OLD.consent_id
    AND (NEW.lapses_at IS NOT DISTINCT FROM OLD.lapses_at
      OR NEW.lapses_at IS NOT NULL AND (OLD.lapses_at IS NULL OR NEW.lapses_at <= OLD.lapses_at))
    OR NEW.basis = 'consent' AND EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted
      AND (p.consent_id = NEW.consent_id
        OR OLD.basis = 'consent' AND NEW.consent_id IS NOT DISTINCT FROM OLD.consent_id)
      AND (p.expires_at IS NOT DISTINCT FROM NEW.lapses_at OR NEW.lapses_at = NEW.submitted_at + 1))
  ) THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_rests BEFORE UPDATE OF basis, consent_id, lapses_at ON delivery FOR EACH ROW
WHEN (NOT (NEW.state = 'skipped' AND NEW.basis = '')) EXECUTE FUNCTION delivery_rests()""",
    """\
CREATE OR REPLACE FUNCTION delivery_returns() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ends bigint;
  live boolean := false;
BEGIN
  IF NEW.basis = 'consent' THEN
    SELECT p.expires_at INTO ends FROM permission p
    WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel AND p.topic = NEW.topic AND p.granted;
    live := FOUND;
    IF live THEN
      NEW.lapses_at := CASE WHEN ends IS NOT NULL THEN greatest(ends, coalesce(NEW.submitted_at + 1, 0)) END;
    END IF;
  ELSIF NEW.basis = 'service' THEN
    live := NEW.topic = 'service' OR EXISTS (
      SELECT 1 FROM occurrence o WHERE o.campaign = NEW.campaign AND o.occurrence = NEW.occurrence
      AND o.definition ->> 'kind' = 'service');
  ELSIF NEW.basis = 'request' THEN
    live := EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
      AND c.topic = NEW.topic AND c.expires_at = NEW.lapses_at);
  END IF;
  IF NOT live THEN
    NEW.lapses_at := coalesce(NEW.submitted_at + 1, 0);
  END IF;
  IF NEW.state = 'submitting' AND (NOT live OR ends <= NEW.submitted_at) THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NEW;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_returns BEFORE UPDATE OF state ON delivery FOR EACH ROW
WHEN (NEW.state IN ('planned', 'deferred', 'claimed', 'submitting') AND NEW.state <> OLD.state
  AND (OLD.state NOT IN ('planned', 'deferred', 'claimed')
    OR NEW.state = 'submitting' AND NEW.submitted_at IS NOT DISTINCT FROM OLD.submitted_at))
EXECUTE FUNCTION delivery_returns()""",
    """\
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
    SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
    AND p.topic = NEW.topic AND p.granted) THEN
    RETURN NULL;
  END IF;
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0) WHERE id = NEW.id;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER delivery_moves AFTER UPDATE OF contact_id, channel, topic, campaign, occurrence ON delivery
FOR EACH ROW
WHEN (NEW.basis IN ('consent', 'service', 'request') AND NEW.state IN ('planned', 'deferred', 'claimed'))
EXECUTE FUNCTION delivery_moves()""",
    """\
CREATE OR REPLACE TRIGGER permission_changes
AFTER UPDATE OF contact_id, channel, topic, granted, expires_at, consent_id ON permission
FOR EACH ROW EXECUTE FUNCTION permission_changes()""",
    """\
CREATE OR REPLACE FUNCTION permission_goes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND NEW.contact_id = OLD.contact_id AND NEW.channel = OLD.channel AND NEW.topic = OLD.topic THEN
    RETURN NULL;
  END IF;
  UPDATE delivery SET lapses_at = coalesce(submitted_at + 1, 0)
  WHERE contact_id = OLD.contact_id AND channel = OLD.channel AND topic = OLD.topic AND basis = 'consent'
    AND state IN ('planned', 'deferred', 'claimed');
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER permission_goes AFTER DELETE OR UPDATE OF contact_id, channel, topic ON permission
FOR EACH ROW EXECUTE FUNCTION permission_goes()""",
    """\
CREATE OR REPLACE FUNCTION occurrence_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'an occurrence keeps the kind that it was planned with' USING ERRCODE = '23514';
END $$""",
    """\
CREATE OR REPLACE TRIGGER occurrence_frozen BEFORE UPDATE OF definition ON occurrence FOR EACH ROW
WHEN (NEW.definition ->> 'kind' IS DISTINCT FROM OLD.definition ->> 'kind') EXECUTE FUNCTION occurrence_frozen()""",
)
