"""A `Message` → the bytes that go on the wire: multipart/alternative, lines that every server takes."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence

from vinculo.mail.header import HeaderError, ascii_domain, check_address, mailbox, safe_header
from vinculo.model import Message

#: RFC 5322 §2.1.1, without the line end.
LONGEST_LINE = 998
_FIELD = re.compile(rb"([!-9;-~]+): ")
_BOUNDARY = re.compile(rb'\r\nContent-Type: multipart/alternative; boundary="([^"]+)"')
_WIDE = b"\r\nContent-Transfer-Encoding: 8bit"
_NARROW = b"\r\nContent-Transfer-Encoding: quoted-printable"
_TOKEN = re.compile(r"<([a-z2-7]{40})@")


def compose(message: Message) -> bytes:
    """Return *message* as MIME with CRLF line ends, not dot-stuffed. The same message gives the same bytes.

    Text goes as it is (RFC 6152), as quoted-printable only where a line is too long. Raises `HeaderError` if a value
    could become another header.
    """
    head, body = head_and_body(message)
    return head + b"\r\n" + body


def head_and_body(message: Message) -> tuple[bytes, bytes]:
    """Return the headers of *message*, each line with its end, and what follows the empty line. As `compose`."""
    fields = [*envelope(message), *((name, safe_header(name, value)) for name, value in message.headers)]
    content, body = _body(message)
    return serialised([*fields, ("MIME-Version", "1.0"), *content]), body


def envelope(message: Message) -> list[tuple[str, str]]:
    """Return the headers that a message's own fields make."""
    fields = [
        ("From", mailbox("From", message.sender.name, message.sender.address)),
        ("To", mailbox("To", message.to_name, message.to)),
        ("Subject", safe_header("Subject", message.subject)),
    ]
    if message.reply_to:
        fields.append(("Reply-To", mailbox("Reply-To", "", message.reply_to)))
    if message.message_id:
        fields.append(("Message-ID", _message_id(message.message_id)))
    if message.return_path:
        check_address(message.return_path)
    return fields


def _message_id(value: str) -> str:
    check_address(value.strip("<>"))
    return f"<{ascii_domain(value.strip('<>'))}>"


def serialised(fields: Sequence[tuple[str, str]]) -> bytes:
    """Serialise *fields*, read them back, and refuse if the names are not exactly those that went in."""
    data = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
    found = []
    for line in data[:-2].split(b"\r\n"):
        if line[:1] == b" ":
            continue
        field = _FIELD.match(line)
        found.append(field[1].decode() if field else "")
    if found != [name for name, _ in fields] or not data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n"):
        raise HeaderError(f"The headers came out as {found}")
    return data


def _body(message: Message) -> tuple[list[tuple[str, str]], bytes]:
    """Return the headers of the content and the content: one text, or text and html, the better one last."""
    parts = [("plain", lines(message.text)), ("html", lines(message.html))][: 2 if message.html else 1]
    wide = any(plain(data) and not data.isascii() for _, data in parts)
    encoded = [(kind, *_encoded(data, wide=wide)) for kind, data in parts]
    if not message.html:
        return list(part_head("plain", encoded[0][1])), encoded[0][2]
    boundary = _boundary(message, encoded)
    whole = b"".join(part_start(boundary, kind, encoding).encode() + data for kind, encoding, data in encoded)
    return multipart_head(boundary, "8bit" if wide else "7bit"), whole + part_end(boundary).encode()


def _boundary(message: Message, parts: Sequence[tuple[str, str, bytes]]) -> str:
    """Return what stands between the parts. Our own Message-ID is a token that nobody knows beforehand."""
    token = _TOKEN.match(message.message_id)
    boundary = f"=_{token[1]}" if token else ""
    while not boundary or any(boundary.encode() in data for _, _, data in parts):
        digest = hashlib.sha256(f"{message.key} {message.message_id} {boundary}".encode("utf-8", "replace"))
        boundary = f"=_{digest.hexdigest()[:40]}"
    return boundary


def multipart_head(boundary: str, encoding: str) -> list[tuple[str, str]]:
    """Return the headers of a content of two parts; *encoding* is that of the widest (RFC 2045 §6.4)."""
    return [
        ("Content-Type", f'multipart/alternative; boundary="{boundary}"'),
        ("Content-Transfer-Encoding", encoding),
    ]


def part_head(kind: str, encoding: str) -> tuple[tuple[str, str], ...]:
    """Return the headers of a text."""
    return ("Content-Type", f'text/{kind}; charset="utf-8"'), ("Content-Transfer-Encoding", encoding)


def part_start(boundary: str, kind: str, encoding: str) -> str:
    """Return what stands before a part's content."""
    head = "".join(f"{name}: {value}\r\n" for name, value in part_head(kind, encoding))
    return f"--{boundary}\r\n{head}\r\n"


def part_end(boundary: str) -> str:
    """Return what stands after the last part."""
    return f"--{boundary}--\r\n"


def lines(text: str) -> bytes:
    """Return *text* in UTF-8 with CRLF at the end of every line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    return (text if text.endswith("\r\n") else text + "\r\n").encode("utf-8", "replace")


def dotted(data: bytes) -> bool:
    """Tell whether a line of *data*, which came from `lines`, begins with a dot: SMTP would double it."""
    return data.startswith(b".") or b"\n." in data


def plain(data: bytes) -> bool:
    """Tell whether *data*, which came from `lines`, may go as it is: no line too long, no NUL (RFC 2045 §2.8)."""
    return b"\0" not in data and max(map(len, data.split(b"\r\n"))) <= LONGEST_LINE


def _encoded(data: bytes, *, wide: bool) -> tuple[str, bytes]:
    """Return the name of an encoding, and *data* in it. *wide*: some part has more than ASCII."""
    if plain(data):
        return "8bit" if wide else "7bit", data
    return "quoted-printable", binascii.b2a_qp(data, istext=True)


def downgrade(mime: bytes) -> bytes:
    """Return what `compose` made in 7 bits, for a server without 8BITMIME (RFC 6152 §3): 8bit as quoted-printable."""
    head, _, body = mime.partition(b"\r\n\r\n")
    if _WIDE not in head:
        return mime
    boundary = _BOUNDARY.search(head)
    if boundary is None:
        return head.replace(_WIDE, _NARROW) + b"\r\n\r\n" + binascii.b2a_qp(body, istext=True)
    between = b"--" + boundary[1]
    parts = between.join(map(_narrowed, body.split(between)))
    return head.replace(_WIDE, _WIDE.replace(b"8bit", b"7bit")) + b"\r\n\r\n" + parts


def _narrowed(part: bytes) -> bytes:
    head, empty, data = part.partition(b"\r\n\r\n")
    return head.replace(_WIDE, _NARROW) + empty + binascii.b2a_qp(data, istext=True) if _WIDE in head else part
