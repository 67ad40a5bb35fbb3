"""What is answered from the parser is answered, and kept, as it is by the way that all requests go."""

from __future__ import annotations

import base64
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
import sqlalchemy as sa
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.unit.web.conftest import NOW, PHONE
from vinculo.db.tables import delivery, inbound, interaction, link, tally
from vinculo.runtime import Runtime, open_runtime
from vinculo.tracking import nameless_path
from vinculo.web import create_app
from vinculo.web.incoming.wire import Wire

SHOP = "https://casaaurora.example/"
SAID = {"User-Agent": PHONE}
Answer = tuple[int, list[tuple[str, str]], bytes]


@dataclass
class Door:
    """A web app that listens. *passed*: what went the way of all requests."""

    rt: Runtime
    port: int
    passed: list[str]
    #: Those that were made; *came*: something went the way of all requests.
    connections: list[HttpToolsProtocol]
    came: threading.Event

    def asked(self, *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
        """What is answered to *requests*, one after another on one connection, but for the date."""
        client, answers = HTTPConnection("127.0.0.1", self.port, timeout=20), []
        for method, path, headers in requests:
            client.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                client.putheader(name, value)
            client.endheaders(b"x" * int(headers.get("Content-Length", 0)))
            answer = client.getresponse()
            said = [(name, value) for name, value in answer.getheaders() if name != "date"]
            answers.append((answer.status, said, answer.read()))
        client.close()
        return answers

    def wrote(self) -> list[tuple[object, ...]]:
        """What is in the database of what was asked for."""
        i, n, t = interaction.c, inbound.c, tally.c
        asks = [
            sa.select(i.kind, i.contact_id, i.delivery_id, i.at, i.data, i.event_id).order_by(i.id),
            sa.select(n.event_id, n.raw, n.times).order_by(n.id),
            sa.select(t.campaign, t["class"], t.number).order_by(t["class"]),
        ]
        with self.rt.read() as db:
            return [tuple(row) for ask in asks for row in db.execute(ask)]


Doors = tuple[Door, Door]


@pytest.fixture
def doors(made: Path, tmp_path: Path) -> Iterator[Doors]:
    """The same web app twice, at `Wire` and at the server's own protocol, each with a database of its own."""
    with ExitStack() as stack:

        def door(name: str, protocol: type[HttpToolsProtocol]) -> Door:
            shutil.copytree(made, tmp_path / name)
            rt = stack.enter_context(open_runtime(tmp_path / name, clock=lambda: NOW + timedelta(hours=1)))
            app, bound = create_app(rt), socket.create_server(("127.0.0.1", 0))
            passed, connections, came = [], [], threading.Event()
            config = uvicorn.Config(app, http=protocol, log_level="critical", access_log=False, server_header=False)

            class Noted(protocol):  # type: ignore[misc,valid-type]
                def connection_made(self, transport) -> None:
                    super().connection_made(transport)
                    connections.append(self)

                def _start_asgi_task(self, cycle, app) -> None:
                    query = cycle.scope["query_string"].decode()
                    passed.append(cycle.scope["raw_path"].decode() + (f"?{query}" if query else ""))
                    came.set()
                    super()._start_asgi_task(cycle, app)

            config.http_protocol_class = config.http = Noted
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([bound],))
            stack.callback(thread.join, 20)
            stack.callback(setattr, server, "should_exit", True)
            thread.start()
            return Door(rt, bound.getsockname()[1], passed, connections, came)

        yield door("wire", Wire), door("own", HttpToolsProtocol)


def paths(rt: Runtime) -> dict[str, str]:
    """A path of each kind, by what it is."""
    with rt.read() as db:
        number = db.scalar(sa.select(delivery.c.id).where(delivery.c.contact_id == 1)) or 0
        static = db.scalar(sa.select(link.c.id).where(link.c.url == SHOP))
    opens, click = rt.signer.token("open", number), rt.signer.token("click", number)
    url = "https://casaaurora.example/voucher?code=a%20b"
    packed = base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
    signed = f"/c/{click}/u/{rt.signer.mac('url', f'{click} {url}')}/{packed}"
    return {
        "open": f"/o/{opens}.gif",
        "count": nameless_path(rt.signer, "weekly", "2026-12-01T12:00[UTC]"),
        "click": f"/c/{click}/{static}",
        "signed": signed,
        "trap": f"/c/{click}/0",
        "of nobody": f"/c/{rt.signer.token('click', 10**6)}/{static}",
        "no token": "/o/nonsense.gif",
        "no count": "/o/nonsense/nonsense.gif",
        "no click": f"/c/{opens}/{static}",
        "no link": f"/c/{click}/987654",
        "no signature": f"{signed}x",
        "no path": "/o/nothing",
        "asks": f"/o/{opens}.gif?x=1",
        "percent": f"/o/%{ord(opens[0]):02X}{opens[1:]}.gif",
        "page": "/healthz",
    }


KEPT = ("open", "count", "click", "signed", "trap", "of nobody")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_path_is_answered_and_kept_as_by_the_servers_own_protocol(doors: Doors, method: str) -> None:
    wire, own = doors
    known = paths(wire.rt)
    wire.asked(("GET", known["of nobody"], SAID))  # the link is learnt
    wire.passed.clear()
    for path in known.values():
        asks = [(method, path, SAID)] * 2
        assert wire.asked(*asks) == own.asked(*asks), path
    assert wire.wrote() == own.wrote()
    assert [path for path in known.values() if path not in wire.passed] == [known[name] for name in KEPT]
    assert set(own.passed) >= {known[name] for name in KEPT}


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ({"Sec-Purpose": "prefetch", **SAID}, True),
        ({}, True),
        ({"X-Forwarded-For": "203.0.113.9, 127.0.0.1", **SAID}, True),
        ({"X-Forwarded-For": "", **SAID}, True),
        ({"Connection": "close", **SAID}, True),
        ({"Content-Length": "3", **SAID}, False),
        ({"Expect": "100-continue", "Content-Length": "0", **SAID}, False),
        ({"Upgrade": "h2c", "Connection": "Upgrade", **SAID}, False),
        ({"User-Agent": "é" * 900}, True),
    ],
)
def test_whatever_is_said_with_it_is_heard_as_by_the_servers_own_protocol(
    doors: Doors, said: dict[str, str], plain: bool
) -> None:
    wire, own = doors
    path = paths(wire.rt)["open"]
    assert wire.asked(("GET", path, said)) == own.asked(("GET", path, said))
    assert wire.wrote() == own.wrote()
    assert wire.passed == ([] if plain else [path])


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_what_is_asked_without_waiting_is_answered_in_its_order(doors: Doors, version: str) -> None:
    wire, own = doors
    known = paths(wire.rt)
    lines = [f"GET {known[name]} HTTP/1.1\r\nHost: x\r\n\r\n" for name in ("open", "page", "click", "open")]
    lines.append(f"GET {known['open']} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n")

    def answers(door: Door) -> list[bytes]:
        with socket.create_connection(("127.0.0.1", door.port), timeout=20) as client:
            client.sendall("".join(lines).encode())
            said = b"".join(iter(lambda: client.recv(65_536), b""))
        return re.sub(rb"date: [^\r]*\r\n", b"", said).split(b"HTTP/1.1 ")[1:]

    said = answers(wire)
    assert said == answers(own)
    assert [each[:3] for each in said] == [b"200", b"200", b"302", b"200", b"200"]
    assert known["open"] in wire.passed
    assert sorted(map(str, wire.wrote())) == sorted(map(str, own.wrote()))


def test_what_cannot_be_kept_is_said_by_the_page_for_it(doors: Doors) -> None:
    said: list[list[Answer]] = []
    for door in doors:
        known = paths(door.rt)
        with door.rt.engine.begin() as db:
            db.execute(sa.text("ALTER TABLE inbound RENAME TO inbound_gone"))
        away = door.asked(("GET", known["open"], SAID), ("GET", known["click"], SAID))
        with door.rt.engine.begin() as db:
            db.execute(sa.text("ALTER TABLE inbound_gone RENAME TO inbound"))
        said.append(away + door.asked(("GET", known["open"], SAID)))
    assert said[0] == said[1]
    assert [status for status, *_ in said[0]] == [503, 503, 200]
    assert doors[0].wrote() == doors[1].wrote()


def test_who_hangs_up_before_the_answer_has_opened_it_all_the_same(doors: Doors) -> None:
    wire, _ = doors
    path, kept = paths(wire.rt)["open"], threading.Event()
    begin = wire.rt.begin

    def slow() -> object:
        kept.wait(20)
        return begin()

    wire.rt.begin = slow  # type: ignore[method-assign,assignment]
    with socket.create_connection(("127.0.0.1", wire.port)) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    other = threading.Thread(target=wire.asked, args=(("GET", "/healthz", {}),))
    other.start()
    other.join(20)
    kept.set()
    assert wire.asked(("GET", path, SAID))[0][0] == 200
    assert [row[2] for row in wire.wrote() if len(row) == 3 and isinstance(row[1], bytes)] == [1, 1]


@pytest.mark.parametrize("said", [SAID, {"Connection": "close", **SAID}])
def test_whether_the_connection_stays_is_as_asked_for_also_where_it_cannot_be_kept(
    doors: Doors, said: dict[str, str]
) -> None:
    answers = []
    for door in doors:
        path = paths(door.rt)["open"]
        with door.rt.engine.begin() as db:
            db.execute(sa.text("ALTER TABLE inbound RENAME TO inbound_gone"))
        answers.append(door.asked(("GET", path, said)))
    assert answers[0] == answers[1]
    assert ("connection", "close") in answers[0][0][1] or "Connection" not in said


def test_whoever_does_not_read_the_answers_is_answered_no_more_until_it_does(doors: Doors) -> None:
    wire, _ = doors
    path = paths(wire.rt)["open"]
    client = HTTPConnection("127.0.0.1", wire.port, timeout=20)
    client.request("GET", path, headers=SAID)
    assert len(client.getresponse().read()) == 42
    (connection,) = wire.connections
    paused = threading.Event()
    connection.loop.call_soon_threadsafe(connection.pause_writing)  # as the transport does when it holds too much
    connection.loop.call_soon_threadsafe(paused.set)
    assert paused.wait(20)
    client.request("GET", path, headers=SAID)
    assert wire.came.wait(20)
    connection.loop.call_soon_threadsafe(connection.resume_writing)
    assert len(client.getresponse().read()) == 42
    client.close()
    assert wire.passed == [path]
