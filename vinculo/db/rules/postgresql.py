"""The triggers on PostgreSQL."""

TRIGGERS = (
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
CREATE OR REPLACE TRIGGER delivery_enters AFTER INSERT ON delivery REFERENCING NEW TABLE AS entered
FOR EACH STATEMENT EXECUTE FUNCTION delivery_enters()""",
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
  IF EXISTS (SELECT 1 FROM address a WHERE a.contact_id = OLD.id)
  OR EXISTS (SELECT 1 FROM consent c WHERE c.contact_id = OLD.id)
  OR EXISTS (SELECT 1 FROM permission p WHERE p.contact_id = OLD.id) THEN
    RAISE EXCEPTION 'this contact has an address, or has said yes or no' USING ERRCODE = '23503';
  END IF;
  RETURN NULL;
END $$""",
    """\
CREATE OR REPLACE TRIGGER contact_stays AFTER DELETE OR UPDATE OF id ON contact
FOR EACH ROW EXECUTE FUNCTION contact_stays()""",
    """\
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
    SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
    AND c.topic = NEW.topic AND c.expires_at = NEW.lapses_at) THEN
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
