"""R26: thousands of short stories in a simulated world, each decided by its seed; see world.py.

A failing seed is printed, and `SEED=<n>` runs it alone; `FIRST=<n>` begins at another seed than 0. What the rules are worth is seen by taking each away.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.conftest import NOW
from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import populate
from tests.torture.stage import Ground
from tests.torture.world import World
from vinculo import ledger
from vinculo.db import transaction
from vinculo.db.tables import delivery as table
from vinculo.run.batch import Batch

FAMILY = "R26 simulation"
PEOPLE = 7
#: The seeds are dealt out, so that processors share them.
SHARES = 2
D = table.c


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("world")
    before = folder / "before.db"
    populate(f"sqlite:///{before}", PEOPLE)
    made = Ground.lay(folder, before)
    yield made
    for engine in made.engines:
        engine.dispose()


def _story(ground: Ground, seed: int) -> World:
    world = World(ground, seed, NOW, PEOPLE)
    world.run()
    return world


@pytest.mark.parametrize("share", range(SHARES))
def test_no_seed_breaks_a_rule(ground: Ground, tally: Tally, share: int) -> None:
    alone = os.environ.get("SEED")
    first = int(os.environ.get("FIRST", "0"))
    seeds = [int(alone)] if alone else range(first + share, first + depth(80, 10_000, "SEEDS"), SHARES)
    for seed in seeds:
        world = _story(ground, seed)
        tally.update({"seeds": 1, "kills": world.done["kills"], "faults": world.done["faults"]})
        tally.judged(world.found, f"SEED={seed}")


def test_a_seed_tells_the_same_story_again(ground: Ground) -> None:
    for seed in range(3):
        first, second = _story(ground, seed), _story(ground, seed)
        assert (first.done, first.taken, first.now) == (second.done, second.taken, second.now)


# ── what the rules are worth ─────────────────────────────────────────────────────────────────────────────────────
def _submit_without_asking(db: sa.Connection, claims: Any, now: Any) -> set[int]:
    ids = {claim.id for claim in claims}
    db.execute(sa.update(table).where(D.id.in_(ids)).values(state="submitting", submitted_at=now))
    return ids


def _submit_without_marking(db: sa.Connection, claims: Any, now: Any) -> set[int]:
    return {claim.id for claim in claims}


def _recover_as_planned(db: sa.Connection, now: Any, **_: Any) -> ledger.Recovered:
    lost = sa.update(table).where(D.state.in_(["claimed", "submitting"]), D.lease_until <= now)
    db.execute(lost.values(state="planned", lease_until=None))
    return ledger.Recovered()


def _finish_always(db: sa.Connection, campaign: str, occurrence: str, now: Any) -> bool:
    from vinculo.db.tables import occurrence as place

    here = sa.update(place).where(place.c.campaign == campaign, place.c.occurrence == occurrence)
    return bool(db.execute(here.values(state="finished", finished_at=now)).rowcount)


def _never_goes_on(db: sa.Connection) -> bool:
    return False


def _never_ends(self: Batch, stop: Callable[[], bool]) -> bool:
    return False


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "(a) nothing is marked before it leaves": (ledger, "submit", _submit_without_marking),
    "(a) what is marked is committed later": (transaction, "_goes_on", _never_goes_on),
    "(b) what a dead worker was handing over is planned again": (ledger, "recover", _recover_as_planned),
    "(c) the mark asks nothing": (ledger, "submit", _submit_without_asking),
    "who slept beyond his lease goes on": (Batch, "_must_end", _never_ends),
    "an occurrence is finished with rows open": (ledger, "finish", _finish_always),
}


@pytest.mark.parametrize("rule", MUTANTS)
def test_without_the_rule_a_seed_is_caught_soon(ground: Ground, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    monkeypatch.setattr(*MUTANTS[rule])
    assert any(_story(ground, seed).found for seed in range(200))
