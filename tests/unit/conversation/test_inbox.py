"""A mail becomes a conversation; an answer goes into its thread, through the ledger, once."""

from __future__ import annotations

from tests.unit.conversation.conftest import House, letter


def _ours(house: House) -> str:
    return str(next(one["Message-ID"] for one in house.outbox() if "ana@" in one["To"]))


def test_a_question_opens_a_conversation_and_the_answer_joins_its_thread(house: House) -> None:
    house.mail(letter("Quanto custa o moedor?", answers=_ours(house), subject="Re: Olá, Ana"))
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
    assert sent["References"] == f"{_ours(house)} <1@gmail.example>"
    assert sent["Subject"] == "Re: Olá, Ana"
    assert "Auto-Submitted" not in sent
    assert sent.get_content().startswith(
        "Custa R$ 400.\n\nAbraço, Lia\n\nEm 1 de dezembro de 2026, 09:10, Ana escreveu:"
    )
    assert "> Quanto custa o moedor?" in sent.get_content()
    (line,) = house.inbox()
    assert (line.state, line.answered_at) == ("waiting", house.now)
    assert [(turn.kind, turn.delivery_state) for turn in house.thread(line.id)] == [
        ("received", ""),
        ("answered", "accepted"),
    ]
