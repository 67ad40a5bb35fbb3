"""`make demo` in small: it shows what it promises, ends by itself with 0, and leaves nothing running."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import lay_project

pytestmark = pytest.mark.prefect


def _running(folder: Path) -> list[str]:
    """The processes whose environment names *folder*: what the demo started."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    lay_project(tmp_path / "shop")
    return tmp_path / "shop"


@pytest.mark.skipif(shutil.which("ps") is None and not Path("/proc").exists(), reason="needs /proc")
def test_the_demo_sends_asks_listens_shows_its_links_and_ends(shop: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vinculo", "demo", "--once", "--contacts", "150"],
        cwd=shop, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.findall(r"^([\w' ]+?) {2,}http://127\.0\.0\.1:\d+", done.stdout, re.MULTILINE) == [
        "Prefect UI",
        "calendar and plan",
        "outbox",
        "conversations",
        "the survey",
        "a contact's history",
    ]
    sent = re.search(r"│ sent +│ +([\d,]+) +│ +([\d,]+) +│", done.stdout)
    assert sent
    assert min(int(number) for number in sent.groups()) > 20
    asked = re.search(r"│ sent +(?:│ +[\d,]+ +){2}│ +([\d,]+) +│", done.stdout)
    assert asked
    assert int(asked[1]) > 2
    for row in ("answered the survey", "net promoter score", "conversations"):
        assert re.search(rf"│ {row} +│", done.stdout)
    assert "opened" in done.stderr
    assert _running(shop) == []
    with sqlite3.connect(shop / "var/demo/vinculo.db") as db:  # what a page shows of a contact: its points too
        assert db.execute("SELECT sum(points) FROM point").fetchone()[0] > 0


def test_the_demo_stopped_in_mid_start_leaves_nothing_running(shop: Path) -> None:
    notes = shop / "notes"
    with notes.open("w") as file:
        demo = subprocess.Popen(
            [sys.executable, "-m", "vinculo", "demo", "--contacts", "100"],
            cwd=shop,
            stderr=file,
            start_new_session=True,
        )
    while "Starting the Prefect server" not in notes.read_text():
        assert demo.poll() is None, notes.read_text()
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(60) == 130, notes.read_text()
    assert "goes on from there" not in notes.read_text()  # the next one begins anew
    assert "anew" in notes.read_text()
    assert _running(shop) == []
