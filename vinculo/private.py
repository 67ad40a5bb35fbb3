"""Files and folders of which strangers on the machine read nothing: persons' data and secrets are in them.

Their owner alone may, and the group where the umask leaves it the right to write (002, 007): there several people
operate one project.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def make_file(path: Path) -> None:
    """Make an empty file; one that is there stays as it is."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660))
    except FileExistsError:
        return
    _close(path, 0o600)


def make_folder(path: Path) -> None:
    """Make a folder; one that is there stays as it is."""
    try:
        path.mkdir(mode=0o770)
    except FileExistsError:
        return
    _close(path, 0o700)


def _close(path: Path, mode: int) -> None:
    if not path.stat().st_mode & stat.S_IWGRP:
        path.chmod(mode)


def read_by_others(path: Path) -> bool:
    """Whether anybody on the machine may read what is there."""
    return bool(path.stat().st_mode & stat.S_IROTH)
