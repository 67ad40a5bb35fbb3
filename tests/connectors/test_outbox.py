import json
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from connectors.outbox import Outbox
from vinculo.connector import SendError, Unavailable
from vinculo.model import Message
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


def message(key: str = "weekly/1", **fields: str) -> Message:
    return Message(key=key, channel=fields.pop("channel", "sms"), to="+5511987654321", text=fields.pop("text", "Olá"))


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="cannot make the folder"):
        Outbox(str(tmp_path / "file" / "outbox")).open()
    assert "cannot make the folder" in Outbox(str(tmp_path / "file" / "outbox")).check()[0]


def test_a_folder_that_went_away_is_unavailable_and_leaves_nothing(tmp_path: Path) -> None:
    outbox = Outbox(str(tmp_path / "outbox"))
    outbox.open()
    (tmp_path / "outbox").rmdir()
    with pytest.raises(Unavailable, match="cannot write"):
        outbox.send(message())


def test_a_name_is_taken_from_the_key_and_stays_in_the_folder(tmp_path: Path) -> None:
    outbox = Outbox(str(tmp_path / "outbox"))
    outbox.open()
    keys = ["weekly/1", "weekly-1", "../../up", "/etc/passwd", "ação", "x" * 500, ".", "\0"]
    for key in keys:
        outbox.send(message(key))
    assert len(list((tmp_path / "outbox").iterdir())) == len(keys)
    assert [path.name for path in tmp_path.iterdir()] == ["outbox"]


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(str(tmp_path))
    outbox.send(message(text="first"))

    def full(_: int) -> NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        outbox.send(message(text="second"))
    (kept,) = tmp_path.iterdir()
    assert json.loads(kept.read_text("utf-8"))["text"] == "first"
