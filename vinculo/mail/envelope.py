"""What may stand on the wire of SMTP: addresses without a way out, content without bare line ends."""

from __future__ import annotations

import re
import unicodedata

from vinculo.mail.header import ascii_domain

_BARE = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"^\.", re.MULTILINE)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]+"
_LOCAL = re.compile(rf'(?:{_ATOM}(?:\.{_ATOM})*|"(?:[^"\\]|\\.)*")')
_LABEL = r"[A-Za-z0-9\u00a1-\U0010ffff](?:[A-Za-z0-9\u00a1-\U0010ffff-]*[A-Za-z0-9\u00a1-\U0010ffff])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[A-Za-z0-9:.]+\])")
#: RFC 5321 §4.5.3.1.3: 256 octets with the angle brackets.
_LONGEST = 254


def envelope_address(address: str) -> str:
    """Return *address* as MAIL and RCPT carry it, its domain in ASCII (IDNA). Raises `ValueError`.

    Control characters, line ends and everything outside the grammar of RFC 5321 §4.1.2 and RFC 6531 §3.3 are refused:
    an address must not be able to become a command.
    """
    local, at, domain = address.rpartition("@")
    if any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in address):
        raise ValueError("the address holds a control character")
    if not at or not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain):
        raise ValueError("this is not an e-mail address")
    whole = ascii_domain(address)
    if len(whole.encode()) > _LONGEST:
        raise ValueError(f"the address is longer than {_LONGEST} octets")
    return whole


def wire_content(data: bytes) -> bytes:
    """Return *data* as it follows DATA: lines end in CRLF, leading dots are doubled (RFC 5321 §4.5.2)."""
    lines = _BARE.sub(b"\r\n", data)
    if not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    return _DOT.sub(b"..", lines) + b".\r\n"


def needs_utf8(address: str, data: bytes) -> bool:
    """Tell whether a server must offer SMTPUTF8 (RFC 6531): in an address or a header there is more than ASCII."""
    head = re.split(rb"\r\n\r\n|\n\n", data, maxsplit=1)[0]
    return not (address.isascii() and head.isascii())
