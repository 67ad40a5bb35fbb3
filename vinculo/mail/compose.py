"""A `Message` → the bytes that go on the wire: multipart/alternative, 7-bit, lines that every server takes."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Sequence

from vinculo.mail.header import HeaderError, ascii_domain, check_address, mailbox, safe_header
from vinculo.model import Message

_FIELD = re.compile(rb"([!-9;-~]+): ")


def compose(message: Message) -> bytes:
    """Return *message* as MIME with CRLF line ends, not dot-stuffed. The same message gives the same bytes.

    Raises `HeaderError` if a value could become another header.
    """
    fields = [*_envelope(message), *((name, safe_header(name, value)) for name, value in message.headers)]
    head, body = _body(message)
    data = _head([*fields, ("MIME-Version", "1.0"), *head])
    return data + b"\r\n" + body


def _envelope(message: Message) -> list[tuple[str, str]]:
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


def _head(fields: Sequence[tuple[str, str]]) -> bytes:
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
    if not message.html:
        return _part_head("plain"), _printable(message.text)
    # `=_` cannot occur in quoted-printable (RFC 2045 §6.7), so no text can hold the boundary.
    boundary = "=_" + hashlib.sha256(f"{message.key} {message.message_id}".encode()).hexdigest()[:24]
    parts = b""
    for kind, text in (("plain", message.text), ("html", message.html)):
        head = "".join(f"{name}: {value}\r\n" for name, value in _part_head(kind))
        parts += f"--{boundary}\r\n{head}\r\n".encode() + _printable(text)
    return [("Content-Type", f'multipart/alternative; boundary="{boundary}"')], parts + f"--{boundary}--\r\n".encode()


def _part_head(kind: str) -> list[tuple[str, str]]:
    return [
        ("Content-Type", f'text/{kind}; charset="utf-8"'),
        ("Content-Transfer-Encoding", "quoted-printable"),
    ]


def _printable(text: str) -> bytes:
    """Encode *text* as quoted-printable: lines of at most 76 bytes, CRLF only, ASCII only (RFC 2045 §6.7)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if not lines.endswith("\r\n"):
        lines += "\r\n"  # also tells b2a_qp which line ends to write
    return binascii.b2a_qp(lines.encode("utf-8", "replace"), istext=True)
