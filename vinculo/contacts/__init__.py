"""Contacts: find, load, import, merge, export, erase."""

from vinculo.contacts.erasure import erase, scrub
from vinculo.contacts.events import EventRules, ImportedEvents, import_events, minor_units
from vinculo.contacts.export import export
from vinculo.contacts.importing import Imported, Options, import_file
from vinculo.contacts.merging import merge
from vinculo.contacts.store import find, living, load, load_scored, require, scores, zones

__all__ = [
    "EventRules",
    "Imported",
    "ImportedEvents",
    "Options",
    "erase",
    "export",
    "find",
    "import_events",
    "import_file",
    "living",
    "load",
    "load_scored",
    "merge",
    "minor_units",
    "require",
    "scores",
    "scrub",
    "zones",
]
