"""The triggers on SQLite.

A trigger on each change of state would cost half of what it takes to claim, hand over and settle a row. So an answer
reaches the contact's rows in every state: what is over, too, has lapsed by the time somebody opens it again.

One way stays open here, which PostgreSQL closes: a row that was handed over before, and lapsed since, passes if a
statement of somebody else's makes it `submitting` and leaves `submitted_at` as it was. Ours always writes both.
"""

TRIGGERS = (
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
    WHEN NEW.basis = 'consent' THEN NOT EXISTS (
      SELECT 1 FROM permission p WHERE p.contact_id = NEW.contact_id AND p.channel = NEW.channel
      AND p.topic = NEW.topic AND p.granted)
    WHEN NEW.state IN ('planned', 'deferred', 'claimed') THEN NOT EXISTS (
      SELECT 1 FROM confirmation c WHERE c.contact_id = NEW.contact_id AND c.channel = NEW.channel
      AND c.topic = NEW.topic AND c.expires_at = NEW.lapses_at) END;
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
    """\
CREATE TRIGGER consent_stays
BEFORE UPDATE OF channel, topic, granted, at, source, legal_basis, text_hash, expires_at ON consent
BEGIN
  SELECT RAISE(ABORT, 'a consent is never written over: add another');
END""",
)
