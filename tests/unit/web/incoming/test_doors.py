"""Every door, each of its inputs 1 to 46 times, all shuffled: what is kept is what one of each leaves, in any order."""

from __future__ import annotations

import json
import os
import random
import shutil
import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.unit.inbox.test_imap import _Server
from tests.unit.web.conftest import BASE, NOW, PHONE, SECRET
from vinculo import feedback
from vinculo.db import metadata
from vinculo.db.tables import delivery, link
from vinculo.inbox import Doorkeeper, Listener
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing.gateway import GatewayFake
from vinculo.web import create_app

TOKEN = "of the events of our own systems"
#: How often each input comes at most; `make torture`: as often as a provider once did.
MOST = 46 if os.environ.get("TORTURE") else 12
#: What comes in and what it does. `times` counts the hits of the web: it differs, and is told apart below.
KEPT = ("inbound", "interaction", "consent", "permission", "preference", "suppression", "tally", "conversation")
#: When, and the number that a row happens to get.
_CHANCE = {"id", "at", "times", "received_at", "webhook_id", "consent_id", "updated_at", "raw"}


@dataclass
class House:
    """The town with every door open."""

    rt: Runtime
    web: TestClient
    doors: dict[str, smtplib.SMTP]
    imap: _Server
    sent: dict[int, int]
    shop: int
    numbers: Iterator[int] = field(default_factory=count)

    def mail(self, who: int, purpose: str, text: str, message_id: str) -> tuple[str, bytes]:
        to = f"respostas+{self.rt.signer.mail_token(purpose, self.sent[who])}@casaaurora.example"
        to = to.replace("respostas@", "") if purpose == "reply" else to
        head = f"From: c{who}@mail.example\r\nTo: {to}\r\nMessage-ID: <{message_id}@mail.example>\r\n"
        return to, f"{head}Date: Tue, 1 Dec 2026 13:00:00 +0000\r\nSubject: Re: Oi\r\n\r\n{text}\r\n".encode()

    def by_mail(self, door: str, who: int, text: str) -> None:
        to, raw = self.mail(who, "reply", text, door)
        if door in self.doors:
            self.doors[door].sendmail("a@mail.example", [to], raw)
        elif door == "maildir":
            (self.rt.project.root / "mail/new" / str(next(self.numbers))).write_bytes(raw)
            feedback.collect(self.rt, "maildir")
        else:
            self.imap.mails[next(self.numbers) + 10] = raw
            feedback.collect(self.rt, "imap")

    def inputs(self) -> list[Callable[[], Any]]:
        """One call for each input."""
        t, ana, rui = self.rt.signer.token, self.sent[1], self.sent[2]
        phone, web = {"User-Agent": PHONE}, self.web
        fake = GatewayFake(webhook_secret=SECRET)
        hooks = [fake.webhook(word, "weekly/2026-12-01T12:00[UTC]/1", id=word) for word in WORDS]
        told = [{"id": f"o{n}", "kind": "purchased", "contact": "rui", "amount": "9.90"} for n in range(3)]
        told.append({"id": "no", "kind": "unsubscribed", "contact": "rui", "channel": "email", "topic": "offers"})
        known = {"Authorization": f"Bearer {TOKEN}"}
        choices = {"email/news": "yes", "sms/offers": "yes", "language": "en", "frequency": "weekly"}
        return [
            *(lambda p=p: web.get(p, headers=phone) for p in (f"/o/{t('open', ana)}.gif", f"/o/{t('open', rui)}.gif")),
            lambda: web.get(f"/c/{t('click', ana)}/{self.shop}", headers=phone),
            lambda: web.head(f"/c/{t('click', ana)}/{self.shop}", headers=phone),
            lambda: web.get(f"/unsubscribe/{t('unsubscribe', rui)}"),
            lambda: web.post(f"/unsubscribe/{t('unsubscribe', rui)}", data={"List-Unsubscribe": "One-Click"}),
            lambda: web.post(f"/preferences/{t('preferences', 1)}", data=choices),
            lambda: web.get(f"/survey/{t('survey', ana)}/9"),
            lambda: web.post(f"/survey/{t('survey', ana)}", data={"score": "9"}),
            lambda: web.post(f"/survey/{t('survey', rui)}/2", data={"score": "2", "words": "frio"}),
            *(lambda h=h: web.post("/webhooks/sms", content=h[1], headers=h[0]) for h in hooks),
            *(lambda e=e: web.post("/events", json=e, headers=known) for e in told),
            lambda: web.post("/events", json=told, headers=known),
            lambda: self.by_mail("smtp", 1, "Adorei o cafe!"),
            lambda: self.by_mail("lmtp", 1, "Muito bom"),
            lambda: self.by_mail("maildir", 1, "Qual o preco?"),
            lambda: self.by_mail("imap", 1, "Obrigada"),
        ]

    def kept(self) -> dict[str, list[str]]:
        """What is in the tables, without what is chance."""
        with self.rt.read() as db:
            return {
                name: sorted(
                    json.dumps(_sure(dict(row._mapping)), default=str, sort_keys=True)
                    for row in db.execute(sa.select(metadata.tables[name]))
                )
                for name in KEPT
            }


def _sure(row: dict[str, object]) -> dict[str, object]:
    """What of a row is not chance; a choice in the preference centre has an id that is drawn."""
    drawn = {"event_id"} if row.get("source") == "preferences" else set()
    return {name: value for name, value in row.items() if name not in _CHANCE | drawn}


WORDS = ("message.sent", "message.delivered", "message.read", "message.teleported")


@pytest.fixture
def open_house(made: Path, tmp_path: Path) -> Iterator[Callable[[str], House]]:
    with ExitStack() as stack:

        def build(name: str) -> House:
            root, imap = tmp_path / name, _Server()
            stack.callback(imap.socket.close)
            shutil.copytree(made, root)
            for folder in ("new", "cur", "tmp"):
                (root / "mail" / folder).mkdir(parents=True)
            imap.mails = {1: b"\r\n"}
            toml = root / "vinculo.toml"
            listen = f'[listen]\nmaildir = "mail"\nimap = "imap://me:x@127.0.0.1:{imap.port}/INBOX"\n'
            text = toml.read_text().replace("[web]", f'{listen}[web]\nevents_token = "{TOKEN}"')
            toml.write_text(text)
            rt = stack.enter_context(open_runtime(root, clock=lambda: NOW + timedelta(hours=1)))
            company = rt.project.settings.company
            keeper = Doorkeeper((company.reply_email, company.bounce_email), rt.signer)
            doors = {}
            for door, kind in (("smtp", smtplib.SMTP), ("lmtp", smtplib.LMTP)):
                handle = _handle(rt)
                listener = stack.enter_context(Listener("127.0.0.1:0", keeper, handle, lmtp=door == "lmtp"))
                doors[door] = stack.enter_context(kind("127.0.0.1", listener.port))
            with rt.read() as db:
                sent = dict(db.execute(sa.select(delivery.c.contact_id, delivery.c.id)).tuples().all())
                shop = db.scalar(sa.select(sa.func.min(link.c.id)))
            web = stack.enter_context(TestClient(create_app(rt), base_url=BASE, follow_redirects=False))
            return House(rt, web, doors, imap, sent, shop)

        yield build


def _handle(rt: Runtime) -> Callable[[bytes, str], None]:
    def handle(raw: bytes, source: str) -> None:
        feedback.receive_mail(rt, raw, source=source)

    return handle


@pytest.mark.parametrize("seed", [1, 2])
def test_what_comes_any_number_of_times_in_any_order_leaves_what_one_of_each_leaves(
    open_house: Callable[[str], House], seed: int
) -> None:
    once, often, chance = open_house("once"), open_house("often"), random.Random(seed)
    for call in once.inputs():
        answer = call()
        assert answer is None or answer.status_code < 400, answer.text
    storm = [call for call in often.inputs() for _ in range(chance.randint(1, MOST))]
    chance.shuffle(storm)
    for call in storm:
        call()
    truth = once.kept()
    assert often.kept() == truth
    kinds = {json.loads(row)["kind"] for row in truth["interaction"]}
    assert kinds >= {"sent", "opened", "clicked", "unsubscribed", "delivered", "purchased", "replied", "surveyed"}
    assert len([row for row in truth["interaction"] if json.loads(row)["kind"] == "replied"]) == 4
    assert len([row for row in truth["interaction"] if json.loads(row)["kind"] == "surveyed"]) == 2
