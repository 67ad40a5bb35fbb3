"""The headers of an e-mail that say where it comes from and how to leave (RFC 2369, 2919, 3834, 8058)."""

from __future__ import annotations

import re
from email.utils import format_datetime
from functools import lru_cache

from vinculo.mail.compose import envelope, multipart_head, serialised
from vinculo.mail.header import HeaderError, domain_of, safe_header
from vinculo.model import CampaignKind, Mailbox, Message
from vinculo.project.schema import Campaign, Company
from vinculo.render.form import form, gap, gap_in
from vinculo.render.own import Own

#: Letters of a mail token.
_TOKEN = 40
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
        """Raise `HeaderError` if they cannot stand in a message. *unsubscribe* is one link as long as all are."""
        reply, message = gap(Own.REPLY, _TOKEN), gap(Own.MESSAGE, _TOKEN)
        specimen = Message(
            key="",
            channel="email",
            to=company.sender_email,
            text="",
            sender=Mailbox(company.sender_name, company.sender_email),
            reply_to=tagged(company.reply_email, reply),
            return_path=tagged(company.bounce_email, gap(Own.BOUNCE, _TOKEN)),
            message_id=f"<{message}@{domain_of(company.sender_email)}>",
        )
        self._reply, self._bounce = specimen.reply_to.split(reply), specimen.return_path.split(gap(Own.BOUNCE, _TOKEN))
        self._message = specimen.message_id.split(message)
        leave = gap(Own.UNSUBSCRIBE, len(unsubscribe))
        self._more = headers(campaign, company, gap(Own.DATE), leave, specimen.reply_to)
        self._varying = [(at, name, form(value)) for at, (name, value) in enumerate(self._more) if gap_in(value)]
        varying = {"To": gap(Own.TO), "Subject": gap(Own.SUBJECT)}
        fields = [
            *((name, varying.get(name, value)) for name, value in envelope(specimen)),
            *((name, safe_header(name, value)) for name, value in self._more),
            ("MIME-Version", "1.0"),
            *multipart_head(f"=_{message}", gap(Own.ENCODING)),
        ]
        self._form = form(serialised(fields).decode())
        self._number = len(fields)

    def reply_to(self, own: list[str]) -> str:
        """Return where replies go."""
        return own[Own.REPLY].join(self._reply)

    def return_path(self, own: list[str]) -> str:
        """Return where bounces go."""
        return own[Own.BOUNCE].join(self._bounce)

    def message_id(self, own: list[str]) -> str:
        """Return the Message-ID."""
        return own[Own.MESSAGE].join(self._message)

    def more(self, own: list[str]) -> tuple[tuple[str, str], ...]:
        """Return what `headers` does, with *own* values."""
        fields = list(self._more)
        for at, name, value in self._varying:
            fields[at] = name, value.fill(own)
        return tuple(fields)

    def fill(self, own: list[str]) -> bytes:
        """Return the headers with *own* values, which are fit for them. Raises `HeaderError` if there are more."""
        data = self._form.fill(own)
        ends = data.count("\r\n")
        if ends - data.count("\r\n ") != self._number or data.count("\n") != ends or data.count("\r") != ends:
            raise HeaderError("A value broke out of its header")
        return data.encode()


def tagged(address: str, token: str) -> str:
    """Return *address* with a signed tag: `replies+TOKEN@company.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def sender_id(domain: str) -> str:
    """Return Gmail's SenderId: 5 to 15 characters, the same for everything we send."""
    return (re.sub(r"[^a-z0-9]", "", domain.lower()) + "vinculo")[:15]
