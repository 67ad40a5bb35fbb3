"""The words of the domain as frozen values. No I/O here; the glossary in docs/glossary.md explains each word."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

NOTHING: Mapping[str, Any] = MappingProxyType({})
#: What a contact may choose. `pause_until`: an ISO instant; `frequency`: what `consent.often` reads.
PREFERENCES = ("channel", "frequency", "language", "pause_until")


def storable(text: str) -> str:
    """*text* as every database takes it: without NUL, and without half of a pair, which UTF-7 and cut SMS may hold."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def json_number(text: str) -> int | float:
    """Read a number of JSON (RFC 8259 §6) that every database keeps, and compares with others. Raises `ValueError`."""
    read = float(text)
    if not math.isfinite(read):  # also of a whole one beyond 1.8e308: PostgreSQL ends what compares it
        raise ValueError(f"{text[:40]} is no number that every database keeps")
    return int(text) if text.lstrip("-").isdigit() else read


class ContactKind(StrEnum):
    """How a contact is related to the company."""

    CUSTOMER = "customer"
    LEAD = "lead"
    STAFF = "staff"
    PARTNER = "partner"


class CampaignKind(StrEnum):
    """What a campaign is. `service` messages (receipts, changes of an order) are exempt from frequency caps."""

    NEWSLETTER = "newsletter"
    PROMOTION = "promotion"
    EVENT = "event"
    SERVICE = "service"
    SURVEY = "survey"
    SOCIAL = "social"


class EventKind(StrEnum):
    """What came back, or happened. A kind a provider invents is kept as `unknown`, never dropped."""

    #: The provider put the message in its queue.
    QUEUED = "queued"
    #: We, or the provider, handed the message to the receiving side.
    SENT = "sent"
    #: The provider refused to send the message.
    REJECTED = "rejected"
    #: The provider could not send the message, through no fault of the contact.
    FAILED = "failed"
    #: The receiving side asked to try again later.
    DEFERRED = "deferred"
    #: The receiving side took the message.
    DELIVERED = "delivered"
    #: The receiving side gave the message back.
    BOUNCED = "bounced"
    #: The contact marked the message as spam.
    COMPLAINED = "complained"
    #: Somebody, or something, loaded the message's images.
    OPENED = "opened"
    #: Somebody, or something, followed a link of the message.
    CLICKED = "clicked"
    #: The contact wrote back.
    REPLIED = "replied"
    #: A machine wrote back for the contact (vacation, out of office).
    AUTO_REPLIED = "auto_replied"
    #: The contact withdrew consent.
    UNSUBSCRIBED = "unsubscribed"
    #: The contact gave consent.
    SUBSCRIBED = "subscribed"
    #: The contact bought something.
    PURCHASED = "purchased"
    #: The contact visited a page or a shop.
    VISITED = "visited"
    #: The contact answered a survey.
    SURVEYED = "surveyed"
    #: The contact wrote to us, not in answer to a message of ours.
    INBOUND = "inbound"
    #: Our own note: the contact moved to another stage of its life cycle.
    SCORED = "scored"
    #: Our own note: another contact was joined into this one.
    MERGED = "merged"
    #: Our own note: a contact that had been joined into this one was taken out again.
    PARTED = "parted"
    #: A kind we have no word for; the raw event is kept.
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Which way an interaction went."""

    OUT = "out"
    IN = "in"


class DeliveryState(StrEnum):
    """The states of a row of the ledger; DESIGN's drawing of them is in docs/ledger.md."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SUBMITTING = "submitting"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    IN_DOUBT = "in_doubt"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


#: Nothing more will happen to a row in one of these states.
FINAL = frozenset(
    {
        DeliveryState.ACCEPTED,
        DeliveryState.REJECTED,
        DeliveryState.SKIPPED,
        DeliveryState.CANCELLED,
        DeliveryState.EXPIRED,
    }
)


class SkipReason(StrEnum):
    """Why a contact of the segment does not get the message, in the order in which the audience asks."""

    #: On the campaign's `exclude` list of segments.
    EXCLUDED = "excluded"
    #: No address on any channel of the campaign.
    NO_ADDRESS = "no_address"
    #: Every address on those channels is suppressed.
    SUPPRESSED = "suppressed"
    #: No live consent for the topic on a channel that reaches the contact.
    NO_CONSENT = "no_consent"
    #: The channels that reach the contact cost more than its value pays for (policy.yaml, `routing`).
    TOO_COSTLY = "too_costly"
    #: The contact asked for a pause.
    PAUSED = "paused"
    #: The contact's reproach is not dealt with yet: no promotion until its conversation is closed.
    REPROACH = "reproach"
    #: Left out on purpose, to measure.
    HOLDOUT = "holdout"
    #: Another contact of the same occurrence has the same address.
    DUPLICATE_ADDRESS = "duplicate_address"
    #: The contact has had as many messages as the policy, or the contact's own wish, allows.
    FREQUENCY_CAP = "frequency_cap"
    #: Quiet hours last until after the occurrence is too old to send.
    QUIET_HOURS = "quiet_hours"
    #: The template cannot be rendered for this contact.
    RENDER_ERROR = "render_error"
    #: Three crashes on this row: a person must look.
    QUARANTINED = "quarantined"
    #: The occurrence came too late, and the campaign says `else: skip`.
    MISSED = "missed"


#: ISO 4217: the currencies whose minor unit is not a hundredth.
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


def decimals(currency: str) -> int:
    """Return how many decimals a currency has: BRL 2, CLP 0, KWD 3."""
    return _DECIMALS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount in minor units (cents) of a currency (ISO 4217 code)."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.minor).scaleb(-decimals(self.currency))


@dataclass(frozen=True, slots=True)
class Address:
    """Where a channel reaches a contact: a mailbox, a number (E.164), a handle. `value` is normalised."""

    channel: str
    value: str


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or organisation we relate to, as segments and templates see it."""

    id: int
    key: str
    kind: ContactKind = ContactKind.CUSTOMER
    given_name: str = ""
    family_name: str = ""
    language: str = ""
    country: str = ""
    region: str = ""
    city: str = ""
    timezone: str = ""
    birthdate: date | None = None
    owner: str = ""
    source: str = ""
    stage: str = ""
    first_seen: datetime | None = None
    addresses: tuple[Address, ...] = ()
    tags: frozenset[str] = frozenset()
    traits: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    @property
    def name(self) -> str:
        """The full name, or nothing."""
        return f"{self.given_name} {self.family_name}".strip()


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an e-mail address."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date of a campaign: local wall clock and zone, e.g. `2026-03-29T09:00[Europe/Lisbon]`.

    With `timezone: contact` the zone reads `contact`, and each zone has its own instant.
    """

    campaign: str
    local: datetime
    zone: str

    @property
    def key(self) -> str:
        """The ledger's name of this occurrence: the same after every redeploy, catch-up and change of clocks."""
        return f"{self.local:%Y-%m-%dT%H:%M}[{self.zone}]"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a question is asked: the instant, and the date it is for the contact (an occurrence's local date)."""

    now: datetime
    today: date


class DeliveryKey(NamedTuple):
    """What makes a delivery unique."""

    campaign: str
    occurrence: str
    contact_id: int

    def __str__(self) -> str:
        return f"{self.campaign}/{self.occurrence}/{self.contact_id}"


class _Beside:
    """What the maker of a message may leave with it. No part of its value: a copy, or one replaced, is without.

    `later` makes a field that was left out, by its name, when it is first asked for; `smooth` is the very `mime` of
    which the maker knows that each line ends in CRLF and none begins with a dot, and that its headers are in ASCII but
    for an address that is not: it may follow DATA as it is.
    """

    __slots__ = ("later", "smooth")
    later: Callable[[str], object] | None
    smooth: bytes | None


@dataclass(frozen=True, slots=True)
class Message(_Beside):
    """A template rendered for one contact on one channel.

    `key` is the ledger's key of the delivery and the idempotency key for providers. `mime` is the whole message
    as it goes on the wire (CRLF line ends, not dot-stuffed) on channels that carry MIME, else empty.
    """

    key: str
    channel: str
    to: str
    text: str
    subject: str = ""
    html: str = ""
    to_name: str = ""
    sender: Mailbox = Mailbox("", "")
    reply_to: str = ""
    return_path: str = ""
    message_id: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    mime: bytes = b""
    test: bool = False

    if not TYPE_CHECKING:  # or any name would be one

        def __getattr__(self, name: str) -> Any:
            """Make what was left for later: who sends MIME does not ask for its words."""
            if name in _Beside.__slots__:
                return None
            if name not in self.__slots__ or self.later is None:
                raise AttributeError(name)
            value = self.later(name)
            object.__setattr__(self, name, value)
            return value


@dataclass(frozen=True, slots=True)
class Event:
    """What came back, normalised at the edge; `raw` is kept as it came.

    `id` names the event for its `source` (a connector or a door of ours); handling is idempotent on the pair.
    The delivery it speaks of is found by, in this order: `delivery` (our token), `key`, `message_id`, `address`.
    """

    kind: EventKind
    source: str
    id: str
    at: datetime
    channel: str = ""
    delivery: int | None = None
    key: str = ""
    message_id: str = ""
    contact: str = ""
    address: str = ""
    #: True: never write to that address again (RFC 3463 class 5 about the mailbox). None: not a bounce.
    hard: bool | None = None
    status: str = ""
    reason: str = ""
    url: str = ""
    topic: str = ""
    text: str = ""
    amount: Money | None = None
    data: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    raw: bytes = b""
