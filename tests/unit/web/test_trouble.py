"""What goes wrong is said plainly, with the right status, and never with a traceback; headers are on every answer."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import OURS, Town
from vinculo.web.guard import HEADERS

EVERYWHERE = ["X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy"]


def paths(town: Town) -> list[str]:
    return [
        f"/unsubscribe/{town.token('unsubscribe')}",
        f"/preferences/{town.token('preferences', 1)}",
        f"/view/{town.token('view')}",
        f"/survey/{town.token('survey')}/9",
        f"/o/{town.token('open')}.gif",
        f"/c/{town.token('click')}/1",
        *("/", "/calendar", "/plan", "/campaigns", "/contacts", "/contacts/1", "/outbox", "/login"),
        *("/healthz", "/static/base.css", "/nope"),
    ]


def test_security_headers_are_on_every_answer(town: Town) -> None:
    for path in paths(town):
        answer = town.client.get(path)
        assert answer.status_code in (200, 302, 404), path
        assert not [name for name in EVERYWHERE if name not in answer.headers], path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


def test_our_own_pages_hold_nothing_inline_and_nothing_from_elsewhere(town: Town) -> None:
    for path in paths(town):
        if path.startswith(("/view/", "/static/", "/healthz", "/o/", "/c/")):
            continue
        page = town.client.get(path).text
        assert "<script" not in page
        assert " style=" not in page
        assert "<style" not in page
        assert not [part for part in page.split("=")[1:] if part.startswith(('"http:', '"https:', '"//'))], path
        assert town.client.get(path).headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


def test_a_database_that_is_away_is_a_503_that_says_when_to_try_again(town: Town) -> None:
    with town.rt.engine.begin() as db:
        for table in ("interaction", "delivery", "contact", "occurrence", "inbound", "consent"):
            db.execute(sa.text(f"ALTER TABLE {table} RENAME TO {table}_gone"))
    for path in (f"/unsubscribe/{town.token('unsubscribe')}", f"/o/{town.token('open')}.gif", "/", "/plan"):
        answer = town.client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), path
        assert "Traceback" not in answer.text
        assert "sqlite" not in answer.text.lower()
    answer = town.client.post(f"/unsubscribe/{town.token('unsubscribe')}")
    assert answer.status_code == 503


def test_an_event_that_cannot_be_stored_is_not_said_to_be(town: Town) -> None:
    with town.rt.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE inbound RENAME TO inbound_gone"))
    assert town.client.post(f"/unsubscribe/{town.token('unsubscribe')}").status_code == 503
    assert town.client.get(f"/c/{town.token('click')}/1").status_code == 503
    with town.rt.engine.begin() as db:
        db.execute(sa.text("ALTER TABLE inbound_gone RENAME TO inbound"))
    assert town.client.post(f"/unsubscribe/{town.token('unsubscribe')}").status_code == 200
    assert town.live()["email", "news"] is False


def test_a_fault_of_ours_is_a_plain_page_with_the_headers(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(town.rt, "read", fault)
    answer = town.client.get("/")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "content-security-policy" in answer.headers


def test_what_a_page_does_not_take_is_refused_with_a_page(town: Town) -> None:
    assert town.client.delete("/plan", headers=OURS).status_code == 405
    assert town.client.post("/calendar", headers=OURS).status_code == 405
    answer = town.client.get("/nope", headers={"Accept-Language": "es-AR,es;q=0.9"})
    assert (answer.status_code, "Página no encontrada" in answer.text) == (404, True)
    assert town.client.get("/static/../page.py").status_code == 404
    assert town.client.get("/static/%2e%2e/page.py").status_code == 404
    assert town.client.get("/healthz").text == "ok"


@pytest.mark.parametrize(
    "path",
    ["/contacts?q=%00", "/contacts?q=%2399999999999999999999", "/campaigns/%00", "/plan?days=%D9%A3", "/outbox?from=x"],
)
def test_values_that_are_none_break_nothing(town: Town, path: str) -> None:
    assert town.client.get(path).status_code in (200, 400, 404)


def test_bytes_that_are_no_text_break_nothing(town: Town) -> None:
    url = f"/survey/{town.token('survey')}/9"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert town.client.post(url, content=b"score=9&words=a%00b%FF%ED%A0%80", headers=form).status_code == 200
    assert [row.summary[:2] for row in town.history("surveyed")] == ["ab"]
