"""One occurrence from segment to history. Start reading in `occurrence.py`."""

from vinculo.run.needs import ProviderDown, require_whole
from vinculo.run.occurrence import begin, drain, finish, rehearse, run_occurrence, states
from vinculo.run.sending import sent_message
from vinculo.run.start import (
    conclude,
    conclude_open,
    decide,
    definition,
    funnel,
    pick,
    read_definition,
    share_done,
    slug,
    standing_for,
    start,
)
from vinculo.run.trial import test_send, tested

__all__ = [
    "ProviderDown",
    "begin",
    "conclude",
    "conclude_open",
    "decide",
    "definition",
    "drain",
    "finish",
    "funnel",
    "pick",
    "read_definition",
    "rehearse",
    "require_whole",
    "run_occurrence",
    "sent_message",
    "share_done",
    "slug",
    "standing_for",
    "start",
    "states",
    "test_send",
    "tested",
]
