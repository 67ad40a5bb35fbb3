"""The tables. Instants are microseconds since 1970 UTC, the same on SQLite and PostgreSQL, so that a marketer's
`.sql` segment can say `at > :now - 90 * :day` and mean the same on both.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from vinculo.db import rules

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: SQLite numbers rows itself only for the type INTEGER; elsewhere ids are 64 bits.
Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def micros(instant: datetime) -> int:
    """Microseconds since 1970 UTC. Raises `ValueError` for a naive datetime: a moment without a zone is no moment."""
    if instant.tzinfo is None:
        raise ValueError(f"{instant!r} has no time zone")
    return (instant - _EPOCH) // _MICROSECOND


def moment(micros: int) -> datetime:
    """The instant so many microseconds after 1970 UTC."""
    return _EPOCH + timedelta(microseconds=micros)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970 UTC."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        return micros(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        return None if value is None else moment(value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", **options)


def _contact_id(**options: Any) -> sa.Column[int]:
    return sa.Column("contact_id", Id, sa.ForeignKey("contact.id"), nullable=False, **options)


def _some(name: str, *columns: str, where: str) -> sa.Index:
    """An index of the rows that meet *where* alone."""
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


#: The conditions of partial indexes: a query uses one only if it says the same, with no parameter in it.
WAITING = "state IN ('planned', 'deferred')"
IN_DOUBT = "state = 'in_doubt'"
PURCHASED = "kind = 'purchased'"
ANSWER = "campaign <> '' AND kind <> 'sent' AND kind <> 'delivered'"


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────
contact = sa.Table(
    "contact",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    _text("kind"),
    _text("given_name"),
    _text("family_name"),
    _text("language"),
    _text("country"),
    _text("region"),
    _text("city"),
    _text("timezone"),
    # What each was inferred from, `phone` or `country`; "" when somebody said it, or nobody knows.
    _text("language_from"),
    _text("country_from"),
    _text("timezone_from"),
    sa.Column("birthdate", sa.Date),
    _text("birthday"),  # "MM-DD", so that a birthday is an index look-up on every database
    _text("owner"),
    _text("source"),
    sa.Column("traits", Json, nullable=False, server_default="{}"),
    sa.Column("first_seen", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("erased_at", Instant),
    sa.Index(None, "country"),
    sa.Index(None, "birthday"),
    _some("ix_contact_erased", "id", where="erased_at IS NOT NULL"),  # few: who is not in any segment
    sqlite_autoincrement=True,  # an id must never come back: tokens in old mail name it
)

alias = sa.Table("alias", metadata, sa.Column("key", sa.Text, primary_key=True), _contact_id(index=True))

#: What other systems call the contact: the shop's number, the till's, the CRM's.
identifier = sa.Table(
    "identifier",
    metadata,
    _contact_id(primary_key=True),
    sa.Column("system", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, primary_key=True),
    sa.Index(None, "system", "value"),
)

#: Which contact became part of which, why, and all that it takes to part them again.
merging = sa.Table(
    "merging",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(index=True),  # the one that stayed
    sa.Column("joined_id", Id, sa.ForeignKey("contact.id"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    _text("reason"),
    sa.Column("undone_at", Instant),
    _text("undone_reason"),
    sa.Column("before", Json, nullable=False, server_default="{}"),
)

tag = sa.Table(
    "tag",
    metadata,
    _contact_id(primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Index(None, "name", "contact_id"),
)

address = sa.Table(
    "address",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),  # consent.address_hash: what the suppression list holds
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),
    sa.Column("added_at", Instant, nullable=False),
    sa.UniqueConstraint("contact_id", "channel", "value"),
    sa.Index(None, "channel", "value"),
    sa.Index(None, "channel", "hash"),
)

preference = sa.Table(
    "preference",
    metadata,
    _contact_id(primary_key=True),
    sa.Column("name", sa.Text, primary_key=True),  # channel | frequency | language | pause_until
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

# ── may we write? ────────────────────────────────────────────────────────────────────────────────────────────────
consent = sa.Table(
    "consent",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("granted", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("at", Instant, nullable=False),
    _text("source"),
    _text("legal_basis"),
    _text("text_hash"),
    sa.Column("expires_at", Instant),
    sa.Index(None, "contact_id", "channel", "topic"),
)

#: The live answer of `consent` per contact, channel and topic, kept up to date in the same transaction.
permission = sa.Table(
    "permission",
    metadata,
    _contact_id(primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("granted", sa.Boolean(create_constraint=False), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("consent_id", Id, sa.ForeignKey("consent.id"), nullable=False),
)

#: What a contact was asked to confirm by a message before it counts as consent. Unconfirmed, it permits nothing.
confirmation = sa.Table(
    "confirmation",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("asked_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("confirmed_at", Instant),
    _text("source"),
    _text("text_hash"),
    sa.Index(None, "contact_id", "channel", "topic"),
    sqlite_autoincrement=True,  # tokens in old mail name the id
)

suppression = sa.Table(
    "suppression",
    metadata,
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("address_hash", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, nullable=False),  # hard_bounce | complaint | request | erasure | manual
    _text("source"),
    sa.Column("at", Instant, nullable=False),
)

# ── what happened ────────────────────────────────────────────────────────────────────────────────────────────────
interaction = sa.Table(
    "interaction",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(),
    sa.Column("at", Instant, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    _text("channel"),
    _text("campaign"),
    _text("occurrence"),
    sa.Column("delivery_id", Id),
    sa.Column("amount", sa.BigInteger),  # minor units
    sa.Column("worth", sa.BigInteger),  # a foreign amount in the project's currency; scoring works it out
    _text("currency"),
    _text("summary"),
    sa.Column("data", Json, nullable=False, server_default="{}"),
    _text("source"),
    _text("event_id"),
    sa.Index(None, "contact_id", "kind", "at"),
    # All that scoring asks of a purchase, in its order: the rows themselves are not read.
    _some("ix_interaction_purchase", "contact_id", "at", "amount", "worth", "currency", where=PURCHASED),
    # Who answered a campaign, or the last five. What we send, and that it arrived, would be most of its rows.
    _some("ix_interaction_answer", "campaign", "occurrence", "kind", "contact_id", "at", where=ANSWER),
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
    _contact_id(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=False),  # minor units, whatever the currency
    _text("currency"),  # of all amounts; `*` when they have several, or one has none; "" without amounts
    *(sa.Column(f"at_{number}", sa.BigInteger, nullable=False) for number in range(1, DEPTH + 1)),
    # "Twice or more within a year" is answered by this index alone.
    sa.Index("ix_fact_kind_at", "kind", "at_1", "at_2", "at_3"),
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
    _text("outcome"),  # handled | unmatched | ignored
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
    _text("outcome"),  # kept | read | unreadable
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

score = sa.Table(
    "score",
    metadata,
    _contact_id(primary_key=True),
    sa.Column("recency", sa.Float),  # days since the last purchase
    sa.Column("frequency", sa.Integer, nullable=False, server_default="0"),
    sa.Column("value", sa.BigInteger, nullable=False, server_default="0"),  # minor units, project's currency
    sa.Column("r", sa.Integer),
    sa.Column("f", sa.Integer),
    sa.Column("m", sa.Integer),
    _text("rfm"),  # "5-3-4", as the history was last told
    _text("stage"),
    sa.Column("engagement", sa.Float, nullable=False, server_default="0"),  # 0 to 100
    sa.Column("unrated", sa.Integer, nullable=False, server_default="0"),  # purchases whose currency has no rate
    sa.Column("alive", sa.Float),  # probability that the contact will buy again
    sa.Column("alive_low", sa.Float),
    sa.Column("alive_high", sa.Float),
    sa.Column("expected", sa.Float),  # purchases expected in the next year
    sa.Column("expected_low", sa.Float),
    sa.Column("expected_high", sa.Float),
    sa.Column("lifetime_value", sa.BigInteger),  # minor units expected in the next year
    sa.Column("lifetime_low", sa.BigInteger),
    sa.Column("lifetime_high", sa.BigInteger),
    sa.Column("next_at", Instant),  # by when the contact will have bought again, as likely as not
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "stage"),
)

point = sa.Table(
    "point",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.UniqueConstraint("contact_id", "reason", "reference"),
)

journey = sa.Table(
    "journey",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _contact_id(primary_key=True),
    sa.Column("entered_at", Instant, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("next_at", Instant),
    sa.Column("state", sa.Text, nullable=False),  # walking | done | left
    sa.Index(None, "state", "next_at"),
)

# ── what is sent ─────────────────────────────────────────────────────────────────────────────────────────────────
occurrence = sa.Table(
    "occurrence",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("occurrence", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # held | open | finished | cancelled
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("planned_at", Instant, nullable=False),
    sa.Column("finished_at", Instant),
    #: The campaign as it was when it was planned: a file edited in mid-send changes nothing, any worker can read it.
    sa.Column("definition", Json, nullable=False),
    _text("approved_by"),
    sa.Index(None, "state", "due_at"),
)

control = sa.Table(
    "control",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # paused | cancelled
    sa.Column("at", Instant, nullable=False),
    _text("reason"),
)

delivery = sa.Table(
    "delivery",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("occurrence", sa.Text, nullable=False),
    _contact_id(),
    sa.Column("state", sa.Text, nullable=False),
    _text("reason"),
    _text("channel"),
    _text("address"),
    _text("topic"),
    _text("variant"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="50"),
    sa.Column("due_at", Instant, nullable=False),  # not before; moved by a deferral
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("crashes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
    _text("worker"),
    sa.Column("lease_until", Instant),
    sa.Column("submitted_at", Instant),
    sa.Column("settled_at", Instant),
    _text("provider_id"),
    _text("response"),
    #: Handed over, no answer, and to be sent again: whatever becomes of it, the provider may have the first.
    sa.Column("lost_at", Instant),
    #: On what it rests that we may write (`rules`): consent | service | request | earlier; "" when it is left out.
    _text("basis"),
    sa.Column("consent_id", Id),
    sa.Column("lapses_at", Instant),  # from then on it rests on nothing
    sa.CheckConstraint(rules.PERMITTED, "ck_delivery_permitted"),
    sa.CheckConstraint(rules.LAPSED, "ck_delivery_lapsed"),
    sa.UniqueConstraint("campaign", "occurrence", "contact_id"),
    sa.ForeignKeyConstraint(["campaign", "occurrence"], ["occurrence.campaign", "occurrence.occurrence"]),
    # Partial, so that most rows are in none and a handover touches one. Queries must say a state in these very words.
    _some("ix_delivery_waiting", "campaign", "occurrence", "due_at", "id", where=WAITING),  # claims go in this order
    _some("ix_delivery_held", "lease_until", where="lease_until IS NOT NULL"),
    _some("ix_delivery_in_doubt", "campaign", "occurrence", where=IN_DOUBT),
    sa.Index(None, "contact_id", "due_at"),
    sqlite_autoincrement=True,  # tokens in old mail name the id
)

# ── what we owe an answer ────────────────────────────────────────────────────────────────────────────────────────
#: What a contact wrote that wants an answer, and all that was said since.
conversation = sa.Table(
    "conversation",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(),
    sa.Column("state", sa.Text, nullable=False),  # open: we owe an answer | waiting: for the contact | closed
    _text("channel"),
    _text("topic"),
    _text("campaign"),  # of the message that was answered, if it was one
    _text("subject"),
    _text("intent"),
    sa.Column("negative", sa.Boolean(create_constraint=False), nullable=False, server_default=sa.false()),
    _text("owner"),  # whoever took it or was handed it; "": the contact's, else the topic's
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),  # a person's first answer
    sa.Column("owed_at", Instant),  # since when we owe an answer
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Index(None, "contact_id", "state"),
    sa.Index(None, "state", "changed_at"),
    sa.Index(None, "opened_at"),
    sqlite_autoincrement=True,  # an address of the console names it
)

#: One line of a conversation: what was said, either way, or done. A confirmation belongs to none.
turn = sa.Table(
    "turn",
    metadata,
    sa.Column("id", Id, primary_key=True),
    _contact_id(index=True),
    sa.Column("conversation_id", Id, sa.ForeignKey("conversation.id")),
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # received | answered | automatic | confirmed | taken | …
    _text("author"),
    _text("text"),
    _text("subject"),
    _text("channel"),
    _text("address"),
    _text("message_id"),  # of the mail received, or of the one that is answered
    _text("thread"),  # its References, apart by blanks
    sa.Column("delivery_id", Id),  # of our answer; of a mail received: of the message that it answers
    _text("said_in"),  # the event or the form it comes from: each is taken once
    sa.Index(None, "conversation_id", "id"),
    _some("ix_turn_delivery", "delivery_id", where="delivery_id IS NOT NULL"),
    _some("ix_turn_message", "message_id", where="message_id <> ''"),
    sa.Index(
        "uq_turn_said_in",
        "contact_id",
        "said_in",
        unique=True,
        sqlite_where=sa.text("said_in <> ''"),
        postgresql_where=sa.text("said_in <> ''"),
    ),
    sqlite_autoincrement=True,  # the ledger's keys name it
)

# ── how fast it may leave ────────────────────────────────────────────────────────────────────────────────────────
#: What holds for a channel (`email`) or a mail domain (`@gmail.com`) besides vinculo.toml: what an operator
#: ordered, and what its own replies have taught us.
rate = sa.Table(
    "rate",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    _text("ordered"),  # "20/s"; "" when nobody ordered anything
    _text("ordered_by"),
    sa.Column("pace", sa.Float),  # messages a second from slowed_at on, growing again
    sa.Column("slowed_at", Instant),
    sa.Column("until", Instant),  # nothing leaves before
    _text("reason"),
    sa.Column("changed_at", Instant, nullable=False),
)

#: The token bucket of a channel or mail domain that has a rate or a daily cap, shared by all workers.
bucket = sa.Table(
    "bucket",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next_at", Instant, nullable=False),  # when its next token is there
    _text("day"),
    sa.Column("spent", sa.Integer, nullable=False, server_default="0"),  # tokens of that day
)

#: What came back badly from an occurrence, and from how many of either on it is judged again.
setback = sa.Table(
    "setback",
    metadata,
    sa.Column("campaign", sa.Text, primary_key=True),
    sa.Column("occurrence", sa.Text, primary_key=True),
    sa.Column("bounced", sa.Integer, nullable=False, server_default="0"),
    sa.Column("complained", sa.Integer, nullable=False, server_default="0"),
    sa.Column("bounced_look", sa.Integer, nullable=False, server_default="1"),
    sa.Column("complained_look", sa.Integer, nullable=False, server_default="1"),
    # Where the count began anew, when its campaign was paused for it.
    sa.Column("bounced_before", sa.Integer, nullable=False, server_default="0"),
    sa.Column("complained_before", sa.Integer, nullable=False, server_default="0"),
    sa.Column("sent_before", sa.Integer, nullable=False, server_default="0"),
)

link = sa.Table(
    "link",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("url", sa.Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

# ── our own notes ────────────────────────────────────────────────────────────────────────────────────────────────
#: Poll cursors, remembered column mappings of imports, the secret's fingerprint.
note = sa.Table(
    "note", metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
)


@sa.event.listens_for(metadata, "after_create")
def _hold_to_the_rules(target: sa.MetaData, db: sa.Connection, *, tables: Any, **_: Any) -> None:
    """Whoever makes the tables makes their triggers, too."""
    del target
    if delivery in tables:
        rules.install(db)
