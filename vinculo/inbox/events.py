"""A classified mail as events: one per recipient of a bounce, one for everything else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

from vinculo.inbox.bounce import Recipient
from vinculo.inbox.classify import Mail, classify
from vinculo.model import Event, EventKind
from vinculo.signing import BadToken, Signer

#: The purposes for which an address of ours carries a token.
PURPOSES = ("bounce", "reply", "unsubscribe")
_KINDS = {
    "auto_reply": EventKind.AUTO_REPLIED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "reply": EventKind.REPLIED,
    "other": EventKind.INBOUND,
    "unparsable": EventKind.UNKNOWN,
}
_ANSWERS = frozenset({"reply", "other", "auto_reply"})
#: What somebody may have to answer.
_SPOKEN = frozenset({"reply", "other", "unsubscribe"})
#: What anybody can write: who brings back what we sent is believed.
_REPORTS = frozenset({"bounce", "complaint"})
_THREAD = 20
#: RFC 3464 §2.3.3. `relayed` and `expanded` say that it went on, not that it arrived.
_ACTIONS = {
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.SENT,
    "expanded": EventKind.SENT,
}
#: RFC 5965 §7.3 and RFC 6591. Of the other types, e.g. `auth-failure`, no contact knows.
_FEEDBACK = {
    "abuse": EventKind.COMPLAINED,
    "fraud": EventKind.COMPLAINED,
    "virus": EventKind.COMPLAINED,
    "other": EventKind.COMPLAINED,
    "miscategorized": EventKind.COMPLAINED,
    "opt-out": EventKind.UNSUBSCRIBED,
    "opt-out-list": EventKind.UNSUBSCRIBED,
}


def to_events(raw: bytes, *, source: str, received_at: datetime, signer: Signer) -> list[Event]:
    """Turn the mail *raw* into events; never none, never raises. The same mail gives the same ids at every door."""
    mail = classify(raw)
    purpose, delivery = _verified(mail, signer)
    kind = EventKind.UNSUBSCRIBED if purpose == "unsubscribe" and mail.kind == "reply" else _KINDS.get(mail.kind)
    common = Event(
        kind=kind or EventKind.UNKNOWN,
        source=source,
        id=_identity(raw, mail),
        at=received_at,
        channel="email",
        delivery=delivery,
        message_id=mail.message_ids[0] if mail.message_ids else "",
        address=mail.sender,
        reason=mail.reason,
        text=mail.text,
        data=_data(mail),
        raw=raw,
    )
    if mail.kind == "bounce":
        return list(_bounced(mail, common))
    if mail.kind == "complaint":
        address = mail.recipients[0].address if mail.recipients else ""
        kind = _FEEDBACK.get(mail.feedback, EventKind.UNKNOWN)
        return [replace(common, kind=kind, address=address, reason=mail.feedback, text="")]
    return [common]


def _data(mail: Mail) -> dict[str, Any]:
    """What the history keeps of a mail besides its text: what an answer needs to join the thread, and hints."""
    told: dict[str, Any] = {"subject": mail.subject}
    if mail.kind in _SPOKEN:
        told |= {"message_id": mail.message_id, "thread": [f"<{each}>" for each in mail.message_ids[:_THREAD]]}
    if mail.kind in _REPORTS:
        told["returned"] = mail.returned
    if mail.kind == "auto_reply" and mail.returns is not None:
        told["returns"] = mail.returns.isoformat()
    if mail.by_subject:
        told["by_subject"] = True
    return told | ({"machine": True} if mail.machine else {})


def _bounced(mail: Mail, common: Event) -> Iterator[Event]:
    for number, recipient in enumerate(mail.recipients):
        yield replace(
            common,
            kind=_ACTIONS.get(recipient.action, EventKind.UNKNOWN),
            id=f"{common.id}-{number}",
            address=recipient.original or recipient.address,
            hard=recipient.hard if recipient.action == "failed" else None,
            status=recipient.status,
            reason=recipient.reason,
            text=_said(recipient),
        )


def _said(recipient: Recipient) -> str:
    return recipient.diagnostic or recipient.reason


def _verified(mail: Mail, signer: Signer) -> tuple[str, int | None]:
    """Return the purpose and the delivery of the first token that is ours.

    Of what a person wrote In-Reply-To says best what it answers; of a report, the address that it came to.
    """
    addressed = ((purpose, token) for _, token in mail.tokens for purpose in PURPOSES)
    named = (("message", message_id.split("@")[0]) for message_id in mail.message_ids)
    ours = (
        (purpose, number)
        for purpose, token in (chain(named, addressed) if mail.kind in _ANSWERS else chain(addressed, named))
        if (number := token_number(signer, purpose, token)) is not None
    )
    return next(ours, ("", None))


def token_number(signer: Signer, purpose: str, token: str) -> int | None:
    """Return the number in a mail *token* of ours, or None."""
    try:
        return signer.read_mail_token(purpose, token)[0]
    except (BadToken, IndexError):
        return None


def _identity(raw: bytes, mail: Mail) -> str:
    """Name a mail by what no door and no hop changes: not by its trace headers."""
    if mail.kind == "unparsable":
        return hashlib.sha256(raw).hexdigest()[:40]
    body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")[2].strip()
    parts = (mail.message_id, str(mail.date), mail.sender, mail.subject)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace") + b"\0" + body).hexdigest()[:40]
