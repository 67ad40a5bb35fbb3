"""How fast it may leave."""

from __future__ import annotations

import sqlalchemy as sa

from vinculo.db.tables.column import Instant, metadata, text

#: What holds for a channel (`email`) or a mail domain (`@gmail.com`) besides vinculo.toml: what an operator
#: ordered, and what its own replies have taught us.
rate = sa.Table(
    "rate",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    text("ordered"),  # "20/s"; "" when nobody ordered anything
    text("ordered_by"),
    sa.Column("pace", sa.Float),  # messages a second from slowed_at on, growing again
    sa.Column("slowed_at", Instant),
    sa.Column("until", Instant),  # nothing leaves before
    text("reason"),
    sa.Column("changed_at", Instant, nullable=False),
)

#: The token bucket of a channel or mail domain that has a rate or a daily cap, shared by all workers.
bucket = sa.Table(
    "bucket",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("next_at", Instant, nullable=False),  # when its next token is there
    text("day"),
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
