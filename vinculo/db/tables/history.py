"""What happened: interactions, the facts made of them, and what came in as it came."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Id, Instant, Json, contact_id, metadata, some, text

#: The conditions of partial indexes: a query uses one only if it says the same, with no parameter in it.
PURCHASED = "kind = 'purchased'"
ANSWER = "campaign <> '' AND kind <> 'sent' AND kind <> 'delivered'"

interaction = sa.Table(
    "interaction",
    metadata,
    sa.Column("id", Id, primary_key=True),
    contact_id(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    text("channel"),
    text("campaign"),
    text("occurrence"),
    sa.Column("delivery_id", Id),
    sa.Column("amount", sa.BigInteger),  # minor units
    sa.Column("worth", sa.BigInteger),  # a foreign amount in the project's currency; scoring works it out
    text("currency"),
    text("summary"),
    sa.Column("data", Json, nullable=False, server_default="{}"),
    text("source"),
    text("event_id"),
    sa.Index(None, "contact_id", "kind", "at"),
    # All that scoring asks of a purchase, in its order: the rows themselves are not read.
    some("ix_interaction_purchase", "contact_id", "at", "amount", "worth", "currency", where=PURCHASED),
    # Who answered a campaign, or the last five. What we send, and that it arrived, would be most of its rows.
    some("ix_interaction_answer", "campaign", "occurrence", "kind", "contact_id", "at", where=ANSWER),
    # From a delivery to what came back. Purchases, which are most rows, have none.
    sa.Index(
        "ix_interaction_delivery",
        "delivery_id",
        sqlite_where=sa.text("delivery_id IS NOT NULL"),
        postgresql_where=sa.text("delivery_id IS NOT NULL"),
    ),
    sa.Index(
        "uq_interaction_event",
        "source",
        "event_id",
        unique=True,
        sqlite_where=sa.text("event_id <> ''"),
        postgresql_where=sa.text("event_id <> ''"),
    ),
)

#: How many of a contact's newest events of a kind a row of `fact` names one by one.
DEPTH = 5

#: What segments ask for most, worked out from `interaction` (see `facts`) and kept up to date with it: how often a
#: contact did something of a kind, for how much, and when last. `at_1` is the newest; `facts.NEVER` where none is.
fact = sa.Table(
    "fact",
    metadata,
    contact_id(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),  # minor units, whatever the currency
    text("currency"),  # of all amounts; `*` when they have several, or one has none; "" without amounts
    *(sa.Column(f"at_{number}", sa.BigInteger, nullable=False) for number in range(1, DEPTH + 1)),
    # Who did it twice or more within a year is answered by this index alone.
    sa.Index("ix_fact_kind_at", "kind", "at_1", "at_2", "at_3", "contact_id"),
    # And who bought twice and then no more by this: it begins at those who did it twice. The kind comes first again
    # for SQLite, which would search by the other index otherwise.
    some("ix_fact_again", "kind", "at_2", "at_1", "contact_id", where=PURCHASED),
    sqlite_with_rowid=False,
)

#: Every event as it came, also those that match nobody.
inbound = sa.Table(
    "inbound",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("contact_id", Id),
    sa.Column("delivery_id", Id),
    text("outcome"),  # handled | unmatched | ignored
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.Column("times", sa.Integer, nullable=False, server_default="1"),  # hits of the web that are one opening or click
    sa.Column("webhook_id", Id),  # the request that it came in
    sa.UniqueConstraint("source", "event_id"),
    sa.Index(None, "contact_id"),
)

#: Every genuine request of a provider as it came, so that tomorrow's code can read it again.
webhook = sa.Table(
    "webhook",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),  # of its body and its id: the same request again is known by it
    sa.Column("received_at", Instant, nullable=False, index=True),
    sa.Column("headers", Json, nullable=False, server_default="{}"),
    sa.Column("body", sa.LargeBinary, nullable=False),
    text("outcome"),  # kept | read | unreadable
    sa.UniqueConstraint("channel", "digest"),
)

#: Openings that are counted without a person: of an occurrence, on a day (UTC), by whom.
tally = sa.Table(
    "tally",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("occurrence", sa.Text, primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("class", sa.Text, primary_key=True),  # human | proxy | machine
    sa.Column("number", sa.Integer, nullable=False, server_default="0"),
)
