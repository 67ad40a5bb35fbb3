"""A mail server in a thread that refuses what a real one refuses, keeps what it takes, and fails as it is told.

with SmtpSink() as sink:
    sink.fail(Phase.RCPT, "550 5.1.1 no such mailbox")
    ...
    sink.received
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections import Counter, deque
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from vinculo.connector import BadAddress, InDoubt, Rejected, SendError, Temporary, Unavailable
from vinculo.errors import NotReady
from vinculo.mail.verdict import Phase
from vinculo.testing.provider import Received

#: Instead of a reply: hang up without one.
DROP = ""
_FAILURES: dict[type[SendError], tuple[Phase, str]] = {
    Temporary: (Phase.RCPT, "450 4.2.0 greylisted, try again later"),
    Rejected: (Phase.ANSWER, "554 5.7.1 content refused"),
    BadAddress: (Phase.RCPT, "550 5.1.1 no such mailbox"),
    Unavailable: (Phase.MAIL, "530 5.7.0 authentication required"),
    InDoubt: (Phase.ANSWER, DROP),
}
_PHASES = {"EHLO": Phase.EHLO, "STARTTLS": Phase.TLS, "AUTH": Phase.AUTH, "MAIL": Phase.MAIL, "RCPT": Phase.RCPT}
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
#: RFC 5322 §3.6: at most one of each; big receivers refuse a message that has two.
_ONCE = frozenset({"from", "to", "cc", "subject", "date", "message-id", "reply-to", "sender"})


class SmtpSink:
    """Listens on 127.0.0.1 from `start` to `stop`, on a free port unless *port* is given.

    *folder*: each message is kept there as a file too. *login* (user, password) is asked for; *tls* offers STARTTLS.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        folder: Path | None = None,
        login: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        smtputf8: bool = True,
    ) -> None:
        self.port, self.login, self.tls, self.smtputf8 = port, login, tls, smtputf8
        self._folder = folder
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._faults: dict[Phase, deque[str]] = {phase: deque() for phase in Phase}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-sink", daemon=True)
        self._server: asyncio.Server | None = None
        #: How many connections were opened.
        self.connections = 0

    @property
    def url(self) -> str:
        """Where it listens, as the setting of a connector."""
        return f"smtp://127.0.0.1:{self.port}"

    # ── what a test asks and tells ───────────────────────────────────────────────────────────────────────────────
    @property
    def received(self) -> list[Received]:
        """What was taken, in order."""
        with self._lock:
            return list(self._received)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must show nowhere."""
        return (self.login[1],) if self.login else ()

    fails_with = frozenset(_FAILURES)

    def fail(self, phase: Phase, reply: str) -> None:
        """At the next *phase* give *reply*, or hang up when it is `DROP`. 421 hangs up after saying so."""
        with self._lock:
            self._faults[phase].append(reply)

    def fail_next(self, decision: type[SendError]) -> None:
        """Treat the next message as one for which a client must decide *decision*."""
        self.fail(*_FAILURES[decision])

    def webhook(self, kind: str, key: str = "", address: str = "") -> NoReturn:
        """A mail server sends no webhooks."""
        raise LookupError(f"a mail server has no webhook to send: {kind} {key} {address}".rstrip())

    # ── its life ─────────────────────────────────────────────────────────────────────────────────────────────────
    def start(self) -> Self:
        """Listen. Raises `NotReady` when the port is taken."""
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        try:
            self._server = starting.result(10)
        except OSError as error:
            self.stop()
            raise NotReady(f"Cannot listen on port {self.port}: {error.strerror}", "Give another port.") from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stop(self) -> None:
        """Hang up on everybody and let the port go."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
        if not self._loop.is_closed():
            self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: _Session(self, self._loop), "127.0.0.1", self.port)

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
        sessions = asyncio.all_tasks() - {asyncio.current_task()}
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    # ── what its sessions call ───────────────────────────────────────────────────────────────────────────────────
    def next_fault(self, phase: Phase) -> str | None:
        """Return what to answer instead at *phase*, once; None: nothing in particular."""
        with self._lock:
            return self._faults[phase].popleft() if self._faults[phase] else None

    def take(self, envelope: Envelope) -> None:
        """Keep a message."""
        received = read_mail(envelope.original_content or b"", envelope.mail_from or "", envelope.rcpt_tos)
        with self._lock:
            self._received.append(received)
            number = len(self._received)
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{number:06}.eml").write_bytes(received.raw)


class _Session(SMTP):
    """One connection: aiosmtpd's, with faults put in and without its leniency."""

    def __init__(self, sink: SmtpSink, loop: asyncio.AbstractEventLoop) -> None:
        self._sink = sink
        super().__init__(
            _Rules(sink),
            loop=loop,
            hostname="sink.test",
            ident="vinculo.testing",
            enable_SMTPUTF8=sink.smtputf8,
            tls_context=sink.tls,
            auth_require_tls=sink.tls is not None,
            authenticator=partial(_authenticate, sink),
        )
        for command, phase in _PHASES.items():
            self._smtp_methods[command] = partial(self._faulty, phase, self._smtp_methods[command])

    async def _handle_client(self) -> None:
        self._sink.connections += 1
        await self.fail(self._sink.next_fault(Phase.CONNECT), last=True)
        await super()._handle_client()

    async def _faulty(self, phase: Phase, command: Any, argument: str) -> None:
        fault = self._sink.next_fault(phase)
        await self.fail(fault)
        if fault is None:
            await command(argument)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd finds it by this name
        fault = self._sink.next_fault(Phase.DATA)
        await self.fail(fault)
        if fault is not None:
            return
        if self._sink.next_fault(Phase.BODY) is not None:
            await self.push("354 go on")
            await self._reader.readuntil(b"\r\n")
            await self.fail(DROP)
        await super().smtp_DATA(arg)

    async def fail(self, reply: str | None, *, last: bool = False) -> None:
        """Hang up as *reply* says; any other reply than a farewell is given, and the session goes on."""
        if reply is None:
            return
        if reply != DROP:
            await self.push(reply)
        if reply == DROP or reply.startswith("421") or last:
            hang_up = self._writer.transport.abort if reply == DROP else self._writer.close
            hang_up()
            raise asyncio.CancelledError


class _Rules:
    """What aiosmtpd asks about senders and content."""

    def __init__(self, sink: SmtpSink) -> None:
        self._sink = sink

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's hooks
        self, _: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._sink.login and not session.authenticated:
            return "530 5.7.0 authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender ok"

    async def handle_DATA(self, server: _Session, _: Session, envelope: Envelope) -> str:  # noqa: N802
        refusal = _refusal(envelope)
        if refusal:
            return refusal
        fault = self._sink.next_fault(Phase.ANSWER)
        if not fault:
            self._sink.take(envelope)
        if fault == DROP or (fault or "").startswith("421"):
            await server.fail(fault)
        return fault or "250 2.0.0 taken"


def _authenticate(sink: SmtpSink, _: SMTP, __: Session, ___: Envelope, ____: str, given: Any) -> AuthResult:
    right = isinstance(given, LoginPassword) and sink.login == (given.login.decode(), given.password.decode())
    return AuthResult(success=right, handled=False)


def read_mail(raw: bytes, sender: str = "", to: list[str] | None = None) -> Received:
    """Read a message as a mail program would: words decoded, the text part, line ends as newlines."""
    mail = message_from_bytes(raw, policy=policy.default)
    part = mail.get_body(("plain", "html"))
    text = part.get_content() if part is not None else ""
    return Received(
        to=", ".join(to or []) or str(mail.get("to", "")),
        text=str(text).replace("\r\n", "\n").removesuffix("\n"),
        subject=str(mail.get("subject", "")),
        sender=sender,
        headers=tuple((name.lower(), str(value)) for name, value in mail.items()),
        raw=raw,
    )


def _refusal(envelope: Envelope) -> str:
    """Return what a real server says to content that breaks the rules, or nothing."""
    content = envelope.original_content or b""
    head = content.partition(b"\r\n\r\n")[0]
    names = Counter(line.partition(b":")[0].lower().decode("latin-1") for line in re.split(rb"\r\n(?![ \t])", head))
    twice = sorted(name for name in _ONCE if names[name] > 1)
    if _BARE.search(content):
        return "550 5.6.0 bare newline refused"
    if not content.isascii() and "BODY=8BITMIME" not in envelope.mail_options:
        return "554 5.6.3 8-bit content was not announced"
    if not head.isascii() and not envelope.smtp_utf8:
        return "554 5.6.7 a header is not ASCII"
    if names["from"] != 1 or twice:
        return f"550 5.7.1 From is missing, or there are two of: {', '.join(twice) or 'From'}"
    return ""
