"""A connector that cannot even be made, opened or closed costs its own channel, and no answer."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from vinculo import run
from vinculo.connector import Capabilities, Connector, Receipt, Unavailable
from vinculo.db.tables import delivery
from vinculo.model import Message
from vinculo.runtime import Runtime


class Rude(Connector):
    """Raises where a test wants it; is full after two messages."""

    channels = frozenset({"email"})
    can = Capabilities(bulk=4)

    def __init__(self, *rude: str) -> None:
        self.rude = rude
        self.taken: list[str] = []

    def _may(self, what: str) -> None:
        if what in self.rude:
            raise RuntimeError(what)

    def open(self) -> None:
        self._may("open")

    def close(self) -> None:
        self._may("close")

    def send(self, message: Message) -> Receipt:
        if len(self.taken) == 2:
            raise Unavailable("full")
        self.taken.append(message.to)
        return Receipt()


def _drain(rt: Runtime, monkeypatch: pytest.MonkeyPatch, connector: Rude) -> set[tuple[str, str]]:
    def make(_: str) -> Rude:
        connector._may("make")
        return connector

    monkeypatch.setattr(rt, "connector", make)
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)
    with pytest.raises(run.ProviderDown):
        run.drain(rt, worker="w")
    with rt.read() as db:
        return set(db.execute(sa.select(delivery.c.address, delivery.c.state)).tuples().all())


def test_what_was_answered_is_settled_though_it_cannot_be_closed(rt: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    rude = Rude("close")
    states = _drain(rt, monkeypatch, rude)
    assert len(rude.taken) == 2
    assert {address for address, state in states if state == "accepted"} == set(rude.taken)
    assert {state for _, state in states} == {"accepted", "planned"}


@pytest.mark.parametrize("what", ["make", "open"])
def test_one_that_cannot_be_used_is_down(rt: Runtime, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    assert {state for _, state in _drain(rt, monkeypatch, Rude(what))} == {"planned"}
