"""Questions that are answered at once, wishes that are confirmed: one for a person and day, and never to a machine."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.conversation.conftest import ANSWERS, Build, House, letter
from tests.unit.conversation.test_inbox import ours
from vinculo import consent, feedback, history
from vinculo.model import Event, EventKind
from vinculo.testing.store import suppress


def test_a_predefined_question_is_answered_at_once_in_the_thread(house: House) -> None:
    house.mail(letter("Oi, que horas abre a loja no sábado?", answers=ours(house)))
    house.drain()
    sent = house.outbox()[-1]
    assert (sent["Auto-Submitted"], sent["Subject"]) == ("auto-replied", "Auto: Olá, Ana")
    assert (sent["In-Reply-To"], sent["References"]) == ("<1@gmail.example>", f"{ours(house)} <1@gmail.example>")
    assert "Abrimos das 9 às 18" in sent.get_body(("plain",)).get_content()
    (line,) = house.inbox()
    assert (line.state, line.answered_at) == ("waiting", None)  # no person has answered yet
    assert [turn.kind for turn in house.thread(line.id)] == ["received", "automatic"]


def test_a_person_gets_one_such_answer_a_day_and_then_a_person(house: House) -> None:
    house.mail(letter("Que horas abre?", answers=ours(house)))
    house.later(hours=3)
    house.mail(letter("Que horas abre no feriado?", answers=ours(house), number=2))
    assert len(house.deliveries("answer-at-once")) == 1
    assert house.inbox()[0].state == "open"
    house.later(days=1)
    house.mail(letter("Que horas abre?", answers=ours(house), number=3))
    house.mail(letter("Que horas abre?", answers=ours(house), number=1), source="imap")  # yesterday's, by another door
    assert len(house.deliveries("answer-at-once")) == 2


def test_what_is_not_clearly_one_question_is_a_persons(house: House) -> None:
    texts = [
        "Que horas abre? Meu pedido chegou quebrado!",  # a complaint
        "Que horas abre? E vocês entregam em Manaus?",  # two questions
        "Não quero mais receber e-mails. Que horas abre?",
        "Que horas abre " + "e conto uma história " * 20,
        "Vocês fazem entregas?",
    ]
    for number, text in enumerate(texts):
        house.mail(letter(text, answers=ours(house), number=number))
        assert house.deliveries("answer-at-once") == []


def test_an_intent_that_is_asked_for_must_be_there(house: House) -> None:
    house.mail(letter("Vocês entregam em Manaus?", answers=ours(house)))
    assert len(house.deliveries("answer-at-once")) == 1


def test_a_machine_is_never_answered(house: House) -> None:
    headers = [
        "Auto-Submitted: auto-replied\r\n", "X-Autoreply: yes\r\n", "Precedence: bulk\r\n", "List-Id: <x.example>\r\n",
        "Return-Path: <>\r\n", "Precedence: auto_reply\r\n",
    ]  # fmt: skip
    for number, header in enumerate(headers):
        for text in ("Que horas abre?", "STOP"):
            house.mail(letter(text, answers=ours(house), headers=header, number=number))
            assert house.deliveries("answer-at-once") + house.deliveries("unsubscribed") == []


def test_a_machine_that_wants_no_more_mail_gets_none_and_no_confirmation(house: House) -> None:
    token = house.rt.signer.mail_token("unsubscribe", house.sent_to(house.ana).id)
    tagged = letter("x", to=f"unsub+{token}@casaaurora.example", headers="Auto-Submitted: auto-generated\r\n")
    bare = letter("x", subject="Unsubscribe", headers="X-Autoreply: yes\r\n", number=2)
    assert [house.mail(tagged), house.mail(bare)] == [["handled"], ["handled"]]
    assert house.deliveries("unsubscribed") == []
    with house.rt.read() as db:
        assert consent.live(db, house.ana, house.now)["email", "news"] is False


def test_nor_is_one_that_writes_as_nobody(house: House) -> None:
    raw = letter("Que horas abre?", answers=ours(house), sender="Loja <no-reply@gmail.example>")
    assert house.mail(raw) == ["handled"]
    assert house.deliveries("answer-at-once") == []


# ── two instances that write to each other ───────────────────────────────────────────────────────────────────────
def wire(a: House, b: House, seen: set[str], *, strip: bool) -> int:
    """Bring what each wrote to the other's mailbox; *strip*: a gateway between them drops what says "automatic"."""
    moved = 0
    for one, other in ((a, b), (b, a)):
        one.drain()
        for mail in one.outbox():
            if mail["Message-ID"] in seen or other.domain not in str(mail["To"]):
                continue
            seen.add(mail["Message-ID"])
            if strip:
                for name in ("Auto-Submitted", "X-Auto-Response-Suppress", "List-Id", "Feedback-ID"):
                    del mail[name]
                subject = str(mail["Subject"]).replace("Auto: ", "Re: ")
                del mail["Subject"]
                mail["Subject"] = subject
            # it comes from the address by which the other knows this house
            mail.replace_header("From", f"Casa <ola@{one.domain}>")
            assert other.mail(mail.as_bytes()) == ["handled"]
            moved += 1
    return moved


@pytest.mark.parametrize("strip", [False, True])
def test_two_instances_that_answer_each_other_stop_after_one(build: Build, strip: bool) -> None:
    # What a answers holds the words of b's question too, and b's would hold those of a's.
    hours = ANSWERS.partition("  shipping:")[0]
    a = build("a", domain="a.example", ana="ola@b.example", answers=hours)
    b = build("b", domain="b.example", ana="ola@a.example", answers=hours)
    seen = {one["Message-ID"] for house in (a, b) for one in house.outbox()}
    a.mail(letter("Que horas abre?", sender="B <ola@b.example>", subject="Oi", number=7))
    for _ in range(12):
        if not wire(a, b, seen, strip=strip):
            break
        a.later(minutes=5)
        b.later(minutes=5)
    else:
        pytest.fail("they never stop")
    assert len(a.deliveries("answer-at-once")) == 1
    assert len(b.deliveries("answer-at-once")) == (1 if strip else 0)


# ── "stop" is confirmed ──────────────────────────────────────────────────────────────────────────────────────────
def live(house: House, channel: str) -> set[bool]:
    with house.rt.read() as db:
        return {yes for (name, _), yes in consent.live(db, house.ana, house.now).items() if name == channel}


def test_who_says_stop_by_mail_is_let_alone_and_told_so_once(house: House) -> None:
    house.mail(letter("Por favor, não quero mais receber e-mails.", answers=ours(house)))
    house.mail(letter("Parem de me mandar mensagem!!", answers=ours(house), number=2))
    house.drain()
    assert live(house, "email") == {False}
    assert live(house, "sms") == {True}
    (sent,) = house.deliveries("unsubscribed")
    assert (sent.state, sent.topic, sent.basis) == ("accepted", "answer", "service")
    mail = house.outbox()[-1]
    assert (mail["Auto-Submitted"], mail["In-Reply-To"]) == ("auto-replied", "<1@gmail.example>")
    assert "não escrevemos mais para você por e-mail" in mail.get_content()
    assert "/preferences/" in mail.get_content()
    assert "> " not in mail.get_content()
    assert house.inbox() == []


def test_a_wish_in_the_subject_is_confirmed_too(house: House) -> None:
    for number, subject in enumerate(["Descadastrar", "STOP", "Darme de baja"], start=1):
        house.mail(letter("", subject=subject, number=number))
        assert (len(house.deliveries("unsubscribed")), live(house, "email")) == (number, {False})
        house.later(days=1)


def sms(house: House, text: str, number: str = "1") -> str:
    event = Event(
        EventKind.INBOUND, "gateway", number, house.now, channel="sms", address="+5511999990001", text=text, raw=b"{}"
    )
    with house.rt.begin() as db:
        return feedback.receive(db, event, signer=house.rt.signer, now=house.now, project=house.rt.project)


def test_stop_by_sms_in_the_middle_of_the_night_is_confirmed_at_once(build: Build) -> None:
    house = build()
    house.clock[0] = house.now.replace(hour=5)  # two in the morning in São Paulo
    assert sms(house, "PARE") == "handled"
    house.drain()
    assert (live(house, "sms"), live(house, "email")) == ({False}, {True})
    (sent,) = house.deliveries("unsubscribed")
    assert (sent.state, sent.channel) == ("accepted", "sms")
    assert sms(house, "PARE JÁ", "2") == "handled"
    assert len(house.deliveries("unsubscribed")) == 1


def test_everywhere_means_every_channel(house: House) -> None:
    sms(house, "Não quero mais receber nada, nem por SMS nem por e-mail, por nenhum canal")
    assert (live(house, "sms"), live(house, "email")) == ({False}, {False})


def test_what_only_looks_like_stop_is_not_confirmed(house: House) -> None:
    for text in ("Não pare de mandar!", "vou sair às 5", "end of story", "cancelem meu pedido"):
        sms(house, text, text)
        assert (house.deliveries("unsubscribed"), live(house, "sms")) == ([], {True})


def test_a_suppressed_address_gets_no_confirmation(house: House) -> None:
    with house.rt.begin() as db:
        suppress(db, "sms", "+5511999990001", signer=house.rt.signer)
    sms(house, "STOP")
    assert house.deliveries("unsubscribed") == []


def test_the_day_is_the_companys(house: House) -> None:
    house.clock[0] = house.now.replace(hour=2) + timedelta(days=1)  # 23:00 of the same day in São Paulo
    sms(house, "STOP", "1")
    house.later(hours=2)
    sms(house, "STOP", "2")
    assert len(house.deliveries("unsubscribed")) == 2


def test_an_automatic_answer_is_no_reply_and_opens_nothing(house: House) -> None:
    text = "Estou de férias até 10/12. Em caso de urgência, fale com a Marta. Que horas abre?"
    raw = letter(text, answers=ours(house), subject="Resposta automática: Olá, Ana")
    assert house.mail(raw) == ["handled"]
    assert house.inbox() == []
    with house.rt.read() as db:
        kind, data = db.execute(
            sa.text("SELECT kind, data FROM interaction WHERE direction = 'in' ORDER BY id DESC LIMIT 1")
        ).one()
    assert kind == "auto_replied"
    assert json.loads(data)["returns"] == "2026-12-10"
    with house.rt.read() as db:
        days = [history.away_until(db, house.ana, date(2026, 12, day)) for day in (1, 10, 11)]
    assert days == [date(2026, 12, 10), date(2026, 12, 10), None]
