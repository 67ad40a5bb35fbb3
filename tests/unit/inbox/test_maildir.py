"""A Maildir gives each new mail once, and keeps it new until it is kept elsewhere."""

from pathlib import Path

import pytest

from vinculo.errors import NotReady
from vinculo.inbox import poll_maildir


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    (tmp_path / "new" / "1.a").write_bytes(b"first")
    (tmp_path / "new" / "2.b").write_bytes(b"second")
    return tmp_path


def test_new_mail_is_handed_over_once_and_moved(maildir: Path) -> None:
    kept: list[tuple[bytes, str]] = []
    assert poll_maildir(maildir, lambda raw, source: kept.append((raw, source))) == 2
    assert poll_maildir(maildir, lambda raw, source: kept.append((raw, source))) == 0
    assert kept == [(b"first", "maildir"), (b"second", "maildir")]
    assert sorted(file.name for file in (maildir / "cur").iterdir()) == ["1.a:2,S", "2.b:2,S"]


def test_mail_that_could_not_be_kept_stays_new(maildir: Path) -> None:
    def handle(raw: bytes, source: str) -> None:
        if raw == b"second":
            raise OSError("away")

    with pytest.raises(OSError, match="away"):
        poll_maildir(maildir, handle)
    assert [file.name for file in (maildir / "new").iterdir()] == ["2.b"]


def test_a_link_out_of_the_folder_is_not_followed(maildir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (maildir / "new" / "0.link").symlink_to(secret)
    kept: list[bytes] = []
    poll_maildir(maildir, lambda raw, _: kept.append(raw))
    assert b"secret" not in kept


def test_a_folder_that_is_no_maildir_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="no Maildir"):
        poll_maildir(tmp_path / "nowhere", lambda *_: None)
