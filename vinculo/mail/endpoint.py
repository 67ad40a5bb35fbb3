"""A mail server's address as one URL: `smtp://user:password@host:587?timeout=30`."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from vinculo.errors import UsageError, did_you_mean

Security = Literal["offered", "required", "implicit"]
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp": ("offered", 25),
    "smtp+starttls": ("required", 587),
    "smtps": ("implicit", 465),
}
_EXAMPLE = "Write it as `smtp://user:password@host:587`, `smtp+starttls://…` or `smtps://…`."


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how to reach a mail server. *timeout*: seconds to wait for each answer, twice that after the dot."""

    host: str
    port: int
    security: Security = "offered"
    user: str = ""
    password: str = field(default="", repr=False)
    timeout: float = 30.0
    #: The name we greet with; empty: our address as a literal (RFC 5321 §4.1.4).
    helo: str = ""
    #: A file of certificates to trust beside nothing else; empty: those of the system.
    ca: str = ""

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read *url*; the query may hold `timeout`, `helo` and `ca`. Raises `UsageError` that shows no password."""
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES:
            raise UsageError(f"`{parts.scheme}` is no way to reach a mail server", _EXAMPLE)
        security, usual = _SCHEMES[parts.scheme]
        try:
            host, port = parts.hostname or "", parts.port or usual
        except ValueError:
            raise UsageError("The port of the mail server is not a number below 65536", _EXAMPLE) from None
        if not host:
            raise UsageError("The mail server's URL names no host", _EXAMPLE)
        more = _query(parts.query)
        if not re.fullmatch(r"[!-~]*", more.get("helo", "")):
            raise UsageError("The name to greet with holds a space or control character", "Write e.g. `?helo=name`.")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        return cls(host, port, security, user, password, _seconds(more), more.get("helo", ""), more.get("ca", ""))

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


def _query(text: str) -> dict[str, str]:
    known = {"timeout", "helo", "ca"}
    values = {key: each[-1] for key, each in parse_qs(text, keep_blank_values=True).items()}
    for key in values.keys() - known:
        raise UsageError(f"A mail server's URL has no setting `{key}`", did_you_mean(key, known))
    return values


def _seconds(more: dict[str, str]) -> float:
    try:
        seconds = float(more.get("timeout", "30"))
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        raise UsageError(f"`timeout={more['timeout']}` is no number of seconds up to 3600", "Write e.g. `?timeout=30`.")
    return seconds
