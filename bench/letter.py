"""The newsletter rendered for many people, as the path would: what connectors are measured with."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

from bench.stage import NEWS, NULL, stage
from vinculo import ledger, run
from vinculo.model import Message


@cache
def letters(number: int) -> list[Message]:
    """The first *number* messages."""
    with stage(number + number // 10 + 10, NULL) as on:
        on.plan()
        with on.rt.begin() as db:
            claims = ledger.claim(db, "bench", number, on.rt.now(), timedelta(minutes=5), campaign=NEWS.name)
        found = [run.sent_message(on.rt, claim.id) for claim in claims]
    return [message for message in found if message is not None]
