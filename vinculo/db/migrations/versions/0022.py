"""A no, or a newer yes, that comes while an occurrence is planned on PostgreSQL is heeded, and no longer ends the plan."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(_DELIVERY_ENTERS)


_DELIVERY_ENTERS = """\
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
  EXECUTE 'SELECT count(*) AS entering, count(c.id) AS known, bool_or(e.state <> ''skipped'') AS rested
    FROM entered e LEFT JOIN contact c ON c.id = e.contact_id AND c.id BETWEEN $1 AND $2
    WHERE CASE WHEN e.basis = ''consent'' AND e.state <> ''skipped'' THEN false ELSE true END'
  INTO seen USING lowest, highest;
  IF seen.known < seen.entering THEN
    RAISE EXCEPTION 'a delivery is of a contact and of an occurrence that are there' USING ERRCODE = '23503';
  END IF;
  IF seen.rested AND NOT refused THEN
    EXECUTE 'SELECT EXISTS (
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
  END IF;
  IF refused THEN
    RAISE EXCEPTION 'no live consent, and no other basis, permits this delivery' USING ERRCODE = '23514';
  END IF;
  RETURN NULL;
END $$"""
