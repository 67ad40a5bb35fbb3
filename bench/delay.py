"""A server far away: a door before smtp-sink through which every answer comes later. Runs as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from types import TracebackType
from typing import Self

from bench.stage import ROOT


class Far:
    """The server at *port* of this machine, as if its answers took *seconds*. Made in a `with`."""

    def __init__(self, port: int, seconds: float) -> None:
        self._command = [sys.executable, "-m", "bench.delay", str(port), str(seconds)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.url = f"smtp://127.0.0.1:{self._process.stdout.readline().strip()}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()


class _Server(asyncio.Protocol):
    """Towards the server: what it says is handed on when its time has come."""

    def __init__(self, client: asyncio.Transport, seconds: float) -> None:
        self.client, self.seconds = client, seconds
        self.waiting: deque[bytes] = deque()

    def data_received(self, data: bytes) -> None:
        self.waiting.append(data)
        asyncio.get_running_loop().call_later(self.seconds, self._hand_on)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        asyncio.get_running_loop().call_later(self.seconds, self.client.close)

    def _hand_on(self) -> None:
        self.client.write(self.waiting.popleft())


class _Client(asyncio.Protocol):
    """Towards the client: what it says is handed on at once."""

    def __init__(self, port: int, seconds: float) -> None:
        self.port, self.seconds = port, seconds
        self.server: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._opening = asyncio.ensure_future(self._open(transport))

    async def _open(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        loop = asyncio.get_running_loop()
        made = await loop.create_connection(lambda: _Server(transport, self.seconds), "127.0.0.1", self.port)  # type: ignore[arg-type]
        self.server = made[0]

    def data_received(self, data: bytes) -> None:
        if self.server is not None:  # a client of SMTP waits for the server's first word
            self.server.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self.server is not None:
            self.server.close()


async def _serve(port: int, seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Client(port, seconds), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.install()
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
