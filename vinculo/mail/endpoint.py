"""A mail server's address as one URL: `smtp://user:password@host:587?timeout=30`."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from vinculo.errors import UsageError, did_you_mean
from vinculo.mail.verdict import SESSION, Phase

Security = Literal["offered", "required", "implicit"]
#: How many commands may wait for their answers: one; those of a message (RFC 2920); those of the next message too.
Pipeline = Literal["off", "on", "full"]
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("offered", 25),
    "smtp+starttls": ("required", 587),
    "smtps": ("implicit", 465),
}
_SESSION_SECONDS = 60.0
#: RFC 5321 §4.5.3.2.4 to .6: two minutes for DATA's answer, three for a piece of the content, ten for the dot's answer.
_SHARE = {Phase.DATA: 0.4, Phase.BODY: 0.6, Phase.ANSWER: 2.0}
_ESCAPE = "In a password write # as %23, / as %2F, ? as %3F, @ as %40, % as %25."
_EXAMPLE = "Write it as `smtp://user:password@host:587`, `smtp+starttls://…` or `smtps://…`."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to reach a mail server. *timeout*: seconds to wait for the answer to a command.

    The other waits follow from it in the proportion of RFC 5321 §4.5.3.2: see `patience`.
    """

    host: str
    port: int
    security: Security = "offered"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 300.0
    #: The name we greet with; empty: our address as a literal (RFC 5321 §4.1.4).
    helo: str = ""
    #: A file of certificates to trust beside nothing else; empty: those of the system.
    ca: str = ""
    #: At most so many connections at once.
    connections: int = 8
    #: After so many messages a connection is closed and another takes its place; 0: never.
    messages: int = 0
    pipeline: Pipeline = "on"
    #: A bearer token (OAuth 2.0) instead of a password.
    token: str = field(default="", repr=False)

    @classmethod
    def from_url(cls, url: str, *, token: str = "") -> Self:
        """Read *url* with the settings in its query. Raises `UsageError` that shows no password."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise UsageError(f"`{parts.scheme}` is no way to reach a mail server", _EXAMPLE)
        security, usual = _SCHEMES[parts.scheme]
        try:
            host, port = parts.hostname or "", parts.port or usual
        except ValueError:
            raise UsageError(
                "The port of the mail server is not a number below 65536", f"{_EXAMPLE} {_ESCAPE}"
            ) from None
        if parts.fragment or parts.path.strip("/"):  # else `user:12#34@host` would be port 12 of the host `user`
            raise UsageError("Something follows host and port in the mail server's URL", f"{_EXAMPLE} {_ESCAPE}")
        if not host:
            raise UsageError("The mail server's URL names no host", _EXAMPLE)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if token and not user:
            raise UsageError("A token signs in a user, and the mail server's URL names none", _EXAMPLE)
        return cls(host, port, security, user, password, token=token, **_options(parts.query))

    def patience(self, phase: Phase) -> float:
        """Return the seconds to wait in *phase*: RFC 5321 §4.5.3.2 where `timeout` is its five minutes.

        Before the first message nothing is at stake and the next attempt is cheap: nobody is waited for longer than
        a minute.
        """
        if phase in SESSION:
            return min(self.timeout, _SESSION_SECONDS)
        return self.timeout * _SHARE.get(phase, 1.0)

    @property
    def depth(self) -> int:
        """How many messages one connection may hold unanswered."""
        return 2 if self.pipeline == "full" else 1

    def context(self) -> ssl.SSLContext:
        """Return how to talk TLS: certificate and host name are always verified. Raises `UsageError`."""
        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            raise UsageError(f"Cannot read the certificates in {self.ca}: {error.strerror or error}") from None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine, where a password may travel without TLS."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


def _options(query: str) -> dict[str, Any]:
    given = {key: each[-1] for key, each in parse_qs(query, keep_blank_values=True).items()}
    for key in given.keys() - _READ.keys():
        raise UsageError(f"A mail server's URL has no setting `{key}`", did_you_mean(key, _READ))
    values = {}
    for key, text in given.items():
        read, wanted, example = _READ[key]
        try:
            values[key] = read(text)
        except ValueError:
            raise UsageError(f"`{key}={text}` is not {wanted}", f"Write e.g. `?{key}={example}`.") from None
    return values


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 3600:
        raise ValueError(text)
    return seconds


def _between(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not least <= int(text) <= most:
            raise ValueError(text)
        return int(text)

    return read


def _one_of(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in words:
            raise ValueError(text)
        return text

    return read


def _visible(text: str) -> str:
    if not re.fullmatch(r"[!-~]*", text):
        raise ValueError(text)
    return text


#: Each setting of the query: how it is read, what it must be, an example.
_READ: dict[str, tuple[Callable[[str], Any], str, str]] = {
    "timeout": (_seconds, "a number of seconds up to 3600", "30"),
    "helo": (_visible, "a name without a space or control character", "mail.example.com"),
    "ca": (str, "the name of a file", "certificates.pem"),
    "connections": (_between(1, 1000), "a number from 1 to 1000", "8"),
    "messages": (_between(0, 1_000_000), "a number from 0 to 1000000", "100"),
    "pipeline": (_one_of("off", "on", "full"), "one of off, on, full", "full"),
}
