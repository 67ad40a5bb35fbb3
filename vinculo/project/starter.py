"""A project to begin with: the demo company's own folders, from the wheel's data or from the repository."""

from __future__ import annotations

import shutil
from pathlib import Path

from vinculo.errors import NotReady, UsageError
from vinculo.project.settings import make_secret

_PARTS = ("flows", "plan", "segments", "templates", "connectors", "prefect.yaml", "vinculo.toml")
_GITIGNORE = """\
# what this machine keeps for itself: secrets, databases, mail
var/
*.db
*.db-*
.venv/
__pycache__/
.prefect/
"""


def lay_starter(folder: Path) -> list[str]:
    """Lay a starter project in *folder*; return the names laid. Raises `UsageError` when something is there already."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "Name a folder that is empty or not there yet.")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "Name a folder that is empty or not there yet.")
    source = _source()
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PARTS:
        _copy(source / name, folder / name)
    (folder / ".gitignore").write_text(_GITIGNORE, encoding="utf-8")
    make_secret(folder)
    return [*_PARTS, ".gitignore", "var/secret.key"]


def _source() -> Path:
    """The wheel carries the folders in `vinculo/starter`; in the repository they stand beside the package."""
    package = Path(__file__).parents[1]
    for source in (package / "starter", package.parent):
        if (source / "vinculo.toml").is_file():
            return source
    raise NotReady("This installation has no starter project", "Install Vinculo again, from its wheel.")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copyfile(source, target)
