"""MIME, headers and addresses: the part of mail that must be upgradable for security."""

from vinculo.mail.address import NUMBERED, mailbox, mailboxes, normalise_address, place_of_number
from vinculo.mail.compose import compose, downgrade
from vinculo.mail.header import HeaderError, safe_header

__all__ = [
    "NUMBERED",
    "HeaderError",
    "compose",
    "downgrade",
    "mailbox",
    "mailboxes",
    "normalise_address",
    "place_of_number",
    "safe_header",
]
