"""What is needed and not there, in use, full or wrong by itself is named; nobody is lost."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.unit.cli.mistake.conftest import PEOPLE, Type, closed_port, states, write
from vinculo.testing.smtp import SmtpSink


@pytest.mark.parametrize("words", [["score"], ["run", "weekly"], ["pause", "weekly"], ["db", "upgrade"]])
def test_a_locked_database_is_named(root: Path, type_in: Type, words: list[str]) -> None:
    holder = sqlite3.connect(root / "vinculo.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    code, _, notes = type_in(*words)
    holder.close()
    assert (code, "in use by another process" in notes) == (3, True)


def test_a_connector_that_cannot_be_loaded_is_named(root: Path, type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = (root / "vinculo.toml").read_text()
    (root / "vinculo.toml").write_text(toml.replace("connectors.smtp:Smtp", "mine:Mine").replace("[smtp]", "[mine]"))
    (root / "mine.py").write_text("def (")
    monkeypatch.delenv("VINCULO__SMTP__URL")
    code, _, notes = type_in("run", "weekly")
    assert (code, "mine cannot be loaded: SyntaxError" in notes) == (2, True)


def test_a_server_that_does_not_answer_is_named(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{closed_port()}/x"
    monkeypatch.setenv("VINCULO__DATABASE__URL", url)
    for words in (["plan"], ["db", "upgrade"]):
        code, _, notes = type_in(*words)
        assert (code, "Is it running" in notes, "hidden" in notes) == (3, True, False)


@pytest.mark.parametrize(
    ("url", "said"),
    [("postgresql//me:hidden@x/y", "no database URL"), ("mysql://me:hidden@x/y", "not a database Vinculo knows")],
)
def test_a_database_url_of_another_kind_is_refused(
    type_in: Type, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__URL", url)
    code, _, notes = type_in("plan")
    assert (code, said in notes, "hidden" in notes) == (2, True, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize(
    "words", [["preview", "hello", "--out", "/dev/full"], ["inline", "p.html", "--out", "/dev/full"]]
)
def test_a_full_disk_is_named(root: Path, type_in: Type, words: list[str]) -> None:
    write("p.html", "<p>Olá</p>")(root)
    code, _, notes = type_in(*words)
    assert (code, "Make room" in notes) == (3, True)


def test_a_port_in_use_is_named(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        monkeypatch.setenv("VINCULO__PREFECT__API_URL", f"http://127.0.0.1:{port}/api")
        code, _, notes = type_in("up")
    assert (code, f"Port {port} is in use" in notes, "prefect.api_url" in notes) == (3, True, True)


def test_without_a_mail_server_nobody_is_lost(root: Path, type_in: Type) -> None:
    code, _, notes = type_in("run", "weekly")
    assert (code, "waits in the ledger" in notes) == (3, True)
    assert states(root) == {"planned": PEOPLE, "skipped": 1}
    code, _, notes = type_in("run", "weekly", "--to", "me@example.com")
    assert (code, "refused" in notes) == (3, True)


def test_a_run_of_a_campaign_that_stands_still_says_who_lets_it_go_on(type_in: Type) -> None:
    type_in("pause", "weekly")
    code, answer, _ = type_in("run", "weekly")
    assert (code, "`vinculo resume weekly` lets it go on" in answer, "run it again" in answer) == (0, True, False)


def test_a_template_that_fails_for_one_contact_stops_no_other(root: Path, type_in: Type) -> None:
    _fail_for(root, "c3")
    with SmtpSink() as sink:
        os.environ["VINCULO__SMTP__URL"] = sink.url
        code, answer, _ = type_in("run", "weekly")
        assert (code, len(sink.received)) == (0, PEOPLE - 1)
    assert "render_error" in answer
    assert states(root) == {"accepted": PEOPLE - 1, "skipped": 2}
    assert "email.html" in type_in("why", "c3", "weekly")[1]


def _fail_for(root: Path, key: str) -> None:
    path = root / "templates" / "hello" / "email.html"
    words = f'<p>Olá! {{% if contact.key == "{key}" %}}{{{{ 1 // 0 }}}}{{% endif %}}'
    path.write_text(path.read_text().replace("<p>Olá!", words))
