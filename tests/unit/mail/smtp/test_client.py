"""Every failure has the verdict of the phase it came in, proved on sockets."""

from __future__ import annotations

import re
import select
import socket

import pytest

from vinculo.connector import BadAddress, InDoubt, Receipt, Rejected, SendError, Temporary, Unavailable
from vinculo.mail.smtp import Client
from vinculo.mail.verdict import Phase
from vinculo.model import Message
from vinculo.testing.smtp import DROP, SmtpSink

MAIL = b"From: loja@shop.example\r\nSubject: =?utf-8?b?T2zDoQ==?=\r\n\r\nOl=C3=A1\r\n"
EHLO = ["220 hi\r\n", "<line>", "250-hi\r\n250 SIZE 1000\r\n"]
UPTO = {
    Phase.CONNECT: [],
    Phase.EHLO: EHLO[:2],
    Phase.MAIL: [*EHLO, "<line>"],
    Phase.RCPT: [*EHLO, "<line>", "250 ok\r\n", "<line>"],
    Phase.DATA: [*EHLO, "<line>", "250 ok\r\n", "<line>", "250 ok\r\n", "<line>"],
    Phase.ANSWER: [*EHLO, "<line>", "250 ok\r\n", "<line>", "250 ok\r\n", "<line>", "354 go\r\n", "<body>"],
}
SESSION = {Phase.CONNECT, Phase.EHLO}


def letter(sender: str, recipient: str, content: bytes = MAIL, key: str = "weekly/1") -> Message:
    return Message(key=key, channel="email", to=recipient, text="", return_path=sender, mime=content)


def send(url: str, content: bytes = MAIL) -> Receipt:
    client = Client(url)
    try:
        return client.send(letter("bounces@shop.example", "ana@example.com", content))
    finally:
        client.close()


def verdict(url: str, content: bytes = MAIL) -> SendError:
    with pytest.raises(SendError) as raised:
        send(url, content)
    return raised.value


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("phase", UPTO)
def test_a_server_that_dies_is_judged_by_the_phase(serve, phase: Phase) -> None:
    error = verdict(serve(UPTO[phase]).url)
    wanted = Unavailable if phase in SESSION else InDoubt if phase is Phase.ANSWER else Temporary
    assert (type(error), error.reason.split(":")[0]) == (wanted, phase)


@pytest.mark.parametrize("phase", UPTO)
@pytest.mark.parametrize(
    "nonsense",
    [
        "what?\r\n",
        "25\r\n",
        "\r\n",
        "250_ok\r\n",
        "199 go on\r\n",
        "250-one\r\n550 two\r\n",
        "\x80\x81\r\n",
        "2500 ok\r\n",
    ],
)
def test_nonsense_is_no_answer(serve, phase: Phase, nonsense: str) -> None:
    error = verdict(serve([*UPTO[phase], nonsense, "<silence>"]).url)
    assert type(error) is (Unavailable if phase in SESSION else InDoubt if phase is Phase.ANSWER else Temporary)


@pytest.mark.parametrize("phase", UPTO)
def test_4xx_is_temporary_and_421_unavailable_everywhere(serve, phase: Phase) -> None:
    later = verdict(serve([*UPTO[phase], "450 4.2.0 later\r\n", "<line>"]).url)
    assert (type(later), later.status) == (Unavailable if phase in SESSION else Temporary, "4.2.0")
    assert type(verdict(serve([*UPTO[phase], "421 4.3.2 closing\r\n"]).url)) is Unavailable


@pytest.mark.parametrize("phase", [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ANSWER])
@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ("550 5.1.1 no such user", {Phase.MAIL: Temporary}),
        ("550-5.1.1 The account\r\n550 5.1.1 does not exist", {Phase.MAIL: Temporary}),
        ("550 5.1.10 null MX", {Phase.MAIL: Temporary}),
        ("550 5.1.0 address rejected", {Phase.MAIL: Temporary, Phase.RCPT: BadAddress, None: Rejected}),
        ("550 no such user", {Phase.MAIL: Temporary, None: Rejected}),
        ("550 5.1.8 bad sender", {Phase.MAIL: Temporary, None: Rejected}),
        ("550 5.7.1 spam", {Phase.MAIL: Temporary, None: Rejected}),
        ("553 5.1.7 no such syntax", {Phase.MAIL: Temporary, None: Rejected}),
        ("552 too large", {None: Rejected}),
        ("554 5.3.4 too large", {None: Rejected}),
        ("550 5.6.7 not in ASCII", {None: Rejected}),
        ("552 5.2.2 mailbox full", {None: Rejected}),
        ("550 5.1.15 not one we know", {Phase.MAIL: Temporary, None: Rejected}),
        ("503 5.5.1 authenticate first", {Phase.MAIL: Unavailable, None: Rejected}),
        ("530 5.7.0 authentication required", {None: Unavailable}),
        ("535 5.7.8 who are you", {None: Unavailable}),
    ],
)
def test_5xx_is_read_by_its_enhanced_code(serve, phase: Phase, reply: str, wanted: dict) -> None:
    error = verdict(serve([*UPTO[phase], reply + "\r\n", "<line>"]).url)
    assert type(error) is wanted.get(phase, wanted.get(None, BadAddress))


@pytest.mark.parametrize("reply", ["354 go on then\r\n", "100 soon\r\n", "334 password?\r\n"])
def test_only_2xx_4xx_and_5xx_answer_the_dot(serve, reply: str) -> None:
    assert type(verdict(serve([*UPTO[Phase.ANSWER], reply]).url)) is InDoubt


def test_250_instead_of_354_does_not_let_the_content_go(serve) -> None:
    server = serve([*UPTO[Phase.DATA], "250 ok\r\n", "<silence>"])
    assert type(verdict(server.url)) is Temporary
    assert b"Subject" not in server.came[0]


def test_a_server_that_is_silent_after_the_dot_leaves_it_in_doubt(serve) -> None:
    assert type(verdict(serve([*UPTO[Phase.ANSWER], "<silence>"]).url.replace("timeout=2", "timeout=0.1"))) is InDoubt


def test_a_server_that_drips_its_answer_is_not_waited_for_without_end(serve) -> None:
    drip = [*UPTO[Phase.MAIL], *["250-still\r\n"] * 2000, "250 ok\r\n"]
    assert type(verdict(serve(drip).url)) is Temporary


def test_a_server_that_dies_while_the_content_is_written_has_not_got_it() -> None:
    with SmtpSink() as sink:
        sink.fail(Phase.BODY, DROP)
        assert type(verdict(sink.url, MAIL + (b"x" * 900 + b"\r\n") * 20_000)) is Temporary
        assert sink.received == []


def test_an_answer_that_came_counts_even_if_the_farewell_fails(serve) -> None:
    assert send(serve([*UPTO[Phase.ANSWER], "250 2.0.0 queued as 7\r\n"]).url) == Receipt(
        response="250 2.0.0 queued as 7"
    )


def test_nobody_listening_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    error = verdict(f"smtp://127.0.0.1:{port}")
    assert type(error) is Unavailable
    assert f"127.0.0.1:{port}" in error.reason


# ── one connection, many messages ────────────────────────────────────────────────────────────────────────────────
DONE = [*UPTO[Phase.ANSWER], "250 ok\r\n"]


@pytest.mark.parametrize("farewell", ["", "421 4.4.2 idle too long\r\n", "250 out of turn\r\n"])
def test_a_connection_closed_between_messages_is_opened_again(serve, farewell: str) -> None:
    server = serve([*DONE[:-1], DONE[-1] + farewell], DONE)
    client = Client(server.url)
    for _ in range(2):
        assert client.send(letter("", "ana@example.com", MAIL)).response == "250 ok"
    client.close()
    assert [each.count(b"RCPT") for each in server.came] == [1, 1]


def test_a_word_out_of_turn_is_not_taken_for_the_answer_to_the_next_command(serve) -> None:
    client = Client(serve([*DONE, "250 stray\r\n", *["<line>", "250 ok\r\n"] * 3], DONE).url)
    client.send(letter("", "ana@example.com", MAIL))
    select.select([each.wire.number for each in client._sessions], [], [], 5)  # the word is there, unread
    assert client.send(letter("", "bia@example.com", MAIL)).response == "250 ok"
    client.close()


@pytest.mark.parametrize("reply", ["421 4.3.2 closing\r\n", "354 what?\r\n"])
def test_a_connection_that_said_farewell_or_nonsense_is_not_used_again(serve, reply: str) -> None:
    lingering = [*UPTO[Phase.ANSWER], reply, "<line>", "250 ok\r\n", "<line>", "550 5.7.1 I said no\r\n", "<line>"]
    client = Client(serve(lingering, DONE).url)
    with pytest.raises(SendError):
        client.send(letter("", "ana@example.com", MAIL))
    assert client.send(letter("", "bia@example.com", MAIL)).response == "250 ok"
    client.close()


def test_after_a_lost_answer_the_next_message_gets_its_own_connection(serve) -> None:
    client = Client(serve(UPTO[Phase.ANSWER], DONE).url)
    with pytest.raises(InDoubt):
        client.send(letter("", "ana@example.com", MAIL))
    assert client.send(letter("", "bia@example.com", MAIL)).response == "250 ok"
    client.close()


def test_a_fresh_connection_that_dies_is_not_tried_again(serve) -> None:
    server = serve(UPTO[Phase.MAIL], DONE)
    assert type(verdict(server.url)) is Temporary
    assert len(server.came) == 1


def test_a_refusal_is_followed_by_a_reset_on_the_same_connection() -> None:
    with SmtpSink() as sink:
        client = Client(sink.url)
        sink.fail(Phase.RCPT, "550 5.1.1 no such mailbox")
        with pytest.raises(BadAddress):
            client.send(letter("a@shop.example", "nobody@example.com", MAIL))
        client.send(letter("b@shop.example", "ana@example.com", MAIL))
        client.close()
        assert [(each.sender, each.to) for each in sink.received] == [("b@shop.example", "ana@example.com")]
        assert sink.connections == 1


# ── what goes on the wire ────────────────────────────────────────────────────────────────────────────────────────
SMUGGLED = b"MAIL FROM:<x@x.example>\r\nRCPT TO:<y@y.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nhi\r\n"
ENDS = [
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r\n.\r",
    b"\r.\r\n",
    b"\r\n\x00.\r\n",
    b"\r\n.\r\n",
    b"\n.\r",
    b"\r.\n",
]


@pytest.mark.parametrize("end", ENDS)
def test_no_end_of_data_can_be_smuggled(serve, end: bytes) -> None:
    server = serve([*DONE, "<line>", "221 bye\r\n"])
    send(server.url, MAIL + b"body" + end + SMUGGLED)
    content = server.came[0].partition(b"DATA\r\n")[2].removesuffix(b"QUIT\r\n")
    assert content.endswith(b"\r\n.\r\n")
    assert content.count(b"\r\n.\r\n") == 1
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n", content)


def test_lines_that_begin_with_a_dot_arrive_as_they_were() -> None:
    body = b".\r\n..\r\n.x\r\n\r\n...end"
    with SmtpSink() as sink:
        send(sink.url, MAIL + body)
        assert sink.received[0].raw == MAIL + body + b"\r\n"


def test_8_bit_content_is_announced_and_refused_where_it_is_not_offered(serve) -> None:
    content = MAIL + "Olá\r\n".encode()
    with SmtpSink() as sink:
        send(sink.url, content)
        assert sink.received[0].raw == content
    server = serve([*EHLO, "<line>"])
    error = verdict(server.url, content)
    assert (type(error), error.status) == (Rejected, "5.6.3")
    assert b"MAIL" not in server.came[0]


def test_an_address_beyond_ascii_needs_a_server_that_takes_it() -> None:
    with SmtpSink(smtputf8=False) as sink:
        client = Client(sink.url)
        client.send(letter("", "joao@ação.com.br", MAIL))
        with pytest.raises(Rejected) as raised:
            client.send(letter("", "joão@example.com", MAIL))
        client.close()
    assert raised.value.status == "5.6.7"
    assert [each.to for each in sink.received] == ["joao@xn--ao-siap.com.br"]


def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it() -> None:
    with SmtpSink() as sink:
        client = Client(sink.url)
        client.send(letter("", "joão@example.com", MAIL))
        client.close()
    assert [each.to for each in sink.received] == ["joão@example.com"]


def test_content_larger_than_the_server_takes_does_not_go(serve) -> None:
    error = verdict(serve([*EHLO, "<line>"]).url, MAIL + b"x" * 1000)
    assert (type(error), error.status) == (Rejected, "5.3.4")


def test_the_size_is_told(serve) -> None:
    server = serve(DONE)
    send(server.url)
    assert f"SIZE={len(MAIL)}\r\n".encode() in server.came[0]


def test_a_server_without_ehlo_is_greeted_the_old_way(serve) -> None:
    script = ["220 old\r\n", "<line>", "502 what\r\n", "<line>", "250 hello\r\n", *DONE[len(EHLO) :]]
    server = serve(script)
    send(server.url)
    assert b"HELO [127.0.0.1]\r\nMAIL FROM:<bounces@shop.example>\r\n" in server.came[0]


# ── signing in ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_wrong_password_is_unavailable_and_not_shown() -> None:
    with SmtpSink(login=("loja", "right")) as sink:
        error = verdict(sink.url.replace("//", "//loja:hunter2@"))
    assert type(error) is Unavailable
    assert error.reason.startswith("auth: 535")
    assert "hunter2" not in repr(Client("smtp://loja:hunter2@127.0.0.1"))


def test_login_is_used_where_plain_is_not_offered(serve) -> None:
    auth = ["220 hi\r\n", "<line>", "250-hi\r\n250 AUTH LOGIN\r\n", "<line>", "334 VXNlcm5hbWU6\r\n", "<line>"]
    server = serve([*auth, "334 UGFzc3dvcmQ6\r\n", "<line>", "235 in\r\n", *DONE[len(EHLO) :]])
    send(server.url.replace("//", "//loja:p%40ss@"))
    assert b"AUTH LOGIN\r\nbG9qYQ==\r\ncEBzcw==\r\nMAIL" in server.came[0]


def test_a_password_never_travels_in_the_clear_beyond_this_machine(serve) -> None:
    server = serve([*EHLO, "<line>"])
    error = verdict(f"smtp://loja:secret@127.1:{server.port}?timeout=2")  # this machine, but not by its name
    assert type(error) is Unavailable
    assert "without TLS" in error.reason
    assert b"AUTH" not in server.came[0]


def test_tls_that_is_required_and_not_offered_is_unavailable(serve) -> None:
    server = serve([*EHLO, "<line>"])
    assert type(verdict(server.url.replace("smtp:", "smtp+starttls:"))) is Unavailable
    assert b"MAIL" not in server.came[0]


def test_starttls_is_used_when_it_is_offered_and_the_certificate_verified(certificate) -> None:
    with SmtpSink(tls=certificate.server, login=("loja", "secret")) as sink:
        send(sink.url.replace("//", "//loja:secret@") + f"?ca={certificate.ca}")
        assert len(sink.received) == 1
        error = verdict(sink.url)
    assert type(error) is Unavailable
    assert "certificate verify failed" in error.reason


def test_a_certificate_for_another_name_is_refused(certificate) -> None:
    with SmtpSink(tls=certificate.server) as sink:
        error = verdict(f"smtp+starttls://localhost:{sink.port}?ca={certificate.ca}")
    assert type(error) is Unavailable
    assert "Hostname mismatch" in error.reason


def test_implicit_tls_is_spoken_from_the_start(serve, certificate) -> None:
    server = serve(DONE, tls=certificate.server)
    assert send(server.url.replace("smtp:", "smtps:") + f"&ca={certificate.ca}").response == "250 ok"
    assert server.came[0].count(b"MAIL FROM") == 1


def test_an_answer_that_came_before_tls_is_not_believed(serve) -> None:
    script = ["220 hi\r\n", "<line>", "250-hi\r\n250 STARTTLS\r\n", "<line>", "220 go\r\n250 injected\r\n", "<silence>"]
    error = verdict(serve(script).url)
    assert type(error) is Unavailable
    assert "before TLS" in error.reason


def test_a_refused_starttls_does_not_fall_back_to_clear_text(serve) -> None:
    server = serve(["220 hi\r\n", "<line>", "250-hi\r\n250 STARTTLS\r\n", "<line>", "454 4.7.0 no\r\n", "<line>"])
    assert type(verdict(server.url)) is Unavailable
    assert b"MAIL" not in server.came[0]


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_server_that_never_shakes_hands_is_given_up(serve, scheme: str) -> None:
    talk = ["220 hi\r\n", "<line>", "250-hi\r\n250 STARTTLS\r\n", "<line>", "220 go\r\n"] if scheme == "smtp" else []
    server = serve([*talk, "<silence>", "<silence>"])  # one takes our hello
    error = verdict(server.url.replace("smtp:", f"{scheme}:").replace("timeout=2", "timeout=0.2"))
    assert type(error) is Unavailable
    assert "no answer in time" in error.reason
