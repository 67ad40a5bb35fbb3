"""A Maildir as a door: where the company's mail server puts what comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vinculo.errors import NotReady
from vinculo.inbox.parse import MAX_BYTES

#: Keeps one mail, durably, before it returns; raises when it cannot.
Handle = Callable[[bytes, str], None]


def poll_maildir(path: Path, handle: Handle) -> int:
    """Hand every new mail of the Maildir *path* to *handle*, then move it from `new` to `cur`; return how many.

    What *handle* raises goes through, and the mail stays new. A mail seen twice has the same event id.
    Raises `NotReady` when *path* is no Maildir.
    """
    new, seen = path / "new", path / "cur"
    if not (new.is_dir() and seen.is_dir()):
        raise NotReady(f"There is no Maildir at {path}", "It is a folder with `new`, `cur` and `tmp`.")
    count = 0
    for mail in sorted(each for each in new.iterdir() if each.is_file() and not each.is_symlink()):
        with mail.open("rb") as file:
            handle(file.read(MAX_BYTES + 1), "maildir")
        mail.rename(seen / f"{mail.name}:2,S")
        count += 1
    return count
