"""R23: a storm of webhooks: each event one to forty-six times, shuffled, with an outage in the middle."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import Laboratory
from vinculo.db import engine as database
from vinculo.db.tables import delivery, inbound, interaction
from vinculo.testing.gateway import GatewayFake
from vinculo.web import create_app

FAMILY = "R23 webhook storm"
#: The gateway's words, and the history's.
WORDS = {"message.sent": "sent", "message.delivered": "delivered", "message.undeliverable": "bounced"}
SECRET = "whsec_" + "c2VjcmV0LWZvci10ZXN0cy1hbG9uZQ=="


@dataclass(frozen=True)
class Said:
    """One webhook, ready to be posted any number of times."""

    headers: dict[str, str]
    body: bytes


def test_r23_what_comes_any_number_of_times_in_any_order_counts_once(
    make_laboratory, tally: Tally, monkeypatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    people = depth(4, 40)
    lab: Laboratory = make_laboratory(
        people,
        environ={
            "VINCULO__GATEWAY__URL": "http://127.0.0.1:9/",
            "VINCULO__GATEWAY__TOKEN": "t",
            "VINCULO__GATEWAY__WEBHOOK_SECRET": SECRET,
        },
    )
    lab.run()
    chance = random.Random(23)
    fake = GatewayFake(webhook_secret=SECRET)
    with lab.read() as db:
        d = delivery.c
        keys = ["/".join(map(str, row)) for row in db.execute(sa.select(d.campaign, d.occurrence, d.contact_id))]
    truth = Counter({"sent": people})  # the run's own; the gateway may say so as well
    storm: list[Said] = []
    for key in keys:
        for word in chance.sample(sorted(WORDS), 2):
            headers, body = fake.webhook(word, key)
            storm += [Said(headers, body)] * chance.randrange(1, 47)
            truth[WORDS[word]] += 1
    chance.shuffle(storm)
    with (
        lab.runtime() as rt,
        TestClient(create_app(rt), base_url=rt.project.settings.web.url, raise_server_exceptions=False) as web,
    ):
        missed = _post(web, storm[: len(storm) // 2])
        with closing(sqlite3.connect(lab.url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            refused = _post(web, storm[len(storm) // 2 : len(storm) // 2 + 3])
            assert len(refused) == 3  # a provider is told to come again, and nothing is lost
        late = [*missed, *refused, *storm[len(storm) // 2 + 3 :]]
        assert _post(web, late) == []
    tally["faults"] += len(storm)
    with lab.read() as db:
        counted = Counter(db.scalars(sa.select(interaction.c.kind)))
        events = db.scalar(sa.select(sa.func.count()).select_from(inbound))
    assert {kind: counted[kind] for kind in truth} == dict(truth)
    assert events == 2 * people
    tally.judged(lab.judge(doubt=0))


def _post(web: TestClient, storm: list[Said]) -> list[Said]:
    """Post; return those that were not taken, for which the provider comes again."""
    return [one for one in storm if web.post("/webhooks/sms", content=one.body, headers=one.headers).status_code != 200]
