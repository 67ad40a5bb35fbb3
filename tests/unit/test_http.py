from __future__ import annotations

from datetime import UTC, datetime

import httpx2
import pytest

from vinculo.connector import BadAddress, InDoubt, Rejected, SendError, Temporary, Unavailable
from vinculo.http import broken, json_object, refused, seconds

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        *[(status, Unavailable) for status in (301, 302, 307, 401, 402, 403, 404, 405)],
        *[(status, Temporary) for status in (408, 409, 425, 429)],
        *[(status, Rejected) for status in (400, 406, 410, 413, 415, 422, 451)],
        *[(status, InDoubt) for status in (500, 501, 502, 503, 504, 599)],
    ],
)
def test_each_status_has_its_verdict(status: int, wanted: type[SendError]) -> None:
    assert type(refused(httpx2.Response(status), NOW)) is wanted


def test_the_providers_own_code_tells_a_bad_address_from_bad_content() -> None:
    answer = httpx2.Response(422)
    assert type(refused(answer, NOW, code="unknown_number", bad_address={"unknown_number"})) is BadAddress
    assert type(refused(answer, NOW, code="too_long", bad_address={"unknown_number"})) is Rejected
    assert type(refused(httpx2.Response(500), NOW, code="unknown_number", bad_address={"unknown_number"})) is InDoubt


def test_a_provider_that_queues_nothing_when_it_is_busy_says_when_to_come_again() -> None:
    answer = httpx2.Response(503, headers={"retry-after": "30"})
    busy = refused(answer, NOW, not_queued={503})
    assert isinstance(busy, Temporary)
    assert (busy.after, busy.status) == (30.0, "4.3.2")
    assert isinstance(refused(httpx2.Response(500), NOW, not_queued={503}), InDoubt)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("120", 120.0),
        ("9" * 400, 604_800.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 604_800.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        (" 0 ", 0.0),
        ("Tue, 01 Dec 2026 12:01:30 GMT", 90.0),
        ("Tuesday, 01-Dec-26 12:01:30 GMT", 90.0),
        ("Tue, 01 Dec 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("Tue, 99 Foo 2026", None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str, wanted: float | None) -> None:
    assert seconds(header, NOW) == wanted
    for status in (429, 403):
        error = refused(
            httpx2.Response(status, headers={"retry-after": header}.items() if header.isascii() else ()), NOW
        )
        assert isinstance(error, Temporary | Unavailable)
        assert error.after == (wanted if header.isascii() else None)


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (httpx2.ConnectError("refused"), Unavailable),
        (httpx2.ConnectTimeout("slow"), Unavailable),
        (httpx2.PoolTimeout("full"), Unavailable),
        (httpx2.UnsupportedProtocol("ftp"), Unavailable),
        (httpx2.WriteTimeout("slow"), Temporary),
        (httpx2.ReadTimeout("slow"), InDoubt),
        (httpx2.ReadError("reset"), InDoubt),
        (httpx2.WriteError("reset"), InDoubt),
        (httpx2.RemoteProtocolError("nonsense"), InDoubt),
    ],
)
def test_no_answer_is_judged_by_how_far_the_request_came(error: httpx2.TransportError, wanted: type[SendError]) -> None:
    assert type(broken(error)) is wanted


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"<html>", b"\xff", b"[" * 100_000, b'"x"'])
def test_what_is_no_json_object_is_an_empty_one(content: bytes) -> None:
    assert json_object(content) == {}
