"""A folder instead of a provider: each message becomes a file. For trying out, demonstrations and tests.

    [channels]
    email = "connectors.outbox:Outbox"

    [outbox]
    folder = "outbox"

E-mail is written as .eml, which every mail program opens; what has no MIME form as .json. A file is whole or absent,
also after a crash, and the same message is never in the folder twice: its name comes from the message's key.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from vinculo.connector import BadAddress, Capabilities, Connector, Receipt, Rejected, Unavailable
from vinculo.mail import HeaderError, compose
from vinculo.model import Message


class Outbox(Connector):
    """Writes messages to a folder."""

    channels = frozenset({"email", "sms", "whatsapp"})
    can = Capabilities(html=True, subject=True, idempotent=True)

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(f"cannot make the folder {self._folder}: {error.strerror}") from error

    def send(self, message: Message) -> Receipt:
        content = _eml(message) if message.channel == "email" else _json(message)
        name = _name(message.key) + (".eml" if message.channel == "email" else ".json")
        try:
            _write(self._folder / name, content)
        except OSError as error:
            raise Unavailable(f"cannot write to {self._folder}: {error.strerror}") from error
        return Receipt(provider_id=name)


def _eml(message: Message) -> bytes:
    try:
        return message.mime or compose(message)
    except HeaderError as error:
        raise Rejected(str(error)) from None


def _json(message: Message) -> bytes:
    if not message.to.isprintable():
        raise BadAddress("the address holds a control character")
    fields = {"key": message.key, "channel": message.channel, "to": message.to, "text": message.text}
    return json.dumps(fields, ensure_ascii=False, indent=2).encode()


def _name(key: str) -> str:
    """Return a file name that a person recognises and that no other key has."""
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', key)[:80].strip('-')}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _write(path: Path, content: bytes) -> None:
    """Write *content* whole or not at all: a temporary file on the disk, then its name (rename is atomic)."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
