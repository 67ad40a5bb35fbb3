"""A mail becomes a conversation; an answer goes into its thread, through the ledger, once."""

from __future__ import annotations

import pytest

from tests.unit.conversation.conftest import House, letter
from vinculo import conversation
from vinculo.errors import NotFound, UsageError
from vinculo.testing.store import suppress


def ours(house: House) -> str:
    """The Message-ID of the newsletter that Ana got."""
    return str(next(one["Message-ID"] for one in house.outbox() if "ana@" in one["To"]))


def test_a_question_opens_a_conversation_and_the_answer_joins_its_thread(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=ours(house)))
    (line,) = house.inbox()
    assert (line.state, line.intent, line.owner, line.topic, line.campaign) == (
        "open",
        "price",
        "lia",
        "news",
        "weekly",
    )
    house.later(hours=1)
    house.answer(line.id, "Custa R$ 400.\n\nAbraço, Lia")
    house.drain()
    sent = house.outbox()[-1]
    assert sent["In-Reply-To"] == "<1@gmail.example>"
    assert sent["References"] == f"{ours(house)} <1@gmail.example>"
    assert sent["Subject"] == "Re: Olá, Ana"
    assert not {"Auto-Submitted", "List-Id", "List-Unsubscribe", "X-Auto-Response-Suppress"} & set(sent.keys())
    text = sent.get_content().replace("\r\n", "\n")
    assert text.startswith("Custa R$ 400.\n\nAbraço, Lia\n\nEm 1 de dezembro de 2026, 09:10, Ana escreveu:\n\n> Quanto")
    (line,) = house.inbox()
    assert (line.state, line.answered_at) == ("waiting", house.now)
    turns = house.thread(line.id)
    assert [(turn.kind, turn.delivery_state) for turn in turns] == [("received", ""), ("answered", "accepted")]


def test_the_same_mail_through_two_doors_and_twice_opens_one_conversation(house: House) -> None:
    raw = letter("Quanto custa o moedor?", answers=ours(house))
    for source in ("smtp", "smtp", "imap", "maildir"):
        house.mail(b"Received: by some hop\r\n" + raw, source)
    (line,) = house.inbox()
    assert len(house.thread(line.id)) == 1


def test_an_answer_to_our_answer_goes_on_with_the_conversation(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=ours(house)))
    (line,) = house.inbox()
    house.answer(line.id, "R$ 400")
    house.drain()
    house.later(hours=2)
    answer = str(house.outbox()[-1]["Message-ID"])
    house.mail(letter("E o frete, quanto fica?", answers=answer, number=2, subject="algo bem diferente"))
    (again,) = house.inbox()
    assert (again.id, again.state, again.owed_at) == (line.id, "open", house.now)
    assert [turn.kind for turn in house.thread(line.id)] == ["received", "answered", "received"]


def test_a_second_mail_before_any_answer_goes_on_too_and_waits_since_the_first(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=ours(house)))
    first = house.now
    house.later(hours=1)
    house.mail(letter("Alguém aí? Preciso saber o preço", answers="<1@gmail.example>", number=2, subject="outra coisa"))
    (line,) = house.inbox()
    assert line.owed_at == first
    assert len(house.thread(line.id)) == 2


def test_another_matter_is_another_conversation(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", subject="Moedor", number=1))
    house.mail(letter("Meu pedido não chegou", subject="Pedido 1001", number=2))
    assert [(line.subject, line.negative) for line in house.inbox()] == [("Moedor", False), ("Pedido 1001", True)]


def test_what_wants_no_answer_opens_none(house: House) -> None:
    for number, text in enumerate(["Obrigada!", "Adorei, muito obrigada", "ok", "Combinado", "", "PARE"]):
        house.mail(letter(text, answers=ours(house), number=number))
        assert house.inbox() == []


def test_thanks_for_an_answer_leaves_it_waiting_and_is_kept(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=ours(house)))
    (line,) = house.inbox()
    house.answer(line.id, "R$ 400")
    house.drain()
    house.mail(letter("Muito obrigada!", answers=str(house.outbox()[-1]["Message-ID"]), number=2))
    assert house.inbox()[0].state == "waiting"
    assert house.thread(line.id)[-1].text == "Muito obrigada!"


def test_the_same_form_twice_sends_one_answer(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=ours(house)))
    (line,) = house.inbox()
    first, second = house.answer(line.id, "R$ 400"), house.answer(line.id, "R$ 400")
    assert (second.again, second.delivery) == (True, first.delivery)
    house.drain()
    assert len(house.deliveries("answer")) == 1
    assert sum("R$ 400" in one.get_content() for one in house.outbox() if not one.is_multipart()) == 1
    assert not house.answer(line.id, "E em 2x de R$ 200", form="f2").again  # in the same minute, and it is another
    house.drain()
    assert [row.state for row in house.deliveries("answer")] == ["accepted", "accepted"]


def test_who_has_left_is_still_answered_but_a_suppressed_address_is_not(house: House) -> None:
    house.mail(letter("Parem de mandar e-mail! E meu pedido não chegou", answers=ours(house)))
    (line,) = house.inbox()
    house.answer(line.id, "Desculpe, já resolvemos.")
    house.drain()
    assert house.deliveries("answer")[0].state == "accepted"
    with house.rt.begin() as db:
        suppress(db, "email", "ana@gmail.example", signer=house.rt.signer)
    with pytest.raises(UsageError, match="no address on email"):
        house.answer(line.id, "Mais uma coisa", form="f2")


def test_nothing_and_too_much_are_no_answer(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?"))
    (line,) = house.inbox()
    for text in ("", "   \r\n ", "x" * 50_001):
        with pytest.raises(UsageError, match="nothing was sent"):
            house.answer(line.id, text)
    assert house.deliveries("answer") == []


def test_no_conversation_of_that_number(house: House) -> None:
    for number in (0, 99, -1, 2**70):
        with pytest.raises(NotFound, match="no conversation"):
            house.answer(number, "x")
        with pytest.raises(NotFound), house.rt.read() as db:
            conversation.thread(db, house.rt.project, number, house.now)


def test_taking_handing_over_closing_and_opening_again(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", subject="Moedor"))
    (line,) = house.inbox()
    assert line.owner == "marina"  # a mail out of the blue has no topic
    with house.rt.begin() as db:
        conversation.take(db, line.id, "rosa", house.now)
        conversation.take(db, line.id, "rosa", house.now)
        conversation.hand_over(db, line.id, "beto", "rosa", house.now, "cliente antiga")
        conversation.close(db, line.id, "beto", house.now)
        conversation.close(db, line.id, "beto", house.now)
    assert house.inbox() == []
    (closed,) = house.inbox(states=["closed"])
    assert (closed.owner, closed.closed_at, closed.due) == ("beto", house.now, None)
    with house.rt.begin() as db:
        conversation.reopen(db, line.id, "beto", house.now)
    kinds = ["received", "taken", "handed_over", "closed", "reopened"]
    assert [turn.kind for turn in house.thread(line.id)] == kinds
    assert [one.id for one in house.inbox(owner="beto")] == [line.id]
    assert house.inbox(owner="rosa") == []
    with pytest.raises(UsageError, match="Nobody is named"), house.rt.begin() as db:
        conversation.hand_over(db, line.id, " ", "beto", house.now)


def test_the_contacts_owner_comes_before_the_topics(house: House) -> None:
    house.mail(letter("How much is the grinder?", sender="Rui <rui@mail.example>", subject="Re: Olá, Rui"))
    (line,) = house.inbox()
    assert (line.owner, line.campaign, line.topic) == ("sofia", "weekly", "news")


def test_a_stranger_has_no_conversation_with_us(house: House) -> None:
    assert house.mail(letter("Quanto custa?", sender="Eva <eva@elsewhere.example>")) == ["unmatched"]
    assert house.inbox() == []


def test_headers_of_strangers_cannot_break_out_of_ours(house: House) -> None:
    evil = "In-Reply-To: <a@b>\r\n <c@d>\r\nReferences: <x@y>\x0b<=?utf-8?q?x=0ABcc:_a=40b.c?=@z>\r\n"
    subject = "Re: =?utf-8?q?x=0ABcc:_eve=40evil.example?= =?utf-8?q?=3D=3Futf-8=3Fq=3Fy=3D0ABcc=3A=3F=3D?="
    raw = letter("Quanto custa o moedor?", subject=subject, headers=evil)
    house.mail(raw.replace(b"Message-ID: <1@gmail.example>", b"Message-ID: <1@x>\x00 nonsense"))
    (line,) = house.inbox()
    house.answer(line.id, "Oi\r\n.\r\nBcc: eve@evil.example")
    house.drain()
    sent = house.outbox()[-1]
    assert sent["Bcc"] is None
    assert "In-Reply-To" not in sent
    assert house.deliveries("answer")[0].state == "accepted"


def test_what_another_contact_answers_who_was_forwarded_the_letter_is_its_own(house: House) -> None:
    house.mail(letter("How much is the grinder?", answers=ours(house), sender="Rui <rui@mail.example>"))
    house.mail(letter("E quanto custa o café?", answers=ours(house), number=2, sender="Ana <ana@work.example>"))
    assert {(line.name, line.campaign) for line in house.inbox()} == {("Rui", ""), ("Ana", "weekly")}
