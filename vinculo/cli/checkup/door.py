"""The doors of this installation: the web app, and those for mail that comes back."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from vinculo.errors import Finding, VinculoError
from vinculo.runtime import Runtime


def web(rt: Runtime) -> Iterator[Finding]:
    from vinculo.web.console.gate import require_password

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


def doors(rt: Runtime) -> Iterator[Finding]:
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
