"""What comes before each claim: is this database the one that sends, and what have others left behind?"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

import sqlalchemy as sa

from vinculo import history, ledger
from vinculo.connector import Connector, InDoubt
from vinculo.db import instance
from vinculo.db.note import keep_note, noted
from vinculo.ledger import Settlement
from vinculo.run.answers import replay, reserve
from vinculo.run.needs import Needs

log = logging.getLogger(__name__)
#: The name of our note: who served each channel in the last round.
_PROVIDERS = "providers"


def enter(rt: Needs) -> None:
    """Make sure that this database is no copy, which would not know what was sent since. Raises `NotReady`.

    And that there is room for answers should the disk be full, one clock for all who share the database, and nothing
    that another provider than ours would have known again.
    """
    beside = instance.noted_in(rt.project.root)
    with rt.begin() as db:
        epoch = instance.enter(db, beside)
        rt.set_clock(db)
        _meet(rt, db)
    instance.remember(beside, epoch)
    reserve(rt)


def _meet(rt: Needs, db: sa.Connection) -> None:
    """Note who serves each channel. What was to be known again by the one before, another takes for new."""
    before = _providers(db)
    if (after := {**before, **rt.providers}) == before:
        return
    keep_note(db, _PROVIDERS, json.dumps(after))
    changed = [channel for channel in before if after[channel] != before[channel]]
    if changed and (number := ledger.forget(db, changed, rt.now())):
        log.warning("The provider of %s was changed: %d messages had no answer", ", ".join(changed), number)


def same_providers(rt: Needs, db: sa.Connection) -> bool:
    """Whether who serves each channel is as `enter` noted it, and stays so until *db* is committed.

    Else what is claimed there would be handed over to one provider, and taken for another's should its worker die.
    """
    noted_there = _providers(db, hold=True)
    return noted_there == {**noted_there, **rt.providers}


def dedupes(rt: Needs, db: sa.Connection, connector: Connector, answered: Iterable[Settlement]) -> bool:
    """Whether what had no answer may be sent again: its provider knows our key, and is who gets it.

    A worker with other settings may have come since our round began.
    """
    doubted = [one.claim.channel for one in answered if isinstance(one.outcome, InDoubt)]
    if not (connector.can.idempotent and doubted):
        return connector.can.idempotent
    ours = rt.providers.get(doubted[0])
    return _providers(db).get(doubted[0], ours) == ours


def _providers(db: sa.Connection, *, hold: bool = False) -> dict[str, str]:
    return dict(json.loads(noted(db, _PROVIDERS, hold=hold) or "{}"))


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
