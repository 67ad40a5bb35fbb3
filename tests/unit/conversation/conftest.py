"""A company that is written to: contacts, a newsletter that was really sent to them, and its inbox."""

from __future__ import annotations

import email
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import conversation, feedback, run
from vinculo.conversation import Line, Turn
from vinculo.db import connect, metadata
from vinculo.db.tables import delivery
from vinculo.model import Occurrence
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing.project import COMPANY, write_project
from vinculo.testing.store import add_contact

#: Tuesday, 1 December 2026, 09:00 in São Paulo.
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
ANSWERS = """\
owner: marina
target: {first_response: 8h, resolution: 3 days}
topics:
  news: {owner: lia}
  service: {target: {first_response: 2h, resolution: 1 day}}
questions:
  hours:
    phrases: [que horas abre, opening hours, a que hora abren]
    template: hours
  shipping:
    phrases: [entregam em, do you ship]
    intent: question
    template: hours
"""
_POLICY = """\
topics:
  news: {title: {pt: Novidades, en: News}}
  offers: {title: {pt: Ofertas, en: Offers}}
  service: {title: {pt: Atendimento, en: Service}}
quiet_hours:
  - {from: "20:00", to: "09:00", channels: [sms]}
"""
_HOURS = """\
{% extends "_base/email.html" %}
{% block subject %}Horário{% endblock %}
{% block content %}<p>Olá, {{ contact.given_name }}. Abrimos das 9 às 18. Do you ship? Opening hours?</p>{% endblock %}
"""


@dataclass
class House:
    """The company at work. `clock[0]` is the time."""

    rt: Runtime
    clock: list[datetime]
    ana: int
    rui: int
    domain: str

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def later(self, **span: float) -> None:
        self.clock[0] += timedelta(**span)

    def mail(self, raw: bytes, source: str = "smtp") -> list[str]:
        return feedback.receive_mail(self.rt, raw, source=source)

    def inbox(self, **filters: object) -> list[Line]:
        with self.rt.read() as db:
            return conversation.inbox(db, self.rt.project, self.now, **filters)

    def thread(self, number: int) -> list[Turn]:
        with self.rt.read() as db:
            return conversation.thread(db, self.rt.project, number, self.now)[1]

    def answer(self, number: int, text: str, form: str = "f1", who: str = "marina") -> conversation.Answered:
        with self.rt.begin() as db:
            return conversation.answer(db, self.rt.project, number, text, who=who, now=self.now, form=form)

    def drain(self) -> None:
        run.drain(self.rt, worker="w")

    def outbox(self) -> list[EmailMessage]:
        """What left by e-mail, in the order of its going."""
        files = sorted((self.rt.project.root / "outbox").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]

    def deliveries(self, campaign: str) -> list[sa.Row]:
        with self.rt.read() as db:
            return list(db.execute(sa.select(delivery).where(delivery.c.campaign == campaign).order_by("id")))

    def sent_to(self, contact_id: int) -> sa.Row:
        with self.rt.read() as db:
            d = delivery.c
            return db.execute(sa.select(delivery).where(d.campaign == "weekly", d.contact_id == contact_id)).one()


def letter(
    text: str, *, to: str = "replies@casaaurora.example", subject: str = "Re: Olá, Ana", answers: str = "",
    number: int = 1, sender: str = "Ana <ana@gmail.example>", headers: str = "",
) -> bytes:  # fmt: skip
    """A mail that a person wrote; *answers* is the Message-ID it answers."""
    named = f"In-Reply-To: {answers}\r\nReferences: {answers}\r\n" if answers else ""
    return (
        f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{number}@gmail.example>\r\n"
        f"Date: Tue, 1 Dec 2026 12:00:00 +0000\r\n{named}{headers}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()


Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    """Build a company called *name*, whose contacts are at *addresses*."""
    with ExitStack() as stack:

        def build(
            name: str = "aurora",
            domain: str = "casaaurora.example",
            ana: str = "ana@gmail.example",
            answers: str = ANSWERS,
            url: str = "",
        ) -> House:
            root = tmp_path / name
            database = url or f"sqlite:///{root / 'vinculo.db'}"
            write_project(root, **_files(root, domain, answers, database))
            engine = connect(database)
            metadata.create_all(engine)
            engine.dispose()
            clock = [NOW]
            rt = stack.enter_context(open_runtime(root, clock=lambda: clock[0]))
            with rt.begin() as db:
                known = {"signer": rt.signer, "consent": ["news", "offers"], "country": "BR"}
                first = add_contact(
                    db, key="ana", email=ana, phone="+5511999990001", given_name="Ana", language="pt", **known
                )
                rui = {"given_name": "Rui", "language": "en", "owner": "sofia"}
                second = add_contact(db, key="rui", email="rui@mail.example", **rui, **known)
            weekly = rt.project.campaigns["weekly"]
            run.run_occurrence(rt, weekly, Occurrence("weekly", datetime(2026, 12, 1, 12), "UTC"), worker="w")
            clock[0] += timedelta(minutes=10)
            return House(rt, clock, first, second, domain)

        yield build


def _files(root: Path, domain: str, answers: str, database: str) -> dict[str, str]:
    toml = f"""\
{COMPANY.replace("casaaurora.example", domain)}
[database]
url = "{database}"
durability = "process"

[web]
outbox = "outbox"

[channels]
email = "connectors.outbox:Outbox"
sms = "connectors.outbox:Outbox"

[outbox]
folder = "{root}/outbox"
"""
    return {
        "vinculo.toml": toml,
        "plan/answers.yaml": answers,
        "templates/hours/email.html": _HOURS,
        "plan/policy.yaml": _POLICY,
        "templates/hours/sms.txt": "Abrimos das 9 às 18.\n",
        "templates/hours/sample.yaml": "contact: {given_name: Ana}\n",
        "var/secret.key": f"a secret for tests alone, and long enough, of {domain}",
    }


@pytest.fixture
def house(build: Build) -> House:
    return build()


@pytest.fixture
def both(build: Build, engine: sa.Engine) -> House:
    """The same company on either database."""
    engine.dispose()
    return build(url=engine.url.render_as_string(hide_password=False))
