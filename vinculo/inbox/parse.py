"""A MIME reader for mail from strangers: linear, bounded, and it takes whatever comes.

The standard library's parser needs 12 s for 1 MB of empty parts, 2 GB for a long Subject and all of the stack for some
From lines. This one keeps to what classifying needs: headers, parts, decoded text.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vinculo.model import storable

MAX_BYTES = 25 * 1024 * 1024
MAX_HEADER = 64 * 1024
MAX_HEADERS = 1000
MAX_PARTS = 100
MAX_DEPTH = 20
#: Seconds that one mail may take.
DEADLINE = 2.0
#: No reply or bounce needs more text than this; the rest of a longer one is not read.
_MAX_TEXT = 256 * 1024


class TooMuch(Exception):
    """A mail goes beyond a limit."""


@dataclass(slots=True)
class Budget:
    """What is left for one mail: parts and time."""

    parts: int = MAX_PARTS
    until: float = field(default_factory=lambda: time.monotonic() + DEADLINE)

    def spend(self, depth: int) -> None:
        """Take one part; raise `TooMuch` when there is none left."""
        self.parts -= 1
        if self.parts < 0:
            raise TooMuch(f"more than {MAX_PARTS} parts")
        if depth > MAX_DEPTH:
            raise TooMuch(f"parts within parts, deeper than {MAX_DEPTH}")
        self.check()

    def check(self) -> None:
        """Raise `TooMuch` when the time is up."""
        if time.monotonic() > self.until:
            raise TooMuch(f"longer than {DEADLINE:g} s")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail, or the mail itself. Header names are in lower case, values unfolded."""

    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    parts: tuple[Part, ...] = ()

    def get(self, name: str) -> str:
        """Return the first header *name*, decoded, or ""."""
        values = self.headers.get(name)
        return decode_words(values[0]) if values else ""

    def all(self, name: str) -> list[str]:
        """Return every header *name*, decoded."""
        return [decode_words(value) for value in self.headers.get(name, ())]

    @property
    def type(self) -> str:
        """The media type, in lower case; `text/plain` when none is given."""
        named = re.match(r"\s*([\w.+-]+/[\w.+-]+)", self.get("content-type"))
        return named[1].lower() if named else "text/plain"

    @property
    def text(self) -> str:
        """The body, decoded from transfer encoding and character set, with line feeds as line ends."""
        data = _transfer(self.body, self.get("content-transfer-encoding").strip().lower())[:_MAX_TEXT]
        return _charset(data, _parameter(self.get("content-type"), "charset"))

    def walk(self) -> Iterator[Part]:
        """Yield the part and all parts within."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def own(self) -> Iterator[Part]:
        """Yield the part and the parts within, but nothing of a message that came back or was forwarded in it."""
        yield self
        if not self.type.startswith(("message/", "text/")):
            for part in self.parts:
                yield from part.own()


def parse(raw: bytes) -> Part:
    """Read the mail *raw*. Raises `TooMuch`."""
    if len(raw) > MAX_BYTES:
        raise TooMuch(f"more than {MAX_BYTES // 1024 // 1024} MB")
    raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    if raw.startswith(b"From "):  # mbox
        raw = raw.partition(b"\n")[2]
    return _part(raw, Budget(), 0)


def _part(raw: bytes, budget: Budget, depth: int) -> Part:
    budget.spend(depth)
    headers, body = _split(raw)
    part = Part(headers, body)
    boundary = _parameter(part.get("content-type"), "boundary")
    if part.type.startswith("multipart/") and boundary:
        inner = [_part(each, budget, depth + 1) for each in _pieces(body, boundary.encode("utf-8", "replace"))]
        return Part(headers, body, tuple(inner))
    if part.type in ("message/rfc822", "text/rfc822-headers", "message/global", "message/rfc822-headers"):
        data = _transfer(body, part.get("content-transfer-encoding").strip().lower())
        return Part(headers, body, (_part(data.lstrip(b"\n"), budget, depth + 1),))
    return part


def _split(raw: bytes) -> tuple[dict[str, tuple[str, ...]], bytes]:
    """Split headers from body. What is no header ends the headers, as in mail where the blank line is missing."""
    headers: dict[str, list[str]] = {}
    last, at = "", 0
    while at < len(raw):
        end = raw.find(b"\n", at)
        end = len(raw) if end < 0 else end
        line = raw[at:end]
        if not line.strip():
            at = end + 1
            break
        name, colon, value = line.partition(b":")
        if line[:1] in b" \t" and last:
            headers[last][-1] += "\n" + _latin(line)
        elif colon and re.fullmatch(rb"[!-9;-~]{1,200}[ \t]*", name):
            last = name.strip().decode().lower()
            headers.setdefault(last, []).append(_latin(value))
        else:
            break
        at = end + 1
    return _bounded(headers), raw[at:]


def _bounded(headers: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    if sum(map(len, headers.values())) > MAX_HEADERS:
        raise TooMuch(f"more than {MAX_HEADERS} headers")
    if any(len(value) > MAX_HEADER for values in headers.values() for value in values):
        raise TooMuch(f"a header of more than {MAX_HEADER // 1024} KB")
    return {
        name: tuple(re.sub(r"\n[ \t]*", " ", value).strip() for value in values) for name, values in headers.items()
    }


def _latin(data: bytes) -> str:
    try:
        return storable(data.decode())
    except UnicodeDecodeError:
        return storable(data.decode("latin-1"))


def _pieces(body: bytes, boundary: bytes) -> list[bytes]:
    """Split a multipart body at its boundary lines (RFC 2046 §5.1.1); a missing last one is forgiven."""
    marks = re.finditer(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*$", body, re.MULTILINE)
    pieces: list[bytes] = []
    start = None
    for mark in marks:
        if start is not None:
            pieces.append(body[start : mark.start()].removesuffix(b"\n"))
            if len(pieces) > MAX_PARTS:
                raise TooMuch(f"more than {MAX_PARTS} parts")
        start = None if mark[1] else mark.end() + 1
    if start is not None and start < len(body):
        pieces.append(body[start:])
    return pieces


def _parameter(value: str, name: str) -> str:
    """Return a parameter of a Content-Type; RFC 2231 continuations are joined."""
    found = re.search(rf'[;\s]{name}\*?\s*=\s*(?:"([^"]*)"|([^\s;]+))', value, re.IGNORECASE)
    if found:
        return (found[1] if found[1] is not None else found[2]).strip()
    pieces = re.findall(rf'[;\s]{name}\*(\d+)\*?\s*=\s*(?:"([^"]*)"|([^\s;]+))', value, re.IGNORECASE)
    return "".join(quoted or bare for _, quoted, bare in sorted(pieces, key=lambda piece: int(piece[0][:4])))


_CODECS = re.compile(
    r"^(utf|us-?ascii|ascii|iso|latin|windows|cp|koi|big5|gb|euc|shift|sjis|mac|tis|hz)", re.IGNORECASE
)


def _charset(data: bytes, charset: str) -> str:
    if not _CODECS.match(charset):  # Python also has codecs that are no character sets, some of them quadratic
        charset = "utf-8"
    try:
        text = data.decode(charset)
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return storable(text.replace("\r\n", "\n").replace("\r", "\n"))


def _transfer(data: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return quopri.decodestring(data)
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        try:
            return base64.b64decode(letters[: len(letters) // 4 * 4] + _rest(letters))
        except binascii.Error:
            return data
    return data


def _rest(letters: bytes) -> bytes:
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


_WORD = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bq])\?([^?\s]*)\?=(?:\s+(?==\?))?", re.IGNORECASE)


def decode_words(value: str) -> str:
    """Decode encoded words (RFC 2047). The result may hold any character: it is for reading, not for headers."""
    return _WORD.sub(_word, value) if "=?" in value else value


def _word(found: re.Match[str]) -> str:
    data = found[3].encode("ascii", "replace")
    if found[2].lower() == "q":
        return _charset(quopri.decodestring(data, header=True), found[1])
    return _charset(_transfer(data, "base64"), found[1])
