"""What a crowd's answers belong to: each to the delivery that it answers, each reply to a conversation."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from bench.crowd.calendar import NOW
from vinculo.db.tables import micros

#: Replies older than this were answered, and their conversations are closed.
_OPEN = timedelta(days=30)
_BELONGS = """
UPDATE interaction SET delivery_id = (
  SELECT d.id FROM delivery d WHERE d.campaign = interaction.campaign AND d.occurrence = interaction.occurrence
  AND d.contact_id = interaction.contact_id AND d.state = 'accepted')
WHERE campaign <> ''
"""
_CONVERSATIONS = """
INSERT INTO conversation (id, contact_id, state, channel, topic, campaign, subject, intent, opened_at, answered_at,
                          owed_at, changed_at, closed_at)
SELECT id, contact_id, CASE WHEN at > :open THEN 'open' ELSE 'closed' END, channel, 'news', campaign,
       'Re: ' || campaign, 'question', at, CASE WHEN at > :open THEN NULL ELSE at + :hour END,
       CASE WHEN at > :open THEN at END, CASE WHEN at > :open THEN at ELSE at + :hour END,
       CASE WHEN at > :open THEN NULL ELSE at + :hour END
FROM interaction WHERE kind = 'replied'
"""
_TURNS = """
INSERT INTO turn (contact_id, conversation_id, at, kind, text, subject, channel, delivery_id)
SELECT i.contact_id, i.id, i.at, 'received', 'A que horas abre a loja no domingo?', 'Re: ' || i.campaign, i.channel,
       i.delivery_id
FROM interaction i WHERE i.kind = 'replied'
"""


def belong(db: sa.Connection) -> None:
    """Give each answer the delivery that it answers, where the ledger has it, and each reply its conversation."""
    times = {"open": micros(NOW - _OPEN), "hour": timedelta(hours=1) // timedelta(microseconds=1)}
    db.execute(sa.text(_BELONGS))
    db.execute(sa.text(_CONVERSATIONS), times)
    db.execute(sa.text(_TURNS))
