"""R27: an old database with rows in every state is upgraded in mid-campaign; the campaign goes on as if nothing was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from tests.torture.conftest import Tally
from tests.torture.laboratory import Laboratory
from vinculo import run
from vinculo.db import metadata, migration, upgrade
from vinculo.db.tables import delivery, interaction, occurrence, permission
from vinculo.testing import oracle
from vinculo.testing.oracle import Taken
from vinculo.testing.store import add_contact

FAMILY = "R27 upgrade in mid-campaign"
#: Every revision but the last.
_, *EARLIER = (each.revision for each in ScriptDirectory.from_config(migration.config()).walk_revisions())
#: Each state before the upgrade, and after the next worker came by.
BECOMES = {
    "planned": "accepted",
    "deferred": "accepted",
    "claimed": "accepted",
    "submitting": "in_doubt",
    "in_doubt": "in_doubt",
    "accepted": "accepted",
    "rejected": "rejected",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "expired": "expired",
}
#: What the receiver has of them already.
HAS = ("submitting", "in_doubt", "accepted")
STATES = list(BECOMES)
#: The revision since which a row of the ledger names on what it rests.
NAMED = "0009"


@dataclass
class Given:
    """A store of one database, which is what the test made of it."""

    engine: sa.Engine

    def fresh(self) -> str:
        return self.engine.url.render_as_string(hide_password=False)


@pytest.mark.parametrize("revision", EARLIER)
def test_r27_rows_in_every_state_survive_the_upgrade(
    engine: sa.Engine, make_laboratory, tally: Tally, now: datetime, revision: str
) -> None:
    metadata.drop_all(engine)
    with engine.begin() as db:
        command.upgrade(migration.config(db), revision)
        people = [_add(db, number) for number in range(len(STATES))]
    lab: Laboratory = make_laboratory(len(STATES), store=Given(engine))
    with lab.runtime() as rt:
        campaign = rt.project.campaigns["weekly"]
        standing = run.standing_for(rt, campaign, now)
    assert standing
    with engine.begin() as db:
        rests = _rests(db) if revision >= NAMED else {}
        _lay(db, campaign.model_dump(mode="json", by_alias=True), standing.key, people, now, rests)
    before = [Taken(number, _to(number - 1)) for number, state in enumerate(STATES, 1) if state in HAS]
    assert upgrade(engine) == revision
    lab.recover()
    tally["faults"] += 1
    with lab.read() as db:
        d = delivery.c
        after = dict(zip(STATES, db.scalars(sa.select(d.state).order_by(d.id)), strict=True))
        assert after == BECOMES
        tally.judged(oracle.judge(db, before + lab.record(), doubt=2, people=len(STATES)))


def _to(number: int) -> str:
    return f"contato{number}@correio.example"


def _add(db: sa.Connection, number: int) -> int:
    return add_contact(db, key=f"c{number:05}", email=_to(number), consent=["news"], given_name=f"Nome{number}")


def _rests(db: sa.Connection) -> dict[int, dict[str, Any]]:
    """On what a row for each contact rests: its yes."""
    p = permission.c
    yeses = db.execute(sa.select(p.contact_id, p.consent_id).where(p.channel == "email", p.topic == "news", p.granted))
    return {contact_id: {"basis": "consent", "consent_id": number} for contact_id, number in yeses}


def _lay(
    db: sa.Connection, definition: dict[str, Any], key: str, people: list[int], now: datetime,
    rests: dict[int, dict[str, Any]],
) -> None:  # fmt: skip
    """What a run of the old version left behind when it was stopped."""
    place = {"campaign": "weekly", "occurrence": key}
    db.execute(sa.insert(occurrence).values(**place, state="open", due_at=now, planned_at=now, definition=definition))
    held = {"worker": "old", "lease_until": now + timedelta(minutes=1), "fence": 1}
    for number, state in enumerate(STATES):
        row = {"contact_id": people[number], "address": _to(number), "channel": "email", "topic": "news"}
        row |= {"due_at": now, "expires_at": now + timedelta(hours=72), "state": state}
        row |= {} if state == "skipped" else rests.get(people[number], {})
        row |= held if state in {"claimed", "submitting"} else {}
        row |= {"submitted_at": now, "attempts": 1} if state in (*HAS, "deferred", "rejected") else {}
        db.execute(sa.insert(delivery).values(**place, **row))
        if state == "accepted":
            sent = {"contact_id": people[number], "at": now, "direction": "out", "kind": "sent", "channel": "email"}
            db.execute(sa.insert(interaction).values(**place, **sent, delivery_id=number + 1))
