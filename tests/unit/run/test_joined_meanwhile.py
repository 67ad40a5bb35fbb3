"""Two contacts are found to be one person while a campaign leaves: nobody gets it twice, and every row has its end."""

from __future__ import annotations

from collections import Counter

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import Envelope

from vinculo import contacts, run
from vinculo.db.tables import contact, delivery
from vinculo.runtime import Runtime
from vinculo.testing.smtp import SmtpSink


def _merge(rt: Runtime, kept: str, joined: str) -> None:
    with rt.begin() as db:
        numbers = {row.key: row.id for row in db.execute(sa.select(contact))}
        contacts.merge(db, numbers[kept], numbers[joined], rt.now())


@pytest.mark.parametrize(("kept", "joined"), [("c00", "c19"), ("c19", "c00")])
@pytest.mark.parametrize("left", [1, 10])
def test_of_two_who_are_joined_in_mid_send_the_one_who_has_it_is_the_only_one(
    rt: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch, left: int, kept: str, joined: str
) -> None:
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)
    take = sink.take

    def joining(envelope: Envelope) -> None:
        if len(sink.received) == left:
            _merge(rt, kept, joined)
        take(envelope)

    monkeypatch.setattr(sink, "take", joining)
    run.drain(rt, worker="w")
    assert Counter(one.to for one in sink.received).most_common(1)[0][1] == 1
    assert "contato19@correio.example" not in {one.to for one in sink.received}
    with rt.read() as db:
        states = Counter(db.scalars(sa.select(delivery.c.state)))
    assert states == {"accepted": 19, "cancelled": 1}
    assert run.finish(rt, campaign.name, occurrence.key)
