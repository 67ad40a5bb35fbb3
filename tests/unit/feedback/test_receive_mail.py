"""A mail through a door ends in the contact's history, consent and suppression."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.unit.feedback.conftest import Desk, Shop
from tests.unit.inbox.letters import complaint, dsn, letter
from vinculo import consent, history
from vinculo.db.tables import delivery, inbound, setback
from vinculo.feedback import receive_mail
from vinculo.feedback.mail import read_mail
from vinculo.model import Message


def _mail(shop: Shop, raw: bytes) -> list[str]:
    return receive_mail(shop.desk, raw, source="lmtp")


def test_a_bounce_a_complaint_a_reply_and_an_unsubscription(shop: Shop) -> None:
    token = {name: shop.signer.mail_token(name, shop.ana_delivery) for name in ("bounce", "message", "reply")}
    reply_to = f"replies+{token['reply']}@shop.example"
    assert _mail(shop, letter("Adorei!", to=reply_to)) == ["handled"]
    assert _mail(shop, letter("", to=reply_to, subject="unsubscribe")) == ["handled"]
    assert _mail(shop, dsn(f"bounces+{token['bounce']}@shop.example")) == ["handled"]
    returned = f"To: redacted\r\nMessage-ID: <{token['message']}@shop.example>\r\n"
    assert _mail(shop, complaint(returned=returned)) == ["handled"]
    with shop.engine.begin() as db:
        lines = {line.kind: line for line in history.timeline(db, shop.ana)}
        assert consent.live(db, shop.ana, shop.now) == {("email", "news"): False, ("email", "offers"): False}
        assert consent.suppressed(db, "email", {shop.hash("ana@example.com")})
        assert history.timeline(db, shop.bruno) == []
    assert set(lines) == {"replied", "unsubscribed", "bounced", "complained"}
    assert lines["replied"].summary == "Adorei!"
    assert {line.campaign for line in lines.values()} == {"weekly"}


def test_the_same_mail_twice_is_handled_once(shop: Shop) -> None:
    assert _mail(shop, letter(headers="")) == ["handled"]
    assert _mail(shop, b"Received: again\r\n" + letter(headers="")) == ["duplicate"]


def test_what_cannot_be_read_is_kept(shop: Shop) -> None:
    raw = b"X: a\n" * 5000
    assert _mail(shop, raw) == ["ignored"]
    with shop.engine.begin() as db:
        assert db.scalar(sa.select(inbound.c.raw)) == raw


#: The subject of what we sent to Ana: it speaks of being let alone, and nobody asks for that.
OURS = "Não quero mais receber boletos em papel? Pare hoje"


@pytest.fixture
def desk(shop: Shop) -> Desk:
    desk = shop.desk
    desk.sent = lambda _: Message("k", "email", "ana@example.com", "Olá", subject=OURS)
    return desk


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("text", ["", "> Olá"])
def test_our_own_subject_above_an_empty_page_asks_for_nothing(shop: Shop, desk: Desk, named: bool, text: str) -> None:
    """Some telephones write no `Re:`, with or without telling what they answer; a long line is folded on its way."""
    token = shop.signer.mail_token("message", shop.ana_delivery)
    headers = f"In-Reply-To: <{token}@shop.example>\r\n" if named else ""
    folded = OURS.replace(" em", "\r\n em").replace("quero", "QUERO")
    raw = letter(text, subject=folded, headers=headers)
    assert [event.kind for event in read_mail(desk, raw, source="lmtp", at=shop.now)] == ["replied"]
    assert receive_mail(desk, raw, source="lmtp") == ["handled"]
    with shop.engine.begin() as db:
        (line,) = history.timeline(db, shop.ana)
    assert (line.kind, line.campaign, line.data["intents"], "by_subject" in line.data) == (
        "replied",
        "weekly",
        [],
        False,
    )
    assert all(_answers(shop).values())


@pytest.mark.parametrize(
    ("subject", "text", "to"),
    [
        ("Não quero mais receber boletos em papel", "", "replies"),  # near ours, and not ours
        ("PARE", "", "replies"),
        ("PARE", "", "replies+TOKEN"),  # it names what it answers
        (OURS, "PARE", "replies"),
        (OURS, "", "unsubscribe+TOKEN"),  # what the header of the message asks for, whatever is written on it
    ],
)
def test_whoever_asks_to_be_let_alone_is_though_our_own_subject_speaks_of_it(
    shop: Shop, desk: Desk, subject: str, text: str, to: str
) -> None:
    token = shop.signer.mail_token("unsubscribe" if to.startswith("unsub") else "reply", shop.ana_delivery)
    address = f"{to.replace('TOKEN', token)}@shop.example"
    assert receive_mail(desk, letter(text, subject=subject, to=address), source="lmtp") == ["handled"]
    assert _answers(shop)["email", "news"] is False


def test_our_own_subject_from_somebody_to_whom_we_did_not_send_it_is_a_no(shop: Shop, desk: Desk) -> None:
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(days=90)))
    assert receive_mail(desk, letter("", subject=OURS), source="lmtp") == ["handled"]
    assert _answers(shop)["email", "news"] is False


def _suppressed(shop: Shop) -> bool:
    with shop.engine.begin() as db:
        return bool(consent.suppressed(db, "email", {shop.hash("ana@example.com")}))


def _write(shop: Shop, number: int, **forged: str) -> list[str]:
    """A delivery report without a name of ours, another each time."""
    return _mail(
        shop, dsn(extra=f"X-Number: {number}\r\nSubject: {number}\r\n", **forged).replace(b"Hello", b"%d" % number)
    )


def test_anybody_can_write_a_delivery_report_and_puts_nobody_out(shop: Shop) -> None:
    """Six forged ones, of an address that we wrote to an hour ago: they are kept, and count for nothing alone."""
    for number in range(6):
        assert _write(shop, number) == ["handled"]
    assert not _suppressed(shop)
    with shop.engine.begin() as db:
        lines = history.timeline(db, shop.ana)
    assert [(line.kind, line.data["hard"], line.data["unproved"]) for line in lines] == [("bounced", False, True)] * 6


def test_a_forged_report_of_a_delivery_brings_nobody_back(shop: Shop) -> None:
    token = shop.signer.mail_token("bounce", shop.ana_delivery)
    for number in range(5):
        assert _write(shop, number, to=f"bounces+{token}@shop.example", status="4.2.2", words="452 full") == ["handled"]
    assert _suppressed(shop)
    assert _write(shop, 5, action="delivered", status="2.0.0", words="250 ok") == ["handled"]
    assert _suppressed(shop)


def test_what_a_provider_called_the_message_vouches_for_a_report(shop: Shop) -> None:
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(response="250 2.0.0 Ok: queued as 4XyZ7c1kQ9z"))
    assert _mail(shop, dsn(extra="X-Postfix-Queue-ID: 4XyZ7c1kQ9z\r\n")) == ["handled"]
    assert _suppressed(shop)


@pytest.mark.parametrize(
    "said",
    [
        "ok 1700000000 qp 12345",
        "OK relay-eu-12.provider.example has it",
        "OK 2026-11-22T12:00:00Z",
        "OK 192-168-100-200",
    ],
)
def test_what_anybody_can_guess_of_a_providers_words_does_not(shop: Shop, said: str) -> None:
    """When it took it and what its servers are called: a forged report may list every second of a day."""
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(response=f"250 {said}"))
    assert _mail(shop, dsn(extra=f"X-Guessed: {said}\r\n")) == ["handled"]
    assert not _suppressed(shop)


def test_so_does_the_subject_of_what_came_back(shop: Shop) -> None:
    desk = shop.desk
    desk.sent = lambda _: Message("k", "email", "ana@example.com", "Hello", subject="News")
    assert receive_mail(desk, dsn(), source="lmtp") == ["handled"]
    assert _suppressed(shop)


def _answers(shop: Shop) -> dict[tuple[str, str], bool]:
    with shop.engine.begin() as db:
        return consent.live(db, shop.ana, shop.now)


def test_anybody_can_write_a_complaint_and_it_is_believed_as_a_no_is_and_puts_nobody_out(shop: Shop) -> None:
    """A report that names an address alone: who can be won back has left, the address is not lost for good."""
    assert _mail(shop, complaint()) == ["handled"]
    assert not _suppressed(shop)
    assert _answers(shop) == {("email", "news"): False, ("email", "offers"): False}
    with shop.engine.begin() as db:
        assert [(line.kind, line.data["unproved"]) for line in history.timeline(db, shop.ana)] == [("complained", True)]
        assert db.scalar(sa.select(sa.func.count()).select_from(setback)) == 0


def test_a_proved_complaint_counts_after_a_forged_one_of_the_same_delivery(shop: Shop) -> None:
    assert _mail(shop, complaint()) == ["handled"]
    token = shop.signer.mail_token("message", shop.ana_delivery)
    assert _mail(shop, complaint(returned=f"Message-ID: <{token}@shop.example>\r\n")) == ["handled"]
    assert _suppressed(shop)
    with shop.engine.begin() as db:
        assert db.scalars(sa.select(setback.c.complained)).all() == [1]


def test_the_subject_of_what_came_back_vouches_for_a_complaint(shop: Shop) -> None:
    desk = shop.desk
    desk.sent = lambda _: Message("k", "email", "ana@example.com", "Hello", subject="News")
    returned = "To: ana@example.com\r\nSubject: News\r\n"
    assert receive_mail(desk, complaint(returned=returned), source="lmtp") == ["handled"]
    assert _suppressed(shop)


def test_the_return_path_that_a_feedback_loop_tells_vouches_for_a_complaint_that_names_nobody(shop: Shop) -> None:
    """RFC 6590: large loops take out who complained, and what else of the message names anybody."""
    token = shop.signer.mail_token("bounce", shop.ana_delivery)
    told = f"Original-Mail-From: <bounces+{token}@shop.example>\r\n"
    assert _mail(shop, complaint(fields=told, returned="To: redacted\r\n")) == ["handled"]
    assert _suppressed(shop)
    assert _answers(shop) == {("email", "news"): False, ("email", "offers"): False}
