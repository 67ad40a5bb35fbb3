"""R20: contacts leave by one click while the run is on. Nothing is handed over to who has left; R19: nor after a pause.

The clock is moved after each answer of the web app, so that the ledger's times prove what came first.
"""

from __future__ import annotations

import random

import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import DOUBT, Laboratory
from vinculo import ledger
from vinculo.db.tables import delivery
from vinculo.web import create_app

FAMILY = "R19-R20 leaving and pausing"


def test_r20_nothing_is_handed_over_to_who_has_left(make_laboratory, tally: Tally) -> None:
    people = depth(120, 2000)
    lab: Laboratory = make_laboratory(people, environ={"VINCULO__LIMITS__BATCH": "50"})
    chance = random.Random(20)
    with lab.runtime() as rt:
        from vinculo import run

        campaign = rt.project.campaigns["weekly"]
        standing = run.standing_for(rt, campaign, rt.now())
        assert standing
        run.begin(rt, campaign, standing)
        leaving = chance.sample(range(1, people + 1), people // 4)
        # One message at a time: so the worker and those who leave take turns at the database.
        worker = lab.start(durability="full", environ={"VINCULO__SMTP__URL": f"{lab.sink.url}?connections=1"})
        with TestClient(create_app(rt), base_url=rt.project.settings.web.url) as web:
            for number in leaving:
                answer = web.post(f"/unsubscribe/{rt.signer.token('unsubscribe', number)}")
                assert answer.status_code == 200
                lab.clock.forward(seconds=1)
                tally["faults"] += 1
        assert lab.nursery.wait(worker)[1] == 0
    lab.recover()
    tally.judged(lab.judge(doubt=0))
    got = {one.delivery for one in lab.record()}
    assert len(got) + lab.count("skipped") == people
    assert lab.count("skipped"), "they left when all was sent"


def test_r19_a_pause_takes_hold_within_the_messages_in_flight(make_laboratory, tally: Tally) -> None:
    people = depth(150, 2000)
    lab = make_laboratory(people)
    chance = random.Random(19)
    worker = lab.start()
    for _ in range(depth(4, 20)):
        lab.await_messages(lab.await_messages(0, []) + chance.randrange(1, 8), [worker])
        with lab.begin() as db:
            ledger.pause(db, "weekly", lab.clock())
            d = delivery.c
            marked = set(db.scalars(sa.select(d.id).where(d.state == "submitting")))
            may = marked | set(db.scalars(sa.select(d.id).where(d.state == "accepted")))
        lab.nursery.wait(worker)
        assert len(marked) <= DOUBT
        assert {one.delivery for one in lab.record()} <= may
        tally["faults"] += 1
        with lab.begin() as db:
            ledger.resume(db, "weekly", lab.clock())
        worker = lab.start()
    lab.nursery.wait(worker)
    lab.recover()
    tally.judged(lab.judge(doubt=0))
    assert lab.count("accepted") == people
