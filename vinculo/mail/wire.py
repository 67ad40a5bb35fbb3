"""A connection that speaks in lines: writes bytes, reads replies of SMTP within a time and a size."""

from __future__ import annotations

import contextlib
import re
import select
import socket
import ssl
import time

from vinculo.mail.verdict import Reply

_LINE = re.compile(rb"(\d{3})(?:([ -])([^\r\n]*))?\r?\n")
#: RFC 5321 §4.5.3.1.5 allows 512 octets a line; real servers write more. What never ends is cut off here.
_LONGEST_REPLY = 65_536


class Lost(Exception):
    """No valid answer came, or nothing could be written: the connection is of no more use."""


class Wire:
    """A socket and what it has brought so far."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._unread = bytearray()

    def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """Go on in TLS. Raises `OSError`, and `Lost` for words that came before (an injected answer, CVE-2011-0411)."""
        if self._unread:
            raise Lost("the server talked before TLS began")
        self._socket = context.wrap_socket(self._socket, server_hostname=host)

    def write(self, data: bytes) -> None:
        """Write all of *data*. When this raises `Lost`, its last byte was not written."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Lost(_why(error)) from error

    @property
    def silent(self) -> bool:
        """Whether nothing read is left over: before a command there must be no answer yet."""
        return not self._unread

    @property
    def stale(self) -> bool:
        """Whether the server has said or done something unasked: a farewell, a hang-up."""
        ready = select.poll()
        ready.register(self._socket, select.POLLIN)
        return bool(self._unread or ready.poll(0))

    @property
    def encrypted(self) -> bool:
        """Whether the connection is in TLS."""
        return isinstance(self._socket, ssl.SSLSocket)

    def reply(self, timeout: float) -> Reply:
        """Read one answer within *timeout* seconds. Raises `Lost`."""
        deadline = time.monotonic() + timeout
        lines: list[bytes] = []
        codes: set[bytes] = set()
        while True:
            code, mark, text = self._line(deadline)
            codes.add(code)
            lines.append(text)
            if mark != b"-":
                break
            if sum(map(len, lines)) > _LONGEST_REPLY or len(lines) > _LONGEST_REPLY // 64:
                raise Lost("the answer does not end")
        if len(codes) > 1:
            raise Lost("the answer says two things at once")
        return Reply(int(code), "\n".join(line.decode("utf-8", "replace") for line in lines))

    def own_name(self) -> str:
        """Return our end's address as a literal, for EHLO (RFC 5321 §4.1.3)."""
        address = str(self._socket.getsockname()[0])
        return f"[IPv6:{address}]" if ":" in address else f"[{address}]"

    def close(self) -> None:
        """Close without a farewell of TLS: it could still flush what was held back."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _line(self, deadline: float) -> tuple[bytes, bytes, bytes]:
        while b"\n" not in self._unread:
            if len(self._unread) > _LONGEST_REPLY:
                raise Lost("the answer does not end")
            self._unread += self._more(deadline)
        line, _, rest = self._unread.partition(b"\n")
        self._unread = bytearray(rest)
        found = _LINE.fullmatch(bytes(line) + b"\n")
        if found is None:
            raise Lost(f"no valid answer: {bytes(line[:80])!r}")
        return found[1], found[2] or b" ", found[3] or b""

    def _more(self, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Lost("no answer in time")
        try:
            self._socket.settimeout(left)
            data = self._socket.recv(4096)
        except OSError as error:
            raise Lost(_why(error)) from error
        if not data:
            raise Lost("the server closed the connection")
        return data


def _why(error: OSError) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else str(error.strerror or error)
