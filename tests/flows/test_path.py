"""The whole path against real parts: Prefect runs, SMTP out, HTTP and SMTP back, and the history of each contact."""

from __future__ import annotations

import json
import re
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from tests.flows.conftest import House
from vinculo import contacts, history, ledger
from vinculo.db.tables import delivery, occurrence, permission, suppression
from vinculo.testing.provider import Received
from vinculo.testing.smtp import SmtpSink

pytestmark = pytest.mark.prefect

FORM = {"template": "weekly-news", "segment": "active", "topic": "news", "channels": ["email"]}
DSN = """\
From: MAILER-DAEMON@mx.example
To: bounces@casaaurora.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

No such mailbox.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such mailbox
--b--
"""
BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}


def _links(mail: EmailMessage) -> list[str]:
    body = mail.get_body(("html",))
    assert body is not None
    return re.findall(r'(?:href|src)="(http[^"]+)"', body.get_content().replace("&amp;", "&"))


def _read(received: Received) -> EmailMessage:
    mail = message_from_bytes(received.raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def _timeline(house: House, address: str) -> list[str]:
    with house.runtime() as rt, rt.read() as db:
        number = contacts.find(db, address)
        assert number is not None
        return [str(row.kind) for row in history.timeline(db, number)]


def _counts(house: House, campaign: str) -> dict[tuple[str, str], int]:
    with house.runtime() as rt, rt.read() as db:
        return ledger.counts(db, campaign)


@pytest.fixture(scope="module")
def sent(house: House) -> list[Received]:
    """A newsletter sent by a deployment run, as a marketer starts it from the form."""
    before = len(house.sink.received)
    state = house.run("newsletter/newsletter", {"form": FORM | {"name": "path-news", "test": False}})
    assert state["type"] == "COMPLETED", state
    return house.sink.received[before:]


def test_everyone_of_the_audience_gets_it_once_and_the_rest_has_a_reason(house: House, sent: list[Received]) -> None:
    counts = _counts(house, "path-news")
    assert counts.pop(("accepted", "")) == len(sent) == len({one.to for one in sent}) > 100
    assert {state for state, _ in counts} == {"skipped"}
    with house.runtime() as rt, rt.read() as db:
        segment = db.scalar(sa.select(sa.func.count()).where(delivery.c.campaign == "path-news"))
        assert db.scalar(sa.select(occurrence.c.state).where(occurrence.c.campaign == "path-news")) == "finished"
    assert segment == len(sent) + sum(counts.values())


def test_the_run_shows_funnel_results_and_links_without_any_contact(house: House, sent: list[Received]) -> None:
    answer = httpx.post(f"{house.installation.api.url}/artifacts/filter", json={"limit": 200})
    ours = [one for one in answer.json() if (one["key"] or "").startswith("path-news")]
    assert {one["key"].rsplit("-", 1)[1] for one in ours} >= {"audience", "results", "report"}
    (bar,) = (one for one in answer.json() if one["type"] == "progress" and one["description"].startswith("path-news"))
    assert bar["data"] == 100
    text = json.dumps(ours)
    assert "to be sent" in text
    assert "consented" in text
    assert "reachable" in text
    assert [one.to for one in sent if one.to in text] == []


def test_a_message_carries_one_click_unsubscribe_and_its_lists_name(sent: list[Received]) -> None:
    mail = _read(sent[0])
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<http://127.0.0.1:")
    assert mail["List-Id"]
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}


def test_open_click_reply_and_unsubscribe_enter_the_history(house: House, sent: list[Received]) -> None:
    address, mail = sent[0].to, _read(sent[0])
    links = _links(mail)
    assert httpx.get(next(url for url in links if "/o/" in url), headers=BROWSER).status_code == 200
    clicked = httpx.get(next(url for url in links if "/c/" in url), headers=BROWSER, follow_redirects=False)
    assert clicked.status_code == 302
    assert "127.0.0.1" not in clicked.headers["location"]
    answer = EmailMessage()
    answer["From"], answer["To"], answer["Subject"] = address, mail["Reply-To"], f"Re: {mail['Subject']}"
    answer["In-Reply-To"] = mail["Message-ID"]
    answer.set_content("Adorei! Obrigada.")
    with smtplib.SMTP("127.0.0.1", house.listen_port) as door:
        door.send_message(answer)
    one_click = mail["List-Unsubscribe"].split(">")[0].strip("<")
    for _ in range(2):
        left = httpx.post(one_click, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
        assert left.status_code == 200
    kinds = _timeline(house, address)
    assert {"sent", "opened", "clicked", "replied", "unsubscribed"} <= set(kinds)
    assert kinds.count("unsubscribed") == 1
    with house.runtime() as rt, rt.read() as db:
        number = contacts.find(db, address)
        mine = (permission.c.contact_id == number, permission.c.channel == "email", permission.c.topic == "news")
        assert db.scalar(sa.select(permission.c.granted).where(*mine)) is False


def test_a_hard_bounce_suppresses_the_address(house: House, sent: list[Received]) -> None:
    address = sent[1].to
    with smtplib.SMTP("127.0.0.1", house.listen_port) as door:
        door.sendmail("", [sent[1].sender], DSN.format(address=address).replace("\n", "\r\n"))
    assert "bounced" in _timeline(house, address)
    with house.runtime() as rt, rt.read() as db:
        hashed = rt.signer.hash("address", "email", address)
        assert db.scalar(sa.select(suppression.c.reason).where(suppression.c.address_hash == hashed)) == "hard_bounce"


def test_who_left_or_bounced_does_not_get_the_next_one(house: House, sent: list[Received]) -> None:
    before = len(house.sink.received)
    state = house.run("promotion/promotion", {"form": FORM | {"name": "path-next", "test": False}})
    assert state["type"] == "COMPLETED", state
    got = {one.to for one in house.sink.received[before:]}
    assert got.isdisjoint({sent[0].to, sent[1].to})
    assert _counts(house, "path-next")["skipped", "suppressed"] >= 1


def test_test_mode_sends_marked_copies_and_nothing_else(house: House) -> None:
    before = len(house.sink.received)
    form = FORM | {"name": "path-test", "test_addresses": ["eu@casaaurora.example"]}
    assert house.run("newsletter/newsletter", {"form": form})["name"] == "Tested"
    assert [one.to for one in house.sink.received[before:]] == ["eu@casaaurora.example"]
    assert _counts(house, "path-test") == {}


def test_a_held_occurrence_goes_out_when_a_person_approves_in_the_ui(house: House, approved: str) -> None:
    """The run gives its process up while it waits, and goes on from its top where a person resumes it."""
    api = house.installation.api
    before = len(house.sink.received)
    number = api.start(f"calendar/{approved}", {"campaign": approved})
    house.wait_for(lambda: _state(house, number) == "PAUSED")
    assert len(house.sink.received) == before
    api.resume(number, {"decision": "approve", "approver": "Bia"})
    assert api.wait(number, seconds=120)["type"] == "COMPLETED"
    assert len(house.sink.received) > before
    with house.runtime() as rt, rt.read() as db:
        assert db.scalar(sa.select(occurrence.c.approved_by).where(occurrence.c.campaign == approved)) == "Bia"


def _state(house: House, run: str) -> str:
    return str(httpx.get(f"{house.installation.api.url}/flow_runs/{run}").json()["state"]["type"])


def test_a_provider_that_is_down_fails_the_run_visibly_and_loses_nobody(house: House) -> None:
    house.sink.stop()
    state = house.run("newsletter/newsletter", {"form": FORM | {"name": "path-down", "test": False}}, seconds=300)
    house.sink = house.sinks.enter_context(SmtpSink(house.sink.port))
    assert state["type"] == "FAILED"
    counts = _counts(house, "path-down")
    assert ("planned", "") in counts
    assert {state for state, _ in counts} == {"planned", "skipped"}
    house.deliver()
    after = _counts(house, "path-down")
    assert after["accepted", ""] == counts["planned", ""]
