"""The headers of an e-mail that say where it comes from and how to leave (RFC 2369, 2919, 3834, 8058)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import format_datetime
from functools import lru_cache

from vinculo.mail.compose import envelope, multipart_head, serialised
from vinculo.mail.header import HeaderError, domain_of, safe_header
from vinculo.model import CampaignKind, Mailbox, Message
from vinculo.project.schema import Campaign, Company
from vinculo.render.compile.form import form, gap, gap_in
from vinculo.render.compile.own import LONGEST_TOKEN, Own

_REPLY, _BOUNCE, _MESSAGE = int(Own.REPLY), int(Own.BOUNCE), int(Own.MESSAGE)
date = lru_cache(maxsize=64)(format_datetime)


def headers(
    campaign: Campaign, company: Company, when: str, unsubscribe: str, reply_to: str
) -> tuple[tuple[str, str], ...]:
    """Return the headers beside From, To, Subject, Reply-To and Message-ID, the same whenever they are made."""
    domain = domain_of(company.sender_email)
    fields = [
        ("Date", when),
        ("List-Id", f"{campaign.topic} <{campaign.topic}.{domain}>"),  # RFC 2919: stable per topic
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("Feedback-ID", f"c-{campaign.name}:t-{campaign.topic}:k-{campaign.kind.value}:{sender_id(domain)}"),
    ]
    if campaign.kind is CampaignKind.SERVICE:
        return (*fields, ("Auto-Submitted", "auto-generated"))  # RFC 3834 §5
    leave = f"<{unsubscribe}>, <mailto:{reply_to}?subject=unsubscribe>"
    one_click = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")  # RFC 8058 §3.1
    return (*fields, ("List-Unsubscribe", leave), one_click)


class Head:
    """The headers of all messages of one campaign: only their own values are left to put in."""

    def __init__(self, campaign: Campaign, company: Company, unsubscribe: str) -> None:
        """Raise `HeaderError` if they cannot stand in a message. *unsubscribe* is the link, with a gap as its token."""
        self.sender, domain = Mailbox(company.sender_name, company.sender_email), domain_of(company.sender_email)
        reply, bounce, message = (gap(place, LONGEST_TOKEN) for place in (Own.REPLY, Own.BOUNCE, Own.MESSAGE))
        specimen = Message(
            key="",
            channel="email",
            to=company.sender_email,
            text="",
            sender=self.sender,
            reply_to=tagged(company.reply_email, reply),
            return_path=tagged(company.bounce_email, bounce),
            message_id=f"<{message}@{domain}>",
        )
        self._reply, self._bounce = specimen.reply_to.split(reply), specimen.return_path.split(bounce)
        self._message = specimen.message_id.split(message)
        self._more = headers(campaign, company, gap(Own.DATE), unsubscribe, specimen.reply_to)
        varying = {"To": gap(Own.TO), "Subject": gap(Own.SUBJECT)}
        fields = [
            *((name, varying.get(name, value)) for name, value in envelope(specimen)),
            *((name, safe_header(name, value)) for name, value in self._more),
            ("MIME-Version", "1.0"),
            *multipart_head(f"=_{message}", gap(Own.ENCODING)),
        ]
        #: The headers as they go on the wire, with gaps, and the empty line.
        self.source = serialised(fields) + b"\r\n"

    def reply_to(self, own: Sequence[bytes]) -> str:
        """Return where replies go."""
        return own[_REPLY].decode().join(self._reply)

    def return_path(self, own: Sequence[bytes]) -> str:
        """Return where bounces go."""
        return own[_BOUNCE].decode().join(self._bounce)

    def message_id(self, own: Sequence[bytes]) -> str:
        """Return the Message-ID."""
        return own[_MESSAGE].decode().join(self._message)

    def more(self, own: Sequence[bytes]) -> tuple[tuple[str, str], ...]:
        """Return what `headers` does, with *own* values."""
        values = [each.decode() for each in own]
        return tuple((name, form(value).fill(values) if gap_in(value) else value) for name, value in self._more)


def value(text: str) -> bytes:
    """Return *text*, fit for a header and folded where it is long, in bytes. Raises `HeaderError` if it is more."""
    if "\n" in text or "\r" in text:
        folds = text.count("\r\n ")
        if text.count("\n") != folds or text.count("\r") != folds:
            raise HeaderError("A value broke out of its header")
    return text.encode()


def tagged(address: str, token: str) -> str:
    """Return *address* with a signed tag: `replies+TOKEN@company.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def sender_id(domain: str) -> str:
    """Return Gmail's SenderId: 5 to 15 characters, the same for everything we send."""
    return (re.sub(r"[^a-z0-9]", "", domain.lower()) + "vinculo")[:15]
