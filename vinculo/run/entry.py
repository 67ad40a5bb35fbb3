"""What comes before each claim: is this database the one that sends, and what have others left behind?"""

from __future__ import annotations

from vinculo import history, ledger
from vinculo.db import instance
from vinculo.run.answers import replay, reserve
from vinculo.run.needs import Needs


def enter(rt: Needs) -> None:
    """Make sure that this database is no copy, which would not know what was sent since. Raises `NotReady`.

    And that there is room for answers should the disk be full, and one clock for all who share the database.
    """
    beside = instance.noted_in(rt.project.root)
    with rt.begin() as db:
        epoch = instance.enter(db, beside)
        rt.set_clock(db)
    instance.remember(beside, epoch)
    reserve(rt)


def recover(rt: Needs) -> None:
    """Settle what could not be stored, then take over what dead workers held; what went out enters the history."""
    replay(rt)
    more = True
    while more:
        now = rt.now()
        with rt.begin() as db:
            recovered = ledger.recover(db, now, idempotent_channels=rt.idempotent_channels)
            history.sent(db, [claim.id for claim in recovered.accepted], now)
        more = recovered.more
