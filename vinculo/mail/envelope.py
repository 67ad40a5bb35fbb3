"""What may stand on the wire of SMTP: addresses without a way out, content without bare line ends."""

from __future__ import annotations

import io
import ipaddress
import re
import unicodedata

from vinculo.mail.header import ascii_domain

_BARE = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"^\.", re.MULTILINE)
#: Nearly every address there is: too short to break a limit, and nothing about it needs a second look.
_PLAIN = re.compile(
    r"(?=[^@]{1,64}@.{1,63}\Z)"
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9]+(?:\.|-+))*[A-Za-z0-9]+"
)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = re.compile(rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\[ -~])*")')
_LABEL = r"[A-Za-z0-9\u00a1-\U0010ffff](?:[A-Za-z0-9\u00a1-\U0010ffff-]*[A-Za-z0-9\u00a1-\U0010ffff])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[A-Za-z0-9:.]+\])")
#: RFC 5321 §4.5.3.1: 256 octets with the angle brackets, 64 before the @; RFC 1035 §2.3.4: 63 between dots.
_LONGEST, _LONGEST_LOCAL, _LONGEST_LABEL = 254, 64, 63


def envelope_address(address: str) -> str:
    """Return *address* as MAIL and RCPT carry it, its domain in ASCII (IDNA). Raises `ValueError`.

    Control characters, line ends and everything outside the grammar of RFC 5321 §4.1.2 and RFC 6531 §3.3 are refused:
    an address must not be able to become a command.
    """
    if _PLAIN.fullmatch(address):
        return address
    local, at, domain = address.rpartition("@")
    if any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in address):
        raise ValueError("the address holds a control character")
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("this is not an e-mail address")
    whole = ascii_domain(address)
    if len(whole.encode()) > _LONGEST or len(local.encode()) > _LONGEST_LOCAL:
        raise ValueError(f"the address is longer than {_LONGEST} octets, or {_LONGEST_LOCAL} before the @")
    _check_domain(whole.rpartition("@")[2])
    return whole


def _check_domain(domain: str) -> None:
    """Raise `ValueError` for a label that is too long, or an address literal of no address (RFC 5321 §4.1.3)."""
    if domain.startswith("["):
        literal = domain[1:-1]
        if literal[:5].lower() == "ipv6:":
            ipaddress.IPv6Address(literal[5:])
        else:
            ipaddress.IPv4Address(literal)
    elif max(map(len, domain.split("."))) > _LONGEST_LABEL:
        raise ValueError(f"a part of the domain is longer than {_LONGEST_LABEL} octets")


def wire_content(data: bytes) -> bytes:
    """Return *data* as it follows DATA: lines end in CRLF, leading dots are doubled (RFC 5321 §4.5.2)."""
    # From the right: Python's search from the left takes more than twice as long for so few bytes.
    if _has_only_crlf(data) and data.rfind(b"\r\n.") < 0 and data.endswith(b"\r\n") and not data.startswith(b"."):
        return data + b".\r\n"
    lines = _BARE.sub(b"\r\n", data)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _DOT.sub(b"..", lines) + b".\r\n"


def needs_utf8(address: str, data: bytes) -> bool:
    """Tell whether a server must offer SMTPUTF8 (RFC 6531): in an address or a header there is more than ASCII."""
    if data.isascii() or not address.isascii():
        return not address.isascii()
    end = data.find(b"\r\n\r\n")
    head = data[: end if end >= 0 else len(data)]
    return not (head.isascii() or head.partition(b"\n\n")[0].isascii())


def _has_only_crlf(data: bytes) -> bool:
    """Tell whether *data* has no bare CR or LF. Python's own reader of line ends finds that out in one pass."""
    decoder = io.IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(data.decode("latin-1"), final=True)
    return decoder.newlines == "\r\n"
