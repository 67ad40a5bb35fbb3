"""What people do is decided by the seed, and is what the inbox and the web app know how to read."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import pytest

from vinculo.demo.behaviour import Fetch, Mail, Purchase, acts, perform
from vinculo.demo.letter import HARD, SOFT, Letter, away, bounce, complaint, reply
from vinculo.demo.phrase import SCANNERS
from vinculo.inbox import classify
from vinculo.mail import compose
from vinculo.model import EventKind, Mailbox, Message
from vinculo.testing.provider import Received
from vinculo.testing.smtp import SmtpSink

NOW = datetime(2026, 12, 1, 12, 3, tzinfo=UTC)
WEB = "http://127.0.0.1:8500"
TOKEN = "abcdefghijklmnopqrstuvwxyz23"


def _caught(number: int, language: str = "pt", web: str = WEB) -> Received:
    """A message as the catcher keeps it."""
    html = (
        f'<html lang="{language}"><body><a href="{web}/c/T{number}/1">Loja</a> <a href="{web}/c/T{number}/2">Bolo</a>'
        f'<a href="{web}/survey/T{number}/9">9</a><a href="{web}/unsubscribe/T{number}">Sair</a>'
        f'<img src="{web}/o/T{number}.gif"></body></html>'
    )
    to = f"ana{number}@correio.example"
    message = Message(
        key=f"k{number}",
        channel="email",
        to=to,
        text="Bom dia.\n\nUma carta.\n",
        html=html,
        subject="O café que acorda devagar",
        sender=Mailbox("Casa Aurora", "ola@casaaurora.example"),
        reply_to=f"replies+{TOKEN}@casaaurora.example",
        return_path=f"bounces+{TOKEN}@casaaurora.example",
        message_id=f"<m{number}@casaaurora.example>",
        headers=(
            ("List-Unsubscribe", f"<{web}/unsubscribe/T{number}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ),
    )
    return Received(to=to, text="", sender=message.return_path, raw=compose(message))


@pytest.fixture(scope="module")
def crowd():
    return [_caught(number) for number in range(1000)]


@pytest.fixture(scope="module")
def done(crowd):
    return acts(crowd, seed=7, now=NOW)


@pytest.fixture
def letter():
    return Letter.of(_caught(1))


def test_the_same_seed_decides_the_same_in_whatever_order_messages_arrive(crowd, done):
    backwards = acts(reversed(crowd[:200]), seed=7, now=NOW)
    names = {caught.to for caught in crowd[:200]}
    assert sorted(map(repr, backwards)) == sorted(repr(act) for act in done if act.who in names)
    assert acts(crowd[:200], seed=8, now=NOW) != acts(crowd[:200], seed=7, now=NOW)


def test_most_do_nothing_and_fewer_do_more(done):
    opened = {act.who for act in done if isinstance(act, Fetch) and "/o/" in act.url}
    clicked = {act.who for act in done if isinstance(act, Fetch) and "/c/" in act.url}
    bought = {act.who for act in done if isinstance(act, Purchase)}
    assert 1000 * 0.45 < len(opened) < 1000 * 0.7
    assert 1000 * 0.1 < len(clicked) < 1000 * 0.25
    assert 5 < len(bought) < len(clicked)
    assert bought <= clicked


def test_what_is_written_back_is_of_every_kind_that_the_inbox_knows(done):
    kinds = Counter(classify(act.raw).kind for act in done if isinstance(act, Mail))
    assert {"reply", "auto_reply", "bounce", "complaint"} <= set(kinds)
    assert kinds["bounce"] > 10
    assert set(kinds) <= {"reply", "auto_reply", "bounce", "complaint"}


def test_people_leave_by_the_mail_programs_button_and_by_our_page(done):
    posts = [act for act in done if isinstance(act, Fetch) and act.method == "POST"]
    left = [act for act in posts if "/unsubscribe/" in act.url]
    assert {"List-Unsubscribe=One-Click", ""} <= {act.body for act in left}
    assert {act.body for act in posts if act not in left} == {"score=9"}


def test_who_answers_a_survey_looks_and_then_presses_the_button_for_a_link_alone_stores_nothing(done):
    acts_of = [act for act in done if isinstance(act, Fetch) and "/survey/" in act.url]
    answers = [act for act in acts_of if act.method == "POST"]
    assert len(answers) > 5
    assert {(act.url[-2:], act.body) for act in answers} == {("/9", "score=9")}
    assert all(acts_of[acts_of.index(act) - 1] == Fetch(act.who, act.url, act.user_agent) for act in answers)


def test_a_scanner_follows_every_link_but_never_posts(done):
    scanned = [act for act in done if isinstance(act, Fetch) and act.user_agent in SCANNERS]
    assert any("/unsubscribe/" in act.url for act in scanned)
    assert {act.method for act in scanned} == {"GET"}


def test_someone_whose_mailbox_is_gone_does_nothing_else(done):
    gone = {act.who for act in done if isinstance(act, Mail) and classify(act.raw).kind == "bounce"}
    assert all(isinstance(act, Mail) for act in done if act.who in gone)


@pytest.mark.parametrize("language", ["pt", "en", "es"])
def test_a_reply_quotes_us_and_the_inbox_takes_the_quotation_off(letter, language):
    answer = reply(Letter.of(_caught(3, language)), Random(1), NOW)
    mail = classify(answer.raw)
    assert answer.to == f"replies+{TOKEN}@casaaurora.example"
    assert mail.kind == "reply"
    assert mail.tokens == (("replies", TOKEN),)
    assert mail.text
    assert "Uma carta" not in mail.text
    assert "m3@casaaurora.example" in mail.message_ids


@pytest.mark.parametrize(("verdict", "status"), [(HARD, "5.1.1"), (SOFT, "4.2.2")])
def test_a_bounce_comes_to_the_return_path_with_its_status(letter, verdict, status):
    report = bounce(letter, verdict, NOW)
    mail = classify(report.raw)
    assert report.sender == ""
    assert report.to == f"bounces+{TOKEN}@casaaurora.example"
    assert (mail.kind, mail.status) == ("bounce", status)
    assert mail.recipients[0].address == "ana1@correio.example"


def test_a_complaint_names_the_one_who_complained(letter):
    mail = classify(complaint(letter, NOW).raw)
    assert (mail.kind, mail.feedback) == ("complaint", "abuse")
    assert mail.recipients[0].address == "ana1@correio.example"


def test_an_automatic_answer_is_known_as_one(letter):
    assert classify(away(letter, NOW).raw).kind == "auto_reply"


def test_a_purchase_tells_feedback_who_bought_what(done):
    purchase = next(act for act in done if isinstance(act, Purchase))
    event = purchase.event
    assert (event.kind, event.address, event.amount.minor) == (EventKind.PURCHASED, purchase.who, purchase.amount)


class _Doors(ThreadingHTTPServer):
    """Notes what is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Doors

    def _note(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.asked.append((self.command, self.path, body))
        shut = "/view/" in self.path or ("/busy/" in self.path and len(self.server.asked) == 1)
        self.send_response(302 if "/c/" in self.path else 503 if shut else 200)
        self.send_header("Location", "http://nowhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _note  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def doors():
    with _Doors() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_acts_are_performed_for_real_each_persons_in_order(doors):
    web = f"http://127.0.0.1:{doors.server_port}"
    pixel = Fetch("a", f"{web}/o/1.gif", "x")
    click, leave = (
        replace(pixel, url=f"{web}/c/1/2"),
        replace(pixel, url=f"{web}/unsubscribe/1", method="POST", body="a=b"),
    )
    purchase = Purchase("a", "1", NOW, "Caparaó", 4200)
    bought, told = [], []
    with SmtpSink() as sink:
        note = reply(Letter.of(_caught(5)), Random(1), NOW)
        told_of = perform(
            [pixel, click, leave, note, purchase],
            smtp=("127.0.0.1", sink.port),
            progress=told.append,
            buy=bought.append,
        )
        assert [mail.raw for mail in sink.received] == [note.raw]
    assert doors.asked == [("GET", "/o/1.gif", ""), ("GET", "/c/1/2", ""), ("POST", "/unsubscribe/1", "a=b")]
    assert told_of == Counter(fetched=3, mailed=1, bought=1)
    assert bought == [purchase]
    assert told[-1] == 5


def test_a_closed_door_fails_its_acts_and_no_others(doors):
    web = f"http://127.0.0.1:{doors.server_port}"
    wrong = [Fetch("a", f"{web}/view/1", "x"), Mail("b", "", "r@casaaurora.example", b"Subject: x\r\n\r\nx\r\n")]
    closed = ("127.0.0.1", 1)
    assert perform([*wrong, Fetch("c", f"{web}/o/1.gif", "x")], smtp=closed) == Counter(failed=2, fetched=1)


def test_who_finds_a_door_shut_for_a_moment_comes_again(doors):
    assert perform([Fetch("a", f"http://127.0.0.1:{doors.server_port}/busy/1", "x")], smtp=("", 1))["fetched"] == 1
    assert len(doors.asked) == 2
