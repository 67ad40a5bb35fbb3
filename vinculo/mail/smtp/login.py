"""The opening of a session as a dialogue: greeting, EHLO, STARTTLS, signing in.

A dialogue is a generator. It yields (phase, line): the line is written, unless it is None, and the next reply is sent
in. It yields `ENCRYPT` to go on in TLS. It returns what the server offers, or raises a `SendError`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Generator

from vinculo.mail.endpoint import Endpoint
from vinculo.mail.smtp.offers import Offers
from vinculo.mail.smtp.wire import Wire
from vinculo.mail.verdict import Phase, Reply, broken, goes_on, refused

ENCRYPT = object()
Step = tuple[Phase, str | None] | object
Dialogue = Generator[Step, Reply, Offers]
_Sub = Generator[Step, Reply, None]
_Ask = Generator[Step, Reply, Reply]


def opening(endpoint: Endpoint, wire: Wire) -> Dialogue:
    """Lead a new connection to where the first message may go."""
    if endpoint.security == "implicit":
        yield ENCRYPT
    _expect(Phase.CONNECT, (yield Phase.CONNECT, None))
    offers = yield from _greet(endpoint, wire)
    if endpoint.security != "implicit" and offers.starttls:
        _expect(Phase.TLS, (yield Phase.TLS, "STARTTLS"))
        yield ENCRYPT
        offers = yield from _greet(endpoint, wire)  # what was offered in the clear is forgotten (RFC 3207 §4.2)
    elif endpoint.security == "required":  # a server that must offer it and does not is not spoken to (stripping)
        raise broken(Phase.TLS, "the server offers no STARTTLS")
    if endpoint.user:
        yield from _sign_in(endpoint, offers, encrypted=wire.encrypted)
    return offers


def _greet(endpoint: Endpoint, wire: Wire) -> Dialogue:
    """EHLO; HELO for a server that does not know it (RFC 5321 §3.2)."""
    name = endpoint.helo or wire.own_name
    reply = yield Phase.EHLO, f"EHLO {name}"
    if reply.code in {500, 501, 502, 504}:
        reply = yield Phase.EHLO, f"HELO {name}"
    _expect(Phase.EHLO, reply)
    return Offers.read(reply)


def _sign_in(endpoint: Endpoint, offers: Offers, *, encrypted: bool) -> _Sub:
    if not (endpoint.local or encrypted):
        raise broken(Phase.AUTH, "the password would travel without TLS; use smtps:// or smtp+starttls://")
    if endpoint.token:
        mechanism = "XOAUTH2"
    else:
        mechanism = next((each for each in ("PLAIN", "LOGIN") if each in offers.auth), "PLAIN or AUTH LOGIN")
    if mechanism not in offers.auth:
        raise broken(Phase.AUTH, f"the server offers no AUTH {mechanism}")
    _expect(Phase.AUTH, (yield from _MECHANISMS[mechanism](endpoint)))


def _plain(endpoint: Endpoint) -> _Ask:
    return (yield Phase.AUTH, "AUTH PLAIN " + _base64(f"\0{endpoint.user}\0{endpoint.password}"))


def _login(endpoint: Endpoint) -> _Ask:
    reply = yield Phase.AUTH, "AUTH LOGIN"
    for secret in (endpoint.user, endpoint.password):
        if reply.code != 334:
            break
        reply = yield Phase.AUTH, _base64(secret)
    return reply


def _xoauth2(endpoint: Endpoint) -> _Ask:
    """A refusal comes in two steps: 334 with the reason in base64, and 535 when we have answered it with nothing."""
    words = f"user={endpoint.user}\x01auth=Bearer {endpoint.token}\x01\x01"
    reply = yield Phase.AUTH, "AUTH XOAUTH2 " + _base64(words)
    if reply.code != 334:
        return reply
    last = yield Phase.AUTH, ""
    if goes_on(Phase.AUTH, last):
        raise broken(Phase.AUTH, "the server refused the token and then took it")
    return Reply(last.code, f"{last.text} {_unbase64(reply.text)}".strip())


_MECHANISMS = {"PLAIN": _plain, "LOGIN": _login, "XOAUTH2": _xoauth2}


def _expect(phase: Phase, reply: Reply) -> None:
    if not goes_on(phase, reply):
        raise refused(phase, reply)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unbase64(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("ascii", "replace")
    except binascii.Error:
        return ""
