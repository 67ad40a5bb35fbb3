"""Raw mail that came back → what it is (`classify`) → events (`to_events`); and the doors it comes through."""

from vinculo.inbox.bounce import Recipient
from vinculo.inbox.classify import KINDS, Mail, classify
from vinculo.inbox.doors import poll_maildir
from vinculo.inbox.events import to_events
from vinculo.inbox.imap import poll_imap
from vinculo.inbox.intent import intents, tone, wants_out
from vinculo.inbox.listener import Doorkeeper, Listener

__all__ = [
    "KINDS",
    "Doorkeeper",
    "Listener",
    "Mail",
    "Recipient",
    "classify",
    "intents",
    "poll_imap",
    "poll_maildir",
    "to_events",
    "tone",
    "wants_out",
]
