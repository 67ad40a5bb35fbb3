import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.outbox import Outbox
from vinculo.connector import SendError
from vinculo.testing.contract import ConnectorContract
from vinculo.testing.provider import Received
from vinculo.testing.smtp import read_mail


class Folder:
    """The far end of an outbox: what a person who looks into the folder finds."""

    fails_with: frozenset[type[SendError]] = frozenset()
    secrets: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def received(self) -> list[Received]:
        return [_read(path) for path in sorted(self.path.glob("*"))]

    def fail_next(self, decision: type[SendError]) -> NoReturn:
        raise LookupError(decision)

    def webhook(self, kind: str, key: str = "", address: str = "") -> NoReturn:
        raise LookupError(kind)


def _read(path: Path) -> Received:
    if path.suffix == ".eml":
        return read_mail(path.read_bytes())
    fields = json.loads(path.read_text("utf-8"))
    return Received(to=fields["to"], text=fields["text"], key=fields["key"])


class _Outbox(ConnectorContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path / "outbox")

    @pytest.fixture
    def make(self, provider: Folder) -> Callable[[], Outbox]:
        return lambda: Outbox(str(provider.path))


class TestOutboxOfMail(_Outbox):
    pass


class TestOutboxOfText(_Outbox):
    address = "+5511987654321"
    channel = "sms"
