"""Whether bytes that came in name somebody's address, in whatever letters and encoding they were sent."""

from __future__ import annotations

import base64
import binascii
import html
import quopri
import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote_to_bytes

#: Encodings within encodings that are looked into: a mail in a JSON document, an encoded word in it.
_DEPTH = 2
#: Base64 (RFC 4648 §4 and §5), on one line or folded.
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{8,}(?:\r?\n[A-Za-z0-9+/_-]+)*")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_PRINTABLE = bytes([9, 10, 13, *range(32, 127)])
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])|\\/")
#: What makes another's address of what stands behind it, or before it. Only where it plainly begins after a sign that
#: no address has: the `n` of `\\n`, or a byte that was never text, is no part of one.
_BEGUN = re.compile(rb"[\s<>\"'()\[\],;:][a-z0-9_.+-]*[a-z1-9_.-]\Z")
_GOES_ON = re.compile(rb"(?:\.[a-z]{2,3}|[0-9]+)(?![a-z0-9])")
#: No part of an address before its @ is longer (RFC 5321 §4.5.3.1.1).
_LONGEST = 65


class Naming:
    """Knows *addresses* in what came in: in any case of letters, as plain text, quoted-printable, base64, percent,
    HTML or JSON escapes, and one within the other. A telephone number also without its plus, a mailbox also as a return
    path has it (`ana=example.com`). An address that is plainly a part of a longer one is another's.
    """

    def __init__(self, addresses: Collection[str]) -> None:
        self._wanted = [each.removeprefix("+").casefold().encode() for each in addresses if each.strip("+ ")]
        self._returned = [each.replace(b"@", b"=") for each in self._wanted if b"@" in each]
        #: So many letters of base64 hold the shortest of them: most words of a text are shorter, and need no reading.
        self._letters = min((len(each) for each in self._wanted), default=0) * 4 // 3

    def in_(self, raw: bytes) -> bool:
        """Tell whether one of the addresses stands in *raw*."""
        return bool(self._wanted) and self._within(raw, _DEPTH)

    def stands_in(self, plain: bytes) -> bool:
        """Tell whether one of the addresses stands in *plain* as it is."""
        plain = plain.lower()
        return any(_alone(each, plain) for each in self._wanted) or any(each in plain for each in self._returned)

    def _within(self, raw: bytes, depth: int) -> bool:
        if self.stands_in(raw):
            return True
        if not depth:
            return False
        pieces = [piece for run in self._runs(raw) for piece in _plain(run)]
        if self.stands_in(b"\n".join(pieces)):
            return True
        # A picture says nothing more, however it is read.
        texts = b"\n".join(piece for piece in pieces if _is_text(piece))
        return any(self._within(each, depth - 1) for each in (*_decoded(raw), texts) if each)

    def _runs(self, raw: bytes) -> Iterator[bytes]:
        return (run[0] for run in _BASE64.finditer(raw) if len(run[0]) >= self._letters)


def _alone(each: bytes, plain: bytes) -> bool:
    """Whether *each* stands somewhere in *plain* without being a part of a longer address."""
    at = plain.find(each)
    while at >= 0:
        end = at + len(each)
        if not (_BEGUN.search(plain[max(0, at - _LONGEST) : at]) or _GOES_ON.match(plain, end)):
            return True
        at = plain.find(each, end)
    return False


def _decoded(raw: bytes) -> Iterator[bytes]:
    """What *raw* may say, read as each of the encodings but base64; nothing where it has none of their marks."""
    if b"=" in raw:
        yield from _changed(raw, quopri.decodestring(raw))
    if b"%" in raw:
        yield from _changed(raw, unquote_to_bytes(raw))
    if b"\\" in raw:
        yield from _changed(raw, _ESCAPED.sub(lambda found: bytes([int(found[1] or b"2f", 16)]), raw))
    if b"&" in raw:
        yield from _changed(raw, html.unescape(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "replace"))


def _is_text(piece: bytes) -> bool:
    return len(piece.translate(None, _PRINTABLE)) * 4 < len(piece)


def _changed(raw: bytes, decoded: bytes) -> Iterator[bytes]:
    if decoded != raw:
        yield decoded


def _plain(run: bytes) -> list[bytes]:
    """Base64 read from each of its first four letters: what stands before it may look like a part of it."""
    letters = b"".join(run.split()).translate(_URL_SAFE)
    found = []
    for start in range(4):
        whole = letters[start:]
        try:
            found.append(base64.b64decode(whole[: len(whole) // 4 * 4] + _rest(whole)))
        except binascii.Error:
            continue
    return found


def _rest(letters: bytes) -> bytes:
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""
