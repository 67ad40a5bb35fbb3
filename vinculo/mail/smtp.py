"""An SMTP client that knows how far it came: every failure has the verdict of `vinculo.mail.verdict`.

`smtplib` raises the same exception for a server that died before the message was whole and for one that died after;
the first must be sent again, the second must not. So: plain sockets, one command at a time, the phase written down.
"""

from __future__ import annotations

import base64
import contextlib
import socket
from collections.abc import Mapping

from vinculo.connector import BadAddress, Receipt, Rejected, SendError, Unavailable
from vinculo.mail.endpoint import Endpoint
from vinculo.mail.envelope import envelope_address, needs_utf8, wire_content
from vinculo.mail.verdict import Phase, Reply, broken, goes_on, refused
from vinculo.mail.wire import Lost, Wire


class Client:
    """One connection to one server, used by one thread."""

    def __init__(self, endpoint: Endpoint | str) -> None:
        self.endpoint = Endpoint.from_url(endpoint) if isinstance(endpoint, str) else endpoint
        if self.endpoint.ca:
            self.endpoint.context()  # a file that is not there is told now, not at the first message
        self._wire: Wire | None = None
        self._offers: Mapping[str, str] = {}
        #: Whether this connection has carried a transaction: the server may have closed it since.
        self._used = False

    def __repr__(self) -> str:
        return f"Client({self.endpoint!r})"

    # ── the session ──────────────────────────────────────────────────────────────────────────────────────────────
    def open(self) -> None:
        """Connect, secure and sign in, unless that is done. Raises `Unavailable`."""
        if self._wire is not None:
            return
        try:
            self._connect()
            self._greet()
            self._secure()
            self._sign_in()
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """Say goodbye. What the server answers does not matter: every message has had its answer."""
        if self._wire is not None:
            with contextlib.suppress(Lost):
                self._wire.write(b"QUIT\r\n")
                self._wire.reply(min(self.endpoint.timeout, 5.0))
        self._drop()

    def _connect(self) -> None:
        where = self.endpoint
        try:
            plain = socket.create_connection((where.host, where.port), timeout=where.timeout)
        except OSError as error:
            raise broken(Phase.CONNECT, f"{where.host}:{where.port}: {error.strerror or error}") from error
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wire, self._used = Wire(plain), False
        if where.security == "implicit":
            self._encrypt()
        self._expect(Phase.CONNECT, self._answer(Phase.CONNECT))

    def _greet(self) -> None:
        """EHLO; HELO for a server that does not know it (RFC 5321 §3.2)."""
        name = self.endpoint.helo or self._open_wire().own_name()
        reply = self._ask(Phase.EHLO, f"EHLO {name}")
        if reply.code in {500, 501, 502, 504}:
            reply = self._ask(Phase.EHLO, f"HELO {name}")
        self._expect(Phase.EHLO, reply)
        words = (line.partition(" ") for line in reply.text.split("\n")[1:])
        self._offers = {keyword.upper(): rest.strip() for keyword, _, rest in words}

    def _secure(self) -> None:
        """STARTTLS when it is offered; a server that must offer it and does not is not spoken to (stripping)."""
        if self.endpoint.security == "implicit":
            return
        if "STARTTLS" not in self._offers:
            if self.endpoint.security == "required":
                raise broken(Phase.TLS, "the server offers no STARTTLS")
            return
        self._expect(Phase.TLS, self._ask(Phase.TLS, "STARTTLS"))
        self._encrypt()
        self._greet()

    def _encrypt(self) -> None:
        try:
            self._open_wire().encrypt(self.endpoint.context(), self.endpoint.host)
        except (OSError, Lost) as error:
            raise broken(Phase.TLS, str(error)) from error

    def _sign_in(self) -> None:
        where = self.endpoint
        if not where.user:
            return
        if not (where.local or self._open_wire().encrypted):
            raise broken(Phase.AUTH, "the password would travel without TLS; use smtps:// or smtp+starttls://")
        mechanisms = self._offers.get("AUTH", "").upper().split()
        if "PLAIN" in mechanisms:
            reply = self._ask(Phase.AUTH, "AUTH PLAIN " + _base64(f"\0{where.user}\0{where.password}"))
        elif "LOGIN" in mechanisms:
            reply = self._login(where.user, where.password)
        else:
            raise broken(Phase.AUTH, "the server offers neither AUTH PLAIN nor AUTH LOGIN")
        self._expect(Phase.AUTH, reply)

    def _login(self, user: str, password: str) -> Reply:
        reply = self._ask(Phase.AUTH, "AUTH LOGIN")
        for secret in (user, password):
            if reply.code != 334:
                break
            reply = self._ask(Phase.AUTH, _base64(secret))
        return reply

    # ── the message ──────────────────────────────────────────────────────────────────────────────────────────────
    def send(self, sender: str, recipient: str, content: bytes) -> Receipt:
        """Hand over one message to one recipient. Raises a `SendError`.

        *sender* may be empty (the null return path). *content* is the whole message, not dot-stuffed.
        """
        mail, rcpt = _checked(sender, Rejected), _checked(recipient, BadAddress)
        if self._wire is not None and self._wire.stale:
            self._drop()
        self.open()
        self._begin(mail, rcpt, content)
        self._step(Phase.RCPT, f"RCPT TO:<{rcpt}>")
        self._step(Phase.DATA, "DATA")
        try:
            self._open_wire().write(wire_content(content))
        except Lost as error:
            raise self._lost(Phase.BODY, error) from error
        reply = self._answer(Phase.ANSWER, 2 * self.endpoint.timeout)
        self._expect(Phase.ANSWER, reply)
        return Receipt(response=str(reply))

    def _begin(self, mail: str, rcpt: str, content: bytes) -> None:
        """MAIL. A used connection found closed has seen nothing of the message: once more on a new one."""
        used, self._used = self._used, True
        try:
            self._step(Phase.MAIL, self._mail(mail, rcpt, content))
        except SendError:
            if self._wire is not None or not used:
                raise
            self.open()
            self._used = True
            self._step(Phase.MAIL, self._mail(mail, rcpt, content))

    def _mail(self, mail: str, rcpt: str, content: bytes) -> str:
        """Return the MAIL command with what the content needs. Raises `Rejected` for what the server cannot carry."""
        wanted = [f"MAIL FROM:<{mail}>"]
        if "SIZE" in self._offers:
            limit = self._offers["SIZE"]
            if limit.isdigit() and 0 < int(limit) < len(content):
                raise Rejected(f"{len(content)} octets are more than the {limit} the server takes", status="5.3.4")
            wanted.append(f"SIZE={len(content)}")
        if not content.isascii():
            self._must_offer("8BITMIME", "the content is 8-bit and the server takes 7-bit only", "5.6.3")
            wanted.append("BODY=8BITMIME")
        if needs_utf8(mail + rcpt, content):
            self._must_offer("SMTPUTF8", "an address or header is not ASCII and the server takes only that", "5.6.7")
            wanted.append("SMTPUTF8")
        return " ".join(wanted)

    def _must_offer(self, extension: str, reason: str, status: str) -> None:
        if extension not in self._offers:
            raise Rejected(reason, status=status)

    # ── command and answer ───────────────────────────────────────────────────────────────────────────────────────
    def _step(self, phase: Phase, command: str) -> None:
        """One command of a transaction; a refusal ends the transaction and leaves the connection clean."""
        reply = self._ask(phase, command)
        try:
            self._expect(phase, reply)
        except SendError:
            self._reset()
            raise

    def _reset(self) -> None:
        if self._wire is None:
            return
        with contextlib.suppress(SendError):
            if self._ask(Phase.MAIL, "RSET").code == 250:
                return
        self._drop()

    def _ask(self, phase: Phase, command: str) -> Reply:
        wire = self._open_wire()
        if not wire.silent:
            raise self._lost(phase, Lost("the server talks out of turn"))
        try:
            wire.write(command.encode() + b"\r\n")
        except Lost as error:
            raise self._lost(phase, error) from error
        return self._answer(phase)

    def _answer(self, phase: Phase, timeout: float | None = None) -> Reply:
        try:
            return self._open_wire().reply(timeout or self.endpoint.timeout)
        except Lost as error:
            raise self._lost(phase, error) from error

    def _expect(self, phase: Phase, reply: Reply) -> None:
        """Raise the verdict of *reply* unless it lets us go on; hang up where the server does, or makes no sense."""
        if goes_on(phase, reply):
            return
        if reply.code == 421 or not 400 <= reply.code < 600:
            self._drop()
        raise refused(phase, reply)

    def _lost(self, phase: Phase, error: Lost) -> SendError:
        self._drop()
        return broken(phase, str(error))

    def _open_wire(self) -> Wire:
        if self._wire is None:
            raise Unavailable("the connection is closed", status="4.4.2")
        return self._wire

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None


def _checked(address: str, error: type[Rejected]) -> str:
    try:
        return envelope_address(address) if address or error is BadAddress else ""
    except ValueError as problem:
        raise error(str(problem), status="5.1.3" if error is BadAddress else "5.1.7") from None


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
