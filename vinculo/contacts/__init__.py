"""Contacts: find, load, import, merge, export, erase."""

from vinculo.contacts.amending import amend
from vinculo.contacts.duplicates import Duplicate, duplicates
from vinculo.contacts.erasure.erasing import erase, forget_raw
from vinculo.contacts.erasure.scrubbing import scrub
from vinculo.contacts.erasure.sweeping import Traces, sweep, traces
from vinculo.contacts.export import export
from vinculo.contacts.export import schema as export_schema
from vinculo.contacts.identity import Identity, identity
from vinculo.contacts.importing.contacts import Imported, Options, import_file
from vinculo.contacts.importing.events import EventRules, ImportedEvents, import_events
from vinculo.contacts.importing.row.amount import minor_units
from vinculo.contacts.importing.row.columns import unheard
from vinculo.contacts.importing.row.values import language as language_code
from vinculo.contacts.merging.joining import merge
from vinculo.contacts.merging.parting import part
from vinculo.contacts.store import EVERYTHING, find, how_many, living, load, load_scored, require, scores, zones

__all__ = [
    "EVERYTHING",
    "Duplicate",
    "EventRules",
    "Identity",
    "Imported",
    "ImportedEvents",
    "Options",
    "Traces",
    "amend",
    "duplicates",
    "erase",
    "export",
    "export_schema",
    "find",
    "forget_raw",
    "how_many",
    "identity",
    "import_events",
    "import_file",
    "language_code",
    "living",
    "load",
    "load_scored",
    "merge",
    "minor_units",
    "part",
    "require",
    "scores",
    "scrub",
    "sweep",
    "traces",
    "unheard",
    "zones",
]
