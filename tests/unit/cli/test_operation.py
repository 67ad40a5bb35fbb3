"""`db`, `plan` and `apply`, called as from a shell."""

from __future__ import annotations

import json
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.cli.conftest import ANSWERS, PASSWORD, Call, engine_of
from vinculo import history
from vinculo.db import HEAD
from vinculo.db.tables import fact
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.testing import store


# ── db ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_upgrade_makes_database_and_secret_once(call: Call, root: Path) -> None:
    code, out, _ = call("db", "upgrade")
    assert (code, "none → " + HEAD in out) == (0, True)
    secret = root / "var" / "secret.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    text = secret.read_text()
    assert len(text.strip()) >= 40
    code, out, _ = call("db", "upgrade")
    assert (code, "up to date" in out, secret.read_text()) == (0, True, text)


def test_upgrade_makes_no_secret_where_one_is_configured(
    call: Call, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret of the environment, long enough")
    assert call("db", "upgrade")[0] == 0
    assert not (root / "var" / "secret.key").exists()


def test_upgrade_copies_the_database_first(call: Call, root: Path) -> None:
    call("db", "upgrade")
    code, out, _ = call("db", "upgrade", "--backup", "--json")
    answer = json.loads(out)
    assert (code, answer["before"], answer["now"]) == (0, HEAD, HEAD)
    assert Path(answer["backup"]).parent == root / "data"
    assert Path(answer["backup"]).stat().st_size > 0


def test_current_says_the_revision_or_that_there_is_none(call: Call, root: Path) -> None:
    code, _, err = call("db", "current")
    assert (code, "vinculo db upgrade" in err) == (3, True)
    call("db", "upgrade")
    assert call("db", "current")[:2] == (0, f"{HEAD} (of {HEAD})\n")
    with engine_of(root).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    code, _, err = call("db", "current")
    assert (code, "0000" in err, "--backup" in err) == (3, True, True)


# ── plan ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.usefixtures("upgraded")
def test_plan_lists_what_would_go_out(call: Call, root: Path) -> None:
    with engine_of(root).begin() as connection:
        store.add_contact(connection, key="ana", email="ana@x.example", consent=["news"])
        store.add_contact(connection, key="bia", email="bia@x.example")
    code, out, _ = call("plan", "--days", "7", "--json")
    (row,) = [one for one in json.loads(out) if one["state"] == "upcoming"]
    assert (code, row["campaign"], row["segment"]) == (0, "weekly", 2)
    assert (row["reach"], row["left_out"]) == ({"email": 1}, {"no_consent": 1})
    code, out, _ = call("plan", "--days", "7")
    assert (code, "weekly" in out, "email 1" in out, "no consent 1" in out) == (0, True, True, True)


@pytest.mark.usefixtures("upgraded")
def test_plan_tells_of_a_broken_segment_and_exits_with_1(call: Call, root: Path) -> None:
    (root / "segments" / "everyone.sql").write_text("SELECT id FROM nothing\n")
    (root / "segments" / "everyone.yaml").unlink()
    code, out, err = call("plan", "--days", "7")
    assert (code, "cannot be worked out" in out, "nothing" in err, "Traceback" in err) == (1, True, True, False)


@pytest.mark.usefixtures("upgraded")
def test_an_empty_plan_says_so(call: Call, root: Path) -> None:
    (root / "plan" / "calendar" / "weekly.yaml").unlink()
    assert call("plan")[:2] == (0, "Nothing in the next 14 days.\n")


# ── apply ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_apply_runs_the_flow_as_a_process_and_passes_its_answer_on(call: Call, root: Path, prefect: int) -> None:
    (root / "flows").mkdir()
    (root / "flows" / "__init__.py").touch()
    script = "import os, sys\nprint(sys.argv[1:], os.getcwd(), os.environ['PREFECT_API_URL'])\nsys.exit(3)\n"
    (root / "flows" / "apply.py").write_text(script)
    before = set(sys.modules)
    code, out, _ = call("apply", "--dry-run", "--json")
    assert (code, out) == (3, f"['--dry-run', '--json'] {root} http://127.0.0.1:{prefect}/api\n")
    assert "prefect" not in {name.split(".")[0] for name in set(sys.modules) - before}


def test_apply_gives_prefect_its_password_where_only_a_file_is_named(
    call: Call, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that somebody enters: its entrypoint, which reads the file for Prefect, was not gone through."""
    (root / "flows").mkdir()
    (root / "flows" / "__init__.py").touch()
    (root / "flows" / "apply.py").write_text("import os\nprint(os.environ['PREFECT_API_AUTH_STRING'])\n")
    (root / "auth").write_text("admin:se:cret\n")
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING_FILE", str(root / "auth"))
    assert call("apply")[:2] == (0, "admin:se:cret\n")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING_FILE", str(root / "absent"))
    code, _, err = call("apply")
    assert (code, "PREFECT_API_AUTH_STRING_FILE" in err) == (3, True)


@pytest.mark.usefixtures("upgraded")
def test_whoever_enters_a_container_has_prefect_s_password_too(
    call: Call, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """`docker compose exec web vinculo doctor` does not go through the entrypoint, which reads the file for Prefect."""
    monkeypatch.setitem(ANSWERS, PASSWORD, "admin:se:cret")
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING_FILE", str(root / "prefect_auth"))
    code, out, _ = call("doctor", "--json")
    assert (code, "PREFECT_API_AUTH_STRING_FILE" in _prefect(out)["remedy"]) == (3, True)
    (root / "prefect_auth").write_text("admin:se:cret\n")
    code, out, _ = call("doctor", "--json")
    assert (code, _prefect(out)["level"]) == (0, "ok")


def _prefect(out: str) -> dict[str, str]:
    return next(one for one in json.loads(out)["checks"] if one["check"] == "Prefect")


def test_apply_without_flows_says_where_they_come_from(call: Call) -> None:
    code, _, err = call("apply")
    assert (code, "flows/apply.py" in err, "vinculo init" in err) == (2, True, True)


def test_facts_are_compared_with_the_history_and_mended(call: Call, root: Path) -> None:
    call("db", "upgrade")
    engine = engine_of(root)
    with engine.begin() as db:
        who = store.add_contact(db, key="ana", email="ana@example.org")
        history.record(db, [Interaction(who, datetime(2026, 11, 1, tzinfo=UTC), Direction.IN, "purchased")])
    code, out, _ = call("db", "facts", "--json")
    assert (code, json.loads(out)["facts"], json.loads(out)["wrong"]) == (0, 1, 0)
    with engine.begin() as db:
        db.execute(sa.delete(fact))
    code, _, err = call("db", "facts")
    assert (code, "--rebuild" in err) == (1, True)
    code, out, _ = call("db", "facts", "--rebuild", "--json")
    assert (code, json.loads(out)["wrong"], json.loads(out)["facts"]) == (0, 1, 1)
    assert json.loads(call("db", "facts", "--json")[1])["wrong"] == 0
    engine.dispose()
