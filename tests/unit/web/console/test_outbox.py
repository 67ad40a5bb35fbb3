"""The outbox: what is in the folder, nothing outside it, and nothing in it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.web.conftest import Town

HOSTILE = (
    b"From: a@x.example\r\nTo: b@x.example\r\nSubject: =?utf-8?q?<script>1</script>?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<script>alert(1)</script><p>Hi</p>"
)


def folder(town: Town) -> Path:
    return town.rt.project.root / "outbox"


def message(town: Town) -> str:
    return next(path.name for path in folder(town).iterdir() if "ana@gmail" in path.read_text())


def test_messages_are_listed_and_shown_at_two_widths(town: Town) -> None:
    name = message(town)
    assert f'href="/outbox/{name}"' in town.client.get("/outbox").text
    page = town.client.get(f"/outbox/{name}?lang=en").text
    assert "Olá, Ana" in page
    assert 'class="w600"' in page
    assert 'class="w375"' in page
    assert "List-Unsubscribe-Post" in page
    assert town.client.get(f"/outbox/{name}/source").content == (folder(town) / name).read_bytes().decode().encode()


def test_looking_at_a_message_is_no_opening(town: Town) -> None:
    frame = town.client.get(f"/outbox/{message(town)}/html")
    assert "/o/" not in frame.text
    assert "/c/" in frame.text


def test_nothing_in_a_message_runs(town: Town) -> None:
    (folder(town) / "evil.eml").write_bytes(HOSTILE)
    frame = town.client.get("/outbox/evil.eml/html")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-popups")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "<script>" not in town.client.get("/outbox/evil.eml").text
    assert "<script>" not in town.client.get("/outbox").text
    assert town.client.get("/outbox/evil.eml/source").headers["content-type"] == "text/plain; charset=utf-8"


def test_an_sms_is_shown_as_text(town: Town) -> None:
    (folder(town) / "000001.json").write_text('{"key": "k", "channel": "sms", "to": "+5511", "text": "Olá <b>"}')
    assert "Olá &lt;b&gt;" in town.client.get("/outbox/000001.json").text
    assert town.client.get("/outbox/000001.json/html").status_code == 404


@pytest.mark.parametrize(
    "name", ["..%2Fvinculo.toml", "../vinculo.toml", "%2Fetc%2Fpasswd", "vinculo.db", "link.eml", "sub.eml", "%00.eml"]
)
def test_no_way_leads_out_of_the_folder(town: Town, name: str) -> None:
    (folder(town) / "link.eml").symlink_to(town.rt.project.root / "vinculo.toml")
    (folder(town) / "sub.eml").mkdir()
    for path in (f"/outbox/{name}", f"/outbox/{name}/source"):
        assert town.client.get(path).status_code == 404


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"[1, 2]", b"Subject: =?x?q?=?=\r\n\r\n", b"Content-Type: text/html; charset=nope\r\n\r\nx"],
)
def test_a_file_that_is_no_message_breaks_nothing(town: Town, content: bytes) -> None:
    for name in ("odd.eml", "odd.json"):
        (folder(town) / name).write_bytes(content)
        assert town.client.get(f"/outbox/{name}").status_code == 200
    assert town.client.get("/outbox").status_code == 200
