"""The whole way on SQLite and PostgreSQL: a reproach, what it holds back, its end; joined and erased contacts."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from tests.unit.conversation.conftest import House, letter
from vinculo import audience, contacts, conversation, ledger
from vinculo.conversation import Said
from vinculo.db.tables import conversation as conversations
from vinculo.db.tables import turn
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign


def promoted(house: House, kind: str = "promotion") -> str:
    """State and reason that a campaign would have for Ana."""
    file = {
        "name": kind,
        "kind": kind,
        "segment": "everyone",
        "topic": "offers",
        "channels": ["email"],
        "template": "hello",
    }
    with house.rt.begin() as db:
        trial = db.begin_nested()
        one = Occurrence(kind, datetime(2026, 12, 1, 12), "UTC")
        audience.enter(db, house.rt.project, Campaign.model_validate(file), one, house.now, zones=[])
        (verdict,) = ledger.why(db, house.ana, kind)
        trial.rollback()
    return f"{verdict.state} {verdict.reason}".strip()


def test_a_reproach_holds_promotions_back_until_somebody_has_dealt_with_it(both: House) -> None:
    assert promoted(both) == "planned"
    both.mail(letter("Meu pedido chegou quebrado, péssimo", subject="Pedido"))
    both.mail(letter("Que horas abre?", subject="Loja", number=2))
    complaint, question = both.inbox()
    assert (complaint.negative, question.negative) == (True, False)
    assert promoted(both) == "skipped reproach"
    assert promoted(both, "newsletter") == "planned"
    both.answer(complaint.id, "Desculpe! Mandamos outro.")
    both.drain()
    assert promoted(both) == "skipped reproach"  # answered is not settled
    with both.rt.begin() as db:
        conversation.close(db, complaint.id, "marina", both.now)
    assert promoted(both) == "planned"
    assert [row.state for row in both.deliveries("answer") + both.deliveries("answer-at-once")] == ["accepted"] * 2
    both.mail(letter("Continua péssimo!", answers="<1@gmail.example>", subject="x", number=3))
    assert promoted(both) == "skipped reproach"
    with both.rt.read() as db:
        (week,) = conversation.pace(db, both.rt.project, both.now)
        assert (week.opened, week.answered, week.closed) == (2, 1, 0)
        assert conversation.owners(db, both.rt.project) == ["marina"]


def test_an_event_of_ours_opens_a_conversation_once(both: House) -> None:
    said = Said(
        both.ana, both.now, "survey/7", "Nota 2: demorou demais", channel="email", topic="service", negative=True,
        unprompted=True,
    )  # fmt: skip
    with both.rt.begin() as db:
        assert conversation.hear(db, said) == conversation.hear(db, said)
    (line,) = both.inbox()
    assert (line.negative, line.topic, line.last) == (True, "service", "Nota 2: demorou demais")
    both.answer(line.id, "O que houve?")
    both.drain()
    sent = both.outbox()[-1]
    assert (sent["To"], sent["Subject"]) == ("Ana <ana@gmail.example>", "Casa Aurora")


def test_joining_and_erasing_take_the_conversations_along(both: House) -> None:
    both.mail(letter("Quanto custa o moedor?", subject="Moedor"))
    (line,) = both.inbox()
    with both.rt.begin() as db:
        contacts.merge(db, both.rui, both.ana, both.now)
    assert [one.contact_id for one in both.inbox()] == [both.rui]
    both.answer(line.id, "R$ 400")
    both.drain()
    assert both.deliveries("answer")[0].address == "ana@gmail.example"
    with both.rt.begin() as db:
        told = str(contacts.export(db, both.rui, both.now))
        assert "Quanto custa o moedor?" in told
        contacts.erase(db, both.rui, both.now)
        left = str(db.execute(sa.select(conversations)).all()) + str(db.execute(sa.select(turn)).all())
    assert "moedor" not in left.lower()
    assert "R$ 400" not in left
    assert both.inbox() == []


@pytest.mark.parametrize(
    ("subject", "message_id", "charset", "text"),
    [
        ("Re: a\0b", "<1@x.example>", "utf-8", "Que horas abre?"),
        ("Re: a", "<1\0@x.example>", "utf-8", "Que horas abre?"),
        ("Re: =?utf-7?Q?+2AA-?=", "<1@x.example>", "utf-8", "Que horas abre?"),
        ("Re: a", "<=?utf-7?Q?+2AA-?=@x.example>", "utf-8", "Que horas abre?"),
        ("Re: a", "<1@x.example>", "utf-7", "+2AA- Que horas abre?"),
    ],
)
def test_a_mail_with_what_no_database_keeps_is_heard_and_answered(
    both: House, subject: str, message_id: str, charset: str, text: str
) -> None:
    raw = (
        f"From: Ana <ana@gmail.example>\r\nSubject: {subject}\r\nMessage-ID: {message_id}\r\nIn-Reply-To: <a\0@b>\r\n"
        f"Content-Type: text/plain; charset={charset}\r\n\r\n{text}\r\n"
    )
    assert both.mail(raw.encode()) == ["handled"]
    both.answer(both.inbox()[0].id, "Das 9 às 18.")
    both.drain()
    assert [row.state for row in both.deliveries("answer") + both.deliveries("answer-at-once")] == ["accepted"] * 2
