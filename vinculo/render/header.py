"""The headers of an e-mail that say where it comes from and how to leave (RFC 2369, 2919, 3834, 8058)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import format_datetime

from vinculo.mail.header import ascii_domain
from vinculo.model import CampaignKind
from vinculo.project.schema import Company
from vinculo.render.sending import Sending


def headers(sending: Sending, company: Company, links: Mapping[str, str], reply_to: str) -> tuple[tuple[str, str], ...]:
    """Return the headers beside From, To, Subject, Reply-To and Message-ID, the same whenever they are made."""
    campaign = sending.campaign
    domain = domain_of(company.sender_email)
    fields = [
        ("Date", format_datetime(sending.at)),
        ("List-Id", f"{campaign.topic} <{campaign.topic}.{domain}>"),  # RFC 2919: stable per topic
        ("X-Auto-Response-Suppress", "OOF, AutoReply"),
        ("Feedback-ID", f"c-{campaign.name}:t-{campaign.topic}:k-{campaign.kind.value}:{sender_id(domain)}"),
    ]
    if campaign.kind is CampaignKind.SERVICE:
        return (*fields, ("Auto-Submitted", "auto-generated"))  # RFC 3834 §5
    leave = f"<{links['unsubscribe']}>, <mailto:{reply_to}?subject=unsubscribe>"
    one_click = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")  # RFC 8058 §3.1
    return (*fields, ("List-Unsubscribe", leave), one_click)


def tagged(address: str, token: str) -> str:
    """Return *address* with a signed tag: `replies+TOKEN@company.example`."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}"


def domain_of(address: str) -> str:
    """Return the domain of *address* in ASCII."""
    return ascii_domain(address).rpartition("@")[2]


def sender_id(domain: str) -> str:
    """Return Gmail's SenderId: 5 to 15 characters, the same for everything we send."""
    return (re.sub(r"[^a-z0-9]", "", domain.lower()) + "vinculo")[:15]
