"""Events that our own systems post: under a token, each once, all or nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.web.conftest import Build, Town
from vinculo.db.tables import inbound

DOCS = Path(__file__).parents[4] / "docs/web.md"
TOKEN = "a token for tests alone"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
BOUGHT = {"id": "order-1", "kind": "purchased", "contact": "ana@gmail.example", "amount": "1299.90", "currency": "BRL"}


@pytest.fixture
def town(build: Build) -> Town:
    return build(setup=f'events_token = "{TOKEN}"')


def post(town: Town, told: Any) -> tuple[int, dict[str, Any]]:
    answer = town.client.post("/events", json=told, headers=HEADERS)
    return answer.status_code, answer.json()


def test_a_purchase_is_in_the_history_once_however_often_it_is_posted(town: Town) -> None:
    assert post(town, BOUGHT) == (200, {"outcomes": ["handled"]})
    assert post(town, [BOUGHT, BOUGHT]) == (200, {"outcomes": ["duplicate", "duplicate"]})
    (row,) = town.history("purchased")
    assert (row.contact_id, row.amount, row.currency, row.source) == (town.ana, 129990, "BRL", "api")


def test_a_consent_and_its_withdrawal_count_in_whatever_order_they_come(town: Town) -> None:
    yes = {"id": "1", "kind": "subscribed", "contact": "rui", "channel": "sms", "topic": "offers"}
    no = {**yes, "id": "2", "kind": "unsubscribed"}
    told = [{**no, "at": "2026-12-01T08:59:00-03:00"}, {**yes, "at": "2026-12-01T08:58:00-03:00"}]
    assert post(town, told)[1] == {"outcomes": ["handled", "handled"]}
    assert town.live(town.rui)["sms", "offers"] is False


def test_of_somebody_unknown_the_event_is_kept(town: Town) -> None:
    assert post(town, {**BOUGHT, "contact": "nobody@gmail.example"}) == (200, {"outcomes": ["unmatched"]})
    assert town.rows(inbound) == 1


@pytest.mark.parametrize(
    ("told", "at", "words"),
    [
        ({**BOUGHT, "kind": "bought"}, "0.kind", "Input should be"),
        ({**BOUGHT, "ammount": "1"}, "0.ammount", "Did you mean `amount`?"),
        ({**BOUGHT, "amount": ""}, "0", "a purchase needs an amount"),
        ({**BOUGHT, "amount": "1,2,3"}, "0.amount", "write an amount"),
        ([BOUGHT, {**BOUGHT, "amount": "x"}], "1.amount", "write an amount"),
        ({**BOUGHT, "at": "9999-12-31T23:59:59-12:00"}, "0.at", "no calendar"),
        ({**BOUGHT, "currency": "reais"}, "0.currency", "pattern"),
        ({**BOUGHT, "at": "2026-12-01T09:00:00"}, "0.at", "timezone"),
        ({"kind": "visited", "contact": "ana"}, "0.id", "required"),
        ([], "", "at least 1"),
        ([BOUGHT] * 1001, "", "at most 1000"),
        ("x", "0", "dictionary"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(town: Town, told: Any, at: str, words: str) -> None:
    status, answer = post(town, told)
    assert (status, answer["error"]) == (422, "nothing was stored")
    assert (answer["problems"][0]["at"], words in answer["problems"][0]["message"]) == (at, True), answer
    assert town.rows(inbound) == 0


def test_one_wrong_event_refuses_the_others_with_it(town: Town) -> None:
    assert post(town, [BOUGHT, {**BOUGHT, "id": ""}])[0] == 422
    assert town.rows(inbound) == 0


def test_what_is_no_json_or_too_large_is_refused(town: Town) -> None:
    broken = town.client.post("/events", content=b'{"id": ', headers=HEADERS)
    assert (broken.status_code, "not JSON" in broken.json()["problems"][0]["message"]) == (422, True)
    assert town.client.post("/events", content=b" " * 1_000_001, headers=HEADERS).status_code == 413


@pytest.mark.parametrize(
    "data",
    [b"NaN", b"-Infinity", b"-1e400", b"9" * 400, b'"\\u0000"', b'"a\\\\\\u0000"', b"[" * 100_000],
    ids=["nan", "inf", "beyond", "whole", "nul", "nul after", "deep"],
)
def test_what_no_database_could_keep_is_refused(town: Town, data: bytes) -> None:
    body = b'{"id": "1", "kind": "visited", "contact": "ana", "data": {"x": %s}}' % data
    answer = town.client.post("/events", content=body, headers=HEADERS)
    assert (answer.status_code, answer.json()["error"]) == (422, "nothing was stored")
    assert town.rows(inbound) == 0


@pytest.mark.parametrize("place", ["data", "contact"])
def test_half_of_a_character_is_refused_where_it_stands(town: Town, place: str) -> None:
    said = {"data": {"x": "\ud83d"}} if place == "data" else {"contact": "\ud83d"}
    answer = town.client.post("/events", content=json.dumps({**BOUGHT, **said}), headers=HEADERS)
    assert (answer.status_code, answer.json()["problems"][0]["at"]) == (422, f"0.{place}")


def test_a_backslash_before_u0000_is_text(town: Town) -> None:
    body = rb'{"id": "1", "kind": "visited", "contact": "ana", "data": {"x": "C:\\u0000"}}'
    assert town.client.post("/events", content=body, headers=HEADERS).json() == {"outcomes": ["handled"]}


@pytest.mark.parametrize("sent", ["", "Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer \xe9"])
def test_without_the_token_nothing_is_taken(town: Town, sent: str) -> None:
    headers = {"Authorization": sent.encode("latin-1")} if sent else {}
    answer = town.client.post("/events", json=BOUGHT, headers=headers)
    assert (answer.status_code, "EVENTS_TOKEN" in answer.json()["remedy"]) == (401, True)
    assert town.rows(inbound) == 0


def test_a_company_without_a_token_has_no_such_door(build: Build) -> None:
    town = build()
    assert town.client.post("/events", json=BOUGHT, headers={"Authorization": "Bearer "}).status_code == 401


def test_the_example_in_the_docs_runs(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCS.read_text(encoding="utf-8")
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "/events" in block]
    import httpx2

    monkeypatch.setattr(httpx2, "post", town.client.post)
    said: list[str] = []
    exec(example, {"url": "", "token": TOKEN, "print": lambda told: said.append(str(told))})
    assert said == ["{'outcomes': ['handled', 'handled']}"]
