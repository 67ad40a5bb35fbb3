"""Header values that can never become a second header.

Values are built from text, never parsed: Python 3.11's own `email` decodes an encoded word in a value and writes what
it finds, line ends included (CVE-2024-6923).
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache

#: RFC 5322 §2.1.1: a line should have at most 78 characters and must have at most 998.
_LINE = 78
#: RFC 2047 §2: an encoded word has at most 75 characters; 45 bytes are 60 characters of base64, and 12 around them.
_WORD_BYTES = 45
_LONGEST = 4_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
#: Ends a line somewhere: C0, DEL, C1, U+2028, U+2029; or is half of a pair.
_BREAK = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ENCODED_WORD = re.compile(r"=\?([^?\s]*)\?([bBqQ])\?([^?]*)\?=")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
#: What needs no second look: ASCII without anything that a reader could decode, quote or unfold.
_PLAIN = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~,.:;()<>@\[\]-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~,.:;()<>@\[\]-]+)*")
_PLAIN_NAME = re.compile(r"(?:[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*)?")
_PLAIN_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~.-]+@[A-Za-z0-9.-]+")
#: What an address may not hold outside quotes (RFC 5322 §3.2.3), and no quotes: we write none.
_MAILBOX = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[^\s<>()\[\]\\,;:\"@]+")


class HeaderError(ValueError):
    """A value cannot stand in a header."""


def safe_header(name: str, value: str) -> str:
    """Return *value* as it goes on the wire in header *name*: encoded if it must be, folded, ASCII.

    Raises `HeaderError` for what could become, or be decoded to, another line.
    """
    _check_name(name)
    if len(name) + 2 + len(value) <= _LINE and _PLAIN.fullmatch(value):
        return value
    check_value(name, value)
    if value.isascii() and "=?" not in value:
        return _fold(name, value.split(" "))
    return _fold(name, _encoded_words(value))


def mailbox(name: str, display: str, address: str) -> str:
    """Return `display <address>` as it goes on the wire in header *name*. Raises `HeaderError`."""
    plain = len(display) <= _LINE and _PLAIN_NAME.fullmatch(display) is not None
    shown = display if plain else " ".join(_words(name, display))
    if len(address) > _LINE or not _PLAIN_ADDRESS.fullmatch(address):
        check_address(address)
        address = ascii_domain(address)
    if not shown:
        return address
    line = f"{shown} <{address}>"
    if len(name) + 2 + len(line) <= _LINE:
        return line
    return _fold(name, [*(_phrase(display) if plain else _words(name, display)), f"<{address}>"])


@lru_cache(maxsize=4_096)  # the same people are written to again, and many have one name
def _words(name: str, display: str) -> tuple[str, ...]:
    """Return a *display* name as words (`_phrase`) for header *name*. Raises `HeaderError`."""
    check_value(name, display)
    return tuple(_phrase(display))


@lru_cache(maxsize=1_024)
def subject(value: str) -> str:
    """Return *value* as `safe_header` does in Subject. A campaign has one, or one for each given name."""
    return safe_header("Subject", value)


def check_address(address: str) -> None:
    """Raise `HeaderError` unless *address* is one address, fit for a header and an SMTP command."""
    check_value("address", address)
    if not _MAILBOX.fullmatch(address) or len(address) > 254:  # RFC 5321 §4.5.3.1.3
        raise HeaderError(f"{address[:80]!r} is not one e-mail address")


def ascii_domain(address: str) -> str:
    """Return *address* with its domain in ASCII (IDNA 2008), which every server understands."""
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return address
    import idna

    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        raise HeaderError(f"{domain!r} is not a domain name") from None


def domain_of(address: str) -> str:
    """Return the domain of *address* in ASCII."""
    return ascii_domain(address).rpartition("@")[2]


def check_value(name: str, value: str) -> None:
    """Raise `HeaderError` if *value*, or what it decodes to, holds a control or line-separating character."""
    if len(value) > _LONGEST:
        raise HeaderError(f"{name} has {len(value):,} characters; {_LONGEST:,} is the most")
    decoded = value
    for _ in range(4):  # a word may hold a word
        if _BREAK.search(decoded):
            raise HeaderError(f"{name} holds a control character or line end: {value[:80]!r}")
        if "=?" not in decoded:
            return
        previous, decoded = decoded, _ENCODED_WORD.sub(_decode_word, decoded)
        if decoded == previous:
            return
    raise HeaderError(f"{name} holds encoded words within encoded words: {value[:80]!r}")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise HeaderError(f"{name[:80]!r} is not a header's name")


def _decode_word(word: re.Match[str]) -> str:
    charset, encoding, text = word.groups()
    try:
        coded = text.encode("ascii", "replace")
        data = (
            base64.b64decode(coded + b"=" * (-len(coded) % 4))
            if encoding in "bB"
            else binascii.a2b_qp(coded, header=True)
        )
    except binascii.Error:
        return text
    try:
        return data.decode(charset.partition("*")[0], "replace")  # RFC 2231 §5: a language may follow
    # Codecs of domain names (idna, punycode) replace nothing, they fail.
    except (LookupError, UnicodeError):  # nobody knows what a reader makes of it: show every byte to the check
        return data.decode("latin-1")


def _phrase(display: str) -> list[str]:
    """Return a display name as words: atoms, a quoted string, or encoded words (RFC 5322 §3.4, RFC 2047 §5)."""
    if not display.isascii() or "=?" in display:
        return _encoded_words(display)
    if _ATOMS.fullmatch(display):
        return display.split(" ")
    quoted = display.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'.split(" ")


def _encoded_words(text: str) -> list[str]:
    """Split *text* into encoded words, no character cut in two (RFC 2047 §5)."""
    data, words, at = text.encode(), [], 0
    while True:
        end = at + _WORD_BYTES
        while end < len(data) and data[end] & 0xC0 == 0x80:  # within a character (RFC 3629 §3)
            end -= 1
        words.append(f"=?utf-8?b?{binascii.b2a_base64(data[at:end], newline=False).decode()}?=")
        if end >= len(data):
            return words
        at = end


def _fold(name: str, words: list[str]) -> str:
    """Join *words* with spaces, on a new line where the line would grow too long (RFC 5322 §2.2.3)."""
    lines, length = [words[0]], len(name) + 2 + len(words[0])
    for word in words[1:]:
        # A line of nothing but spaces is forbidden (RFC 5322 §3.2.2), so an empty word never starts one.
        if length + 1 + len(word) > _LINE and word.strip() and lines[-1].strip():
            lines.append(" " + word)
            length = 1 + len(word)
        else:
            lines[-1] += " " + word
            length += 1 + len(word)
    longest = max(map(len, lines))
    if longest + len(name) + 2 > 998:  # RFC 5322 §2.1.1
        raise HeaderError(f"{name} holds a word of {longest} characters; 900 is about the most")
    return "\r\n".join(lines)
