"""A connection that never blocks, and knows how many bytes the kernel has taken of what was written."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import ssl
from collections.abc import Sequence
from typing import Any

Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]
_PIECE = 65_536
_NOTHING = memoryview(b"")
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """One socket. Nothing here raises: `lost` says why the connection is of no more use.

    Own sockets, not transports: after `transport.write` nobody can tell whether the last byte has left the process,
    and on that byte hangs whether a message is in doubt.
    """

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = list(addresses)
        self._socket = socket.socket()  # never used: the first address brings its own
        #: What the kernel has not taken yet.
        self.unsent = _NOTHING
        #: Connected, and in TLS if that was asked for.
        self.ready = False
        self.encrypted = False
        #: Why nothing more will come or go.
        self.lost = ""
        #: How many bytes the kernel has taken since the connection was made.
        self.taken = 0
        self._connect()

    @property
    def number(self) -> int:
        """The file descriptor; another one after another address was tried; -1 when closed."""
        return self._socket.fileno()

    @property
    def interest(self) -> int:
        """What to wait for, as `selectors` has it."""
        waits = bool(self.unsent) or not (self.ready or self.encrypted)
        return selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)

    @property
    def end(self) -> int:
        """What `taken` will be when everything written has been taken."""
        return self.taken + len(self.unsent)

    @property
    def own_name(self) -> str:
        """Our end's address as a literal, for EHLO (RFC 5321 §4.1.3)."""
        address = str(self._socket.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def advance(self) -> None:
        """Go on connecting or shaking hands."""
        if self.encrypted:
            self._shake()
            return
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self._refused(error)
            return
        with contextlib.suppress(OSError):  # no such thing where a test speaks over a pair of sockets
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.ready = True

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS: `ready` again when hands have been shaken."""
        self.ready, self.encrypted = False, True
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=host, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            self.lost = _why(error)
            return
        self._shake()

    def write(self, *pieces: bytes) -> None:
        """Write *pieces* after all that was written before, as far as the kernel takes them now."""
        number = 0
        if not (self.unsent or self.encrypted or self.lost):
            try:
                number = self._socket.sendmsg(pieces)
            except _WAIT:
                pass
            except OSError as error:
                self.lost = _why(error)
            self.taken += number
            if number == sum(map(len, pieces)):
                return
        self.unsent = memoryview(b"".join((self.unsent, *pieces)))[number:]
        self.flush()

    def flush(self) -> bool:
        """Go on writing what the kernel has not taken yet; tell whether it took some of it."""
        before = self.taken
        try:
            while self.unsent and not self.lost:
                number = self._socket.send(self.unsent)
                self.taken += number
                self.unsent = self.unsent[number:] if number < len(self.unsent) else _NOTHING
        except _WAIT:
            pass
        except OSError as error:
            self.lost = _why(error)
        return self.taken > before

    def read(self) -> bytes:
        """Return what has come. What came before the connection broke is still returned."""
        data = b""
        try:
            while True:
                piece = self._socket.recv(_PIECE)
                if not piece:
                    self.lost = self.lost or "the server closed the connection"
                    return data
                data += piece
                if not self.encrypted:
                    return data
        except _WAIT:
            return data
        except OSError as error:
            self.lost = self.lost or _why(error)
            return data

    def close(self) -> None:
        """Close without a farewell of TLS: it could still flush what was held back."""
        self.ready = False
        with contextlib.suppress(OSError):
            self._socket.close()

    def _connect(self) -> None:
        family, kind, protocol, _, where = self._addresses.pop(0)
        before, self._where = self._socket, f"{where[0]}:{where[1]}"
        try:
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)
            error = self._socket.connect_ex(where)
        except OSError as problem:
            error = problem.errno or errno.EIO
        if before is not self._socket:
            before.close()  # not earlier: a number that is used again at once would be taken for the same socket
        if error not in {0, errno.EINPROGRESS}:
            self._refused(error)

    def _refused(self, error: int) -> None:
        """Try the next address of the host, if there is one."""
        if self._addresses:
            self._connect()
        else:
            self.lost = f"{self._where}: {os.strerror(error)}"

    def _shake(self) -> None:
        assert isinstance(self._socket, ssl.SSLSocket)
        try:
            self._socket.do_handshake()
        except _WAIT:
            return
        except (OSError, ValueError) as error:
            self.lost = _why(error)
            return
        self.ready = True


def resolve(host: str, port: int) -> Sequence[Address]:
    """Return the addresses of *host*. Raises `OSError`."""
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error)
    return str(getattr(error, "strerror", None) or error)
