"""Our own SMTP and LMTP listener: takes only mail for our addresses, and says 250 only when it is kept."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Coroutine
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from vinculo.errors import NotReady
from vinculo.inbox.classify import TAG
from vinculo.inbox.doors import Handle
from vinculo.inbox.events import PURPOSES, token_number
from vinculo.inbox.parse import MAX_BYTES
from vinculo.signing import Signer

_log = logging.getLogger(__name__)


class Doorkeeper:
    """Knows which addresses are ours: the mailboxes themselves, and any with a token of ours.

    Without it the listener would be a place to leave spam, and every guess would cost us a row.
    """

    def __init__(self, mailboxes: Collection[str], signer: Signer) -> None:
        self._mailboxes = {mailbox.lower() for mailbox in mailboxes if mailbox}
        self._domains = {mailbox.rpartition("@")[2] for mailbox in self._mailboxes}
        self._signer = signer

    def admits(self, address: str) -> bool:
        """Tell whether mail for *address* is for us. Wrapped forms (SRS, BATV) of a tagged address count."""
        address = address.lower()
        if address in self._mailboxes:
            return True
        local, _, domain = address.rpartition("@")
        return domain in self._domains and any(
            token_number(self._signer, purpose, token) is not None
            for _, token in TAG.findall(local)
            for purpose in PURPOSES
        )


class _Handler:
    """What aiosmtpd asks at each step."""

    def __init__(self, door: Doorkeeper, handle: Handle, source: str) -> None:
        self.door, self.handle, self.source = door, handle, source

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.door.admits(address):
            return "550 5.1.1 No such address here"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        try:
            await asyncio.to_thread(self.handle, _with_envelope(envelope), self.source)
            answer = "250 2.0.0 Kept"
        except Exception:  # noqa: BLE001 - whatever it is, the mail must come again
            _log.exception("A mail could not be kept; its sender will try again")
            answer = "451 4.3.0 Not kept, try again later"
        # RFC 2033 §4.2: LMTP answers once for each recipient.
        return "\r\n".join([answer] * (len(envelope.rcpt_tos) if isinstance(server, LMTP) else 1))


def _with_envelope(envelope: Envelope) -> bytes:
    """Write the envelope into the mail, as final delivery does (RFC 5321 §4.4): only there is a bounce's token sure."""
    lines = [f"Return-Path: <{envelope.mail_from or ''}>"]
    lines += [f"Delivered-To: {recipient}" for recipient in envelope.rcpt_tos]
    content = envelope.content or b""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogateescape")
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace") + raw


class Listener:
    """Listens on *address* (`host:port`; port 0: any free one) from `start` to `stop`, in a thread of its own."""

    def __init__(self, address: str, door: Doorkeeper, handle: Handle, *, lmtp: bool = False) -> None:
        host, _, port = address.rpartition(":")
        self.host, self.port = host.strip("[]") or "127.0.0.1", int(port)
        self._kind: type[SMTP] = LMTP if lmtp else SMTP
        self._handler = _Handler(door, handle, "lmtp" if lmtp else "smtp")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"listen-{address}", daemon=True)
        self._server: asyncio.Server | None = None
        self._protocols: WeakSet[SMTP] = WeakSet()  # a connection that ended goes, with the mail it brought

    def start(self) -> Self:
        """Open the door. Raises `NotReady` when the port is in use."""
        self._thread.start()
        try:
            self._server = self._do(self._loop_create())
        except OSError as error:
            self._end()
            raise NotReady(f"Cannot listen on {self.host}:{self.port}: {error.strerror}", "Is it in use?") from None
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Close the door; who is in the middle of something is cut off and will come again."""
        if self._server:
            self._do(self._close(self._server))
            self._server = None
            self._end()

    async def _loop_create(self) -> asyncio.Server:
        return await self._loop.create_server(self._protocol, self.host, self.port)

    def _protocol(self) -> SMTP:
        protocol = self._kind(
            self._handler, data_size_limit=MAX_BYTES, enable_SMTPUTF8=True, ident="vinculo", hostname="vinculo"
        )
        self._protocols.add(protocol)
        return protocol

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        for protocol in self._protocols:
            if protocol.transport is not None:
                protocol.transport.close()
        await asyncio.sleep(0)

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
