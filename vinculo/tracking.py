"""Whose openings are a person's, the pixel that names nobody, and what a link tells the website it leads to.

Both ends ask here: the renderer, which puts pixel and links into a message, and the web app, to which they come back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal
from urllib.parse import quote, quote_plus, unquote_plus, urlsplit

import sqlalchemy as sa

from vinculo.db.statement import Statement, given, id_of
from vinculo.db.tables import contact
from vinculo.ledger.permission import consents
from vinculo.project.schema import Tracking
from vinculo.signing import Signer

#: The topic of the consent to be known by name when a message is opened, on the channel email.
TOPIC = "tracking"
#: Signs which occurrence a pixel counts for.
_PURPOSE = "count"
#: The link that no person sees has this number; those of the table begin with 1.
HONEYPOT = 0


def known(rules: Tracking, contact_id: sa.ColumnElement[int], at: Any) -> sa.ColumnElement[bool]:
    """Whether an opening at the instant *at* may be kept as this contact's, by what it has said of `tracking`."""
    anyway = sa.literal(rules.consent == "opt_out")
    return consents(contact_id, sa.literal("email"), sa.literal(TOPIC), anyway, at)


def unknown(db: sa.Connection, rules: Tracking, contacts: Collection[int], at: datetime) -> set[int]:
    """Those of *contacts* whose openings are counted without them."""
    return _UNKNOWN[rules.consent].ids(db, given=dict.fromkeys(contacts, 0), at=at)


def _unknown(consent: Literal["opt_out", "opt_in"]) -> sa.Select[tuple[int]]:
    rows, at = given(), sa.bindparam("at", type_=contact.c.first_seen.type)
    ask = sa.select(contact.c.id).join_from(rows, contact, contact.c.id == id_of(rows))
    return ask.where(sa.not_(known(Tracking(consent=consent), contact.c.id, at)))


_UNKNOWN = {"opt_out": Statement(lambda: _unknown("opt_out")), "opt_in": Statement(lambda: _unknown("opt_in"))}


# ── the pixel that names nobody ──────────────────────────────────────────────────────────────────────────────────
def nameless_path(signer: Signer, campaign: str, occurrence: str) -> str:
    """Return the path of the pixel that counts for an occurrence, and is the same for everybody."""
    text = f"{campaign} {occurrence}"
    packed = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"/o/{signer.mac(_PURPOSE, text)}/{packed}.gif"


def read_nameless(signer: Signer, mac: str, packed: str) -> tuple[str, str] | None:
    """Return the campaign and occurrence of such a path; None when it is not ours."""
    try:
        text = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    campaign, _, occurrence = text.partition(" ")
    return (campaign, occurrence) if signer.verify(_PURPOSE, text, mac) else None


# ── what a link tells ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Of:
    """What a message is of: the words that may stand in the value of a UTM parameter."""

    campaign: str
    occurrence: str
    channel: str
    variant: str
    kind: str

    def fill(self, value: str) -> str:
        """Return *value* with `{campaign}` and the others filled; an occurrence is its day."""
        known = {"campaign": self.campaign, "occurrence": self.occurrence[:10], "channel": self.channel}
        for name, said in {**known, "variant": self.variant, "kind": self.kind}.items():
            value = value.replace(f"{{{name}}}", said)
        return value


def destination(url: str, utm: Mapping[str, str], domains: Collection[str], of: Of) -> str:
    """Return *url* with the UTM parameters that it does not have already; nothing else in it changes.

    An address that is not http(s), or of a site that is not among *domains* (none: all), stays as it is.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # a template may write anything
        return url
    if not utm or parts.scheme not in {"http", "https"} or not _among(parts.hostname or "", domains):
        return url
    there = {unquote_plus(each.partition("=")[0]).lower() for each in parts.query.split("&")}
    said = {f"utm_{name}": of.fill(value) for name, value in utm.items()}
    new = [f"{name}={quote_plus(value)}" for name, value in said.items() if value and name not in there]
    query = "&".join([parts.query, *new] if parts.query else new)
    before, mark, fragment = url.partition("#")
    return f"{before.partition('?')[0]}?{query}{mark}{fragment}" if new else url


def _among(host: str, domains: Collection[str]) -> bool:
    return not domains or any(host == each or host.endswith(f".{each}") for each in domains)


@lru_cache(maxsize=1_024)  # a campaign leads to the same few places
def location(url: str) -> str:
    """Return *url* as a header may carry it: what is no letter of a URL is percent-encoded, what is stays."""
    return quote(url, safe=":/%#?=@[]!$&'()*+,;~")
