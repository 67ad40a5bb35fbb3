"""What `vinculo doctor` looks at. A check says what it found and, when that is not well, what to do."""

from __future__ import annotations

import shutil
import socket
import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal, NamedTuple

import httpx2 as httpx
import sqlalchemy as sa

from vinculo import db as database
from vinculo.db.migration import file_of
from vinculo.db.tables import delivery, occurrence
from vinculo.errors import VinculoError
from vinculo.project.settings import SECRET_FILE
from vinculo.runtime import Runtime

#: Free space on the disk below which we warn, and below which nothing should be sent, in bytes.
LITTLE, TOO_LITTLE = 1_000_000_000, 100_000_000
#: How far two clocks may differ: leases and signed webhooks allow for more, people wonder at less.
SKEW = timedelta(seconds=5)


class Finding(NamedTuple):
    """What one check found. *level* fail: something that is needed is not there."""

    level: Literal["ok", "warn", "fail"]
    check: str
    message: str
    remedy: str = ""


def examine(rt: Runtime) -> list[Finding]:
    """Run every check."""
    checks: Iterable[Callable[[Runtime], Iterator[Finding]]] = (
        *(_secret, _database, _clock, _disk),
        *(_prefect, _connectors, _web, _doors),
    )
    return [finding for check in checks for finding in check(rt)]


def _secret(rt: Runtime) -> Iterator[Finding]:
    try:
        rt.signer  # noqa: B018 - it is made, and refuses a weak key, when it is first asked for
    except VinculoError as error:
        yield Finding("fail", "secret key", error.message, error.remedy)
        return
    origin = next(one.origin for one in rt.project.settings.origins() if one.key == "secret_key")
    path = rt.project.root / SECRET_FILE
    if origin == SECRET_FILE and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding("warn", "secret key", f"{path} can be read by others", f"Run `chmod 600 {path}`.")
    else:
        yield Finding("ok", "secret key", f"there, from {origin}")


def _database(rt: Runtime) -> Iterator[Finding]:
    place = rt.engine.url.render_as_string(hide_password=True)
    try:
        database.require(rt.engine)
    except VinculoError as error:
        yield Finding("fail", "database", error.message, error.remedy)
    else:
        yield Finding("ok", "database", f"{place} has revision {database.HEAD}")


def _clock(rt: Runtime) -> Iterator[Finding]:
    """A clock that was set back takes what was sent for the future: leases and caps go wrong."""
    now = rt.now()
    try:
        database.require(rt.engine)
        with rt.read() as db:
            marks = [db.scalar(sa.select(sa.func.max(c))) for c in (occurrence.c.planned_at, delivery.c.submitted_at)]
            server = _server_time(db)
    except VinculoError:
        return  # the database's own line says why
    latest = max((mark for mark in marks if mark), default=now)
    if latest > now + SKEW:
        message = f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, but the ledger has work of {latest:%Y-%m-%d %H:%M:%S}"
        yield Finding("fail", "clock", message, "Set the clock (NTP) before anything is sent.")
    elif server and abs(server - now) > SKEW:
        message = f"the database's clock differs by {abs(server - now).total_seconds():.0f} s"
        yield Finding("warn", "clock", message, "Let both machines keep time by NTP.")
    else:
        yield Finding("ok", "clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _server_time(db: sa.Connection) -> datetime | None:
    if db.dialect.name != "postgresql":
        return None
    time: datetime | None = db.scalar(sa.text("SELECT clock_timestamp()"))
    return time


def _disk(rt: Runtime) -> Iterator[Finding]:
    file = file_of(rt.engine)
    for folder in dict.fromkeys([rt.project.root, *([file.parent] if file else [])]):
        if folder.is_dir():
            yield _space(folder, shutil.disk_usage(folder).free)


def _space(folder: Path, free: int) -> Finding:
    words = f"{free / 1e9:,.1f} GB free at {folder}"
    if free < TOO_LITTLE:
        return Finding("fail", "disk", words, "Make room: a full disk stops all sending.")
    return Finding("warn", "disk", words, "Make room soon.") if free < LITTLE else Finding("ok", "disk", words)


def _prefect(rt: Runtime) -> Iterator[Finding]:
    url = rt.project.settings.prefect.api_url.rstrip("/")
    try:
        answer = httpx.get(f"{url}/health", timeout=3)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = f"{url} does not answer: {error}"
        yield Finding("fail", "Prefect", words, "Start it with `vinculo up`, or mend prefect.api_url.")
        return
    if answer.status_code != 200:
        words = f"{url}/health answers {answer.status_code}"
        yield Finding("fail", "Prefect", words, "Is prefect.api_url right? It ends in /api.")
        return
    yield Finding("ok", "Prefect", f"answers at {url}")
    date = answer.headers.get("date")
    skew = abs(parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)) if date else timedelta(0)
    if skew > SKEW:
        words = f"Prefect's clock differs by {skew.total_seconds():.0f} s"
        yield Finding("warn", "clock", words, "Let both machines keep time by NTP.")


def _connectors(rt: Runtime) -> Iterator[Finding]:
    for channel, target in rt.project.settings.channels.items():
        name = f"channel {channel}"
        try:
            obstacles = rt.connector(channel).check()
        except VinculoError as error:
            yield Finding("fail", name, error.message, error.remedy)
        except Exception as error:  # noqa: BLE001 - a connector is not ours; the other checks must go on
            yield Finding("fail", name, f"{target} broke: {error!r}", "That is a bug in the connector.")
        else:
            yield from (Finding("fail", name, words, f"Mend its section, served by {target}.") for words in obstacles)
            if not obstacles:
                yield Finding("ok", name, f"{target} is ready")
    if not rt.project.settings.channels:
        yield Finding("fail", "channels", "no channel has a connector", "Name them under [channels] in vinculo.toml.")


def _web(rt: Runtime) -> Iterator[Finding]:
    from vinculo.web.gate import require_password

    web = rt.project.settings.web
    try:
        require_password(web)
    except VinculoError as error:
        yield Finding("fail", "web", error.message, error.remedy)
    host = "127.0.0.1" if web.host in ("0.0.0.0", "::") else web.host  # noqa: S104 - compared, not bound
    if _listens(host, web.port):
        yield Finding("ok", "web", f"something listens on {host}:{web.port}; contacts reach it as {web.url}")
    else:
        words = f"nothing listens on {host}:{web.port}: links in mail lead nowhere"
        yield Finding("warn", "web", words, "Start it with `vinculo up`.")


def _doors(rt: Runtime) -> Iterator[Finding]:
    """The doors for mail that comes back, of those that are ours to open."""
    for name in ("smtp", "lmtp"):
        address = getattr(rt.project.settings.listen, name)
        if not address:
            continue
        host, _, port = address.rpartition(":")
        if not port.isdigit():
            yield Finding("fail", f"listen.{name}", f"`{address}` is no host:port", "Write 127.0.0.1:8025.")
        elif _listens(host or "127.0.0.1", int(port)):
            yield Finding("ok", f"listen.{name}", f"something listens on {address}")
        else:
            words = f"nothing listens on {address}: replies and bounces are not heard"
            yield Finding("warn", f"listen.{name}", words, "Start it with `vinculo up`.")


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1):
            return True
    except OSError:
        return False
