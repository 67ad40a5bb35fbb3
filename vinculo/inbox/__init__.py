"""Raw mail that came back → what it is (`classify`) → events (`to_events`); and the doors it comes through."""

from vinculo.inbox.bounce import Recipient
from vinculo.inbox.classify import KINDS, Mail, classify, subject_of
from vinculo.inbox.doors import poll_maildir
from vinculo.inbox.events import to_events
from vinculo.inbox.imap import poll_imap
from vinculo.inbox.intent import intents, plain, tone, wants_out, wants_out_everywhere
from vinculo.inbox.listener import Doorkeeper, Listener
from vinculo.inbox.subtract import without

__all__ = [
    "KINDS",
    "Doorkeeper",
    "Listener",
    "Mail",
    "Recipient",
    "classify",
    "intents",
    "plain",
    "poll_imap",
    "poll_maildir",
    "subject_of",
    "to_events",
    "tone",
    "wants_out",
    "wants_out_everywhere",
    "without",
]
