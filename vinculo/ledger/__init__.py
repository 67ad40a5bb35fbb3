"""The ledger: at most one accepted message per (campaign, occurrence, contact), and no contact without an outcome.

Functions over an open transaction; every one takes `now`. The states, the rules and the promise: docs/ledger.md.
"""

from vinculo.ledger.claiming import claim, release, renew, skip
from vinculo.ledger.control import cancel, pause, resume
from vinculo.ledger.doubt import Decision, Doubt, evidence, forget, had, in_doubt, resolve
from vinculo.ledger.permission import answered, consents, serves, suppressed
from vinculo.ledger.planning import (
    approve,
    entries,
    finish,
    plan,
    plan_alone,
    plan_for,
    plan_without,
    reject,
    standing,
)
from vinculo.ledger.postponing import next_turn, postpone, wake
from vinculo.ledger.recovery import GROUP, Recovered, recover
from vinculo.ledger.row import OPEN, WRITTEN_OFF, Claim, lock
from vinculo.ledger.settling import Settled, Settlement, settle
from vinculo.ledger.submitting import submit
from vinculo.ledger.view import (
    Place,
    Verdict,
    alive_since,
    cause,
    counts,
    due_of,
    export,
    held_until,
    last_claim,
    next_due,
    open_occurrences,
    open_rows,
    place,
    sent_on,
    sent_since,
    unsettled,
    why,
)

__all__ = [
    "GROUP",
    "OPEN",
    "WRITTEN_OFF",
    "Claim",
    "Decision",
    "Doubt",
    "Place",
    "Recovered",
    "Settled",
    "Settlement",
    "Verdict",
    "alive_since",
    "answered",
    "approve",
    "cancel",
    "cause",
    "claim",
    "consents",
    "counts",
    "due_of",
    "entries",
    "evidence",
    "export",
    "finish",
    "forget",
    "had",
    "held_until",
    "in_doubt",
    "last_claim",
    "lock",
    "next_due",
    "next_turn",
    "open_occurrences",
    "open_rows",
    "pause",
    "place",
    "plan",
    "plan_alone",
    "plan_for",
    "plan_without",
    "postpone",
    "recover",
    "reject",
    "release",
    "renew",
    "resolve",
    "resume",
    "sent_on",
    "sent_since",
    "serves",
    "settle",
    "skip",
    "standing",
    "submit",
    "suppressed",
    "unsettled",
    "wake",
    "why",
]
