"""What a mail is, and of whom it speaks."""

import pytest

from tests.unit.inbox.letters import complaint, dsn, letter
from vinculo.inbox import classify, subject_of


def test_a_delivery_report_is_a_bounce_with_recipient_status_and_reason() -> None:
    mail = classify(dsn())
    [recipient] = mail.recipients
    assert (mail.kind, mail.status, mail.reason) == ("bounce", "5.1.1", "user_unknown")
    assert (recipient.address, recipient.action, recipient.hard) == ("ana@example.com", "failed", True)
    assert mail.message_ids == ("<original@shop.example>".strip("<>"),)
    assert mail.date is not None
    assert mail.sender == "MAILER-DAEMON@mx.example"


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        ("5.2.2", "552 5.2.2 mailbox full", "mailbox_full"),
        ("5.1.1", "552 user over quota", "mailbox_full"),
        ("5.7.1", "550 5.7.1 refused by policy", "policy"),
        ("5.7.1", "554 5.7.1 message considered spam", "spam"),
        ("5.6.0", "554 5.6.0 bad content", "content"),
        ("5.4.7", "delivery expired (message too old)", "expired"),
        ("5.3.4", "552 message too big", "too_big"),
        ("4.1.1", "450 4.1.1 user unknown, try later", "user_unknown"),
    ],
)
def test_a_full_mailbox_a_policy_or_the_content_is_never_hard(status: str, words: str, reason: str) -> None:
    [recipient] = classify(dsn(status=status, words=f"smtp; {words}")).recipients
    assert (recipient.reason, recipient.hard) == (reason, False)


@pytest.mark.parametrize(
    ("status", "words"),
    [("5.1.2", "550 host unknown"), ("5.1.10", "556 5.1.10 recipient has null MX"), ("5.1.6", "551 user has moved")],
)
def test_what_speaks_of_the_mailbox_or_its_domain_is_hard(status: str, words: str) -> None:
    assert classify(dsn(status=status, words=f"smtp; {words}")).recipients[0].hard


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed"])
def test_a_report_that_is_no_failure_is_not_hard(action: str) -> None:
    [recipient] = classify(dsn(action=action, status="2.0.0" if action != "delayed" else "4.4.1")).recipients
    assert (recipient.action, recipient.hard) == (action, False)


def test_a_bounce_wins_over_an_automatic_answer() -> None:
    assert b"Auto-Submitted: auto-replied" in dsn()
    assert classify(dsn()).kind == "bounce"


def test_a_report_speaks_of_each_recipient() -> None:
    mail = classify(dsn(recipients=("ana@example.com", "bruno@example.com")))
    assert [each.address for each in mail.recipients] == ["ana@example.com", "bruno@example.com"]


def test_a_bounce_in_a_dialect_is_read_from_its_text() -> None:
    text = "Hi. This is the qmail-send program.\n\n<ana@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n"
    raw = f"From: MAILER-DAEMON@mx.example\nTo: bounces@shop.example\nSubject: failure notice\n\n{text}"
    mail = classify(raw.encode())
    assert (mail.kind, mail.recipients[0].address, mail.recipients[0].hard) == ("bounce", "ana@example.com", True)


def test_a_person_who_forwards_a_bounce_has_not_bounced() -> None:
    inner = dsn().decode()
    raw = (
        "From: ana@example.com\r\nTo: help@shop.example\r\nSubject: Re: what is this?\r\n"
        'Content-Type: multipart/mixed; boundary="outer"\r\n\r\n--outer\r\n\r\nI got this.\r\n'
        f"--outer\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--outer--\r\n"
    )
    mail = classify(raw.encode())
    assert (mail.kind, mail.text) == ("reply", "I got this.")


def test_a_feedback_report_is_a_complaint_of_the_recipient() -> None:
    mail = classify(complaint(kind="abuse"))
    assert (mail.kind, mail.feedback, mail.recipients[0].address) == ("complaint", "abuse", "ana@example.com")


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\r\n",
        "X-Autoreply: yes\r\n",
        "Precedence: auto_reply\r\n",
        "X-Autorespond: yes\r\n",
    ],
)
def test_an_automatic_answer_says_so_in_its_headers(headers: str) -> None:
    assert classify(letter(headers=headers)).kind == "auto_reply"


@pytest.mark.parametrize(
    "subject", ["Out of Office: back Monday", "Resposta automática: Novidades", "Respuesta automática"]
)
def test_an_automatic_answer_without_headers_says_so_in_its_subject(subject: str) -> None:
    assert classify(letter(subject=subject)).kind == "auto_reply"


def test_what_is_declared_not_automatic_is_a_reply() -> None:
    assert classify(letter(headers="Auto-Submitted: no\r\nIn-Reply-To: <x@y.example>\r\n")).kind == "reply"


@pytest.mark.parametrize("subject", ["unsubscribe", "Descadastrar", " darme de baja! ", "STOP"])
def test_an_unsubscription_by_subject(subject: str) -> None:
    assert classify(letter(subject=subject)).kind == "unsubscribe"


@pytest.mark.parametrize("subject", ["PARE", "Não quero mais receber e-mails", "No más", "=?utf-8?q?Chega!?="])
@pytest.mark.parametrize("headers", ["", "In-Reply-To: <1@shop.example>\r\n"])
def test_an_unsubscription_that_only_the_subject_says(subject: str, headers: str) -> None:
    assert classify(letter("", subject=subject, headers=headers)).kind == "unsubscribe"
    assert classify(letter("> Novidades de outono", subject=subject, headers=headers)).kind == "unsubscribe"
    assert classify(letter("O meu pedido!", subject=subject, headers=headers)).kind in ("reply", "other")


@pytest.mark.parametrize(
    "before", ["Re:", "RES: ENC:", "[EXTERNAL] Re:", "[Externo] [x] RES:", "WG:", "TR :", "R:", "Lida:"]
)
def test_a_subject_that_an_answer_a_forward_or_a_notice_repeats_is_not_what_its_sender_says(before: str) -> None:
    subject = "Como parar de receber boletos em papel"
    assert classify(letter("", subject=f"{before} {subject}")).kind in ("reply", "other")
    assert classify(letter("", subject=subject)).kind == "unsubscribe"
    assert subject_of(f"{before} {subject}") == subject


@pytest.mark.parametrize("subject", ["Re: Chega!", "Res: Basta", "Foto", "Não parem!", ""])
def test_a_mail_without_words_whose_subject_is_ours_or_asks_for_nothing_is_none(subject: str) -> None:
    assert classify(letter("", subject=subject)).kind in ("reply", "other")


@pytest.mark.parametrize(
    "subject", ["Re: how do I unsubscribe from the other list?", "Don't stop sending!", "Vou sair às 5"]
)
def test_a_subject_that_only_speaks_of_it_is_none(subject: str) -> None:
    assert classify(letter(subject=subject)).kind in ("reply", "other")


def test_an_unsubscription_by_address_even_when_a_mail_program_sends_it() -> None:
    to = f"unsubscribe+{'a' * 40}@shop.example"
    assert classify(letter(to=to, subject="", headers="Auto-Submitted: auto-generated\r\n")).kind == "unsubscribe"


def test_a_mail_out_of_the_blue_is_other() -> None:
    assert classify(letter(subject="Question", headers="")).kind == "other"


@pytest.mark.parametrize(
    "to",
    [
        "bounces+{}@shop.example",
        "Bounces <bounces+{}@shop.example>",
        "SRS0=HHH=TT=shop.example=bounces+{}@forwarder.example",
        "prvs=0123456789=bounces+{}@shop.example",
    ],
)
def test_a_token_is_found_in_the_address_however_it_is_wrapped(to: str) -> None:
    token = "abcdefghijklmnopqrstuvwxyz234567abcdefgh"
    assert [found for _, found in classify(dsn(to.format(token.upper()))).tokens] == [token]


def test_references_are_tried_from_the_last_one_whatever_junk_is_between() -> None:
    headers = "In-Reply-To: \r\nReferences: <1@a.example> junk <no at> <2@a.example>,<3@a.example>\r\n"
    assert classify(letter(headers=headers)).message_ids == ("3@a.example", "2@a.example", "1@a.example")


def test_a_mail_of_html_alone_has_text() -> None:
    raw = (
        "From: ana@example.com\r\nSubject: Re: x\r\nContent-Type: text/html\r\n\r\n"
        "<style>p{}</style><p>Obrigada!</p><blockquote>On Monday we wrote</blockquote>"
    )
    assert classify(raw.encode()).text == "Obrigada!"


def test_encoded_subjects_are_read() -> None:
    subject = "=?utf-8?q?Re=3A_Promo=C3=A7=C3=A3o?= =?utf-8?b?IGRlIE5hdGFs?="
    assert classify(letter(subject=subject)).subject == "Re: Promoção de Natal"
