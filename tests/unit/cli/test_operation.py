"""`db`, `doctor`, `plan` and `apply`, called as from a shell."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
import typer

from vinculo.cli import checkup, db, doctor, output, plan
from vinculo.db import HEAD, connect, upgrade
from vinculo.db.tables import occurrence
from vinculo.project import make_secret
from vinculo.testing import store
from vinculo.testing.project import COMPANY, write_project

TOML = (
    COMPANY
    + """
[channels]
email = "connectors.outbox:Outbox"
sms = "connectors.outbox:Outbox"

[outbox]
folder = "outbox"

[database]
url = "sqlite:///data/vinculo.db"

[web]
password = "do not show this"
port = {web}

[prefect]
api_url = "http://127.0.0.1:{prefect}/api"
"""
)
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def prefect() -> Iterator[int]:
    """A server that answers like Prefect's health check; returns its port."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()
            self.wfile.write(b"true")

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def _unused_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


@pytest.fixture
def root(tmp_path: Path, prefect: int, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in os.environ if name.startswith("VINCULO__")]:
        monkeypatch.delenv(name)
    toml = TOML.format(web=prefect, prefect=prefect)
    return write_project(tmp_path, **{"vinculo.toml": toml})


@pytest.fixture
def call(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call the command line in the project; returns exit code, standard output, standard error."""
    app = typer.Typer(pretty_exceptions_enable=False)
    for room in (db, doctor, plan):
        room.register(app)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def _engine(root: Path) -> sa.Engine:
    return connect(f"sqlite:///{root / 'data' / 'vinculo.db'}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `vinculo db upgrade` makes, once for all tests: migrating takes its time."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    engine = _engine(folder)
    upgrade(engine)
    engine.dispose()
    make_secret(folder)
    return folder


@pytest.fixture
def upgraded(root: Path, made: Path) -> None:
    shutil.copytree(made, root, dirs_exist_ok=True)


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
    with _engine(root).begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    code, _, err = call("db", "current")
    assert (code, "0000" in err, "--backup" in err) == (3, True, True)


# ── doctor ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _checks(out: str) -> dict[str, tuple[str, str, str]]:
    return {one["check"]: (one["level"], one["message"], one["remedy"]) for one in json.loads(out)["checks"]}


@pytest.mark.usefixtures("upgraded")
def test_doctor_finds_a_healthy_installation_healthy(call: Call) -> None:
    code, out, _ = call("doctor", "--json")
    checks = _checks(out)
    assert {name for name, (level, _, _) in checks.items() if level != "ok"} <= {"disk"}
    assert {"secret key", "database", "clock", "disk", "Prefect", "channel email", "channel sms", "web"} == set(checks)
    assert code == 0


def test_doctor_shows_settings_with_their_origin_and_no_secret(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VINCULO__COMPANY__LANGUAGE", "es")
    _, out, _ = call("doctor", "--json")
    rows = {one["key"]: (one["value"], one["origin"]) for one in json.loads(out)["settings"]}
    assert rows["company.language"] == ("es", "VINCULO__COMPANY__LANGUAGE")
    assert rows["limits.workers"][1] == "default"
    assert rows["web.port"][1].startswith("vinculo.toml:")
    assert rows["web.password"][0] == "***"
    assert "do not show this" not in out + call("doctor")[1]


def test_doctor_says_what_is_missing_and_what_to_do(call: Call, root: Path) -> None:
    nobody = _unused_port()
    toml = TOML.format(web=nobody, prefect=nobody).replace('folder = "outbox"', 'folder = "vinculo.toml/outbox"')
    toml = toml.replace(
        "[prefect]", f'[listen]\n    smtp = "127.0.0.1:{nobody}"\n    lmtp = "nowhere"\n\n    [prefect]'
    )
    write_project(root, **{"vinculo.toml": toml})
    code, out, _ = call("doctor", "--json")
    checks = _checks(out)
    assert code == 3
    levels = {name: level for name, (level, _, _) in checks.items()}
    assert levels.pop("disk") in ("ok", "warn")
    assert levels == {
        "secret key": "fail",
        "database": "fail",
        "Prefect": "fail",
        "channel email": "fail",
        "channel sms": "fail",
        "web": "warn",
        "listen.smtp": "warn",
        "listen.lmtp": "fail",
    }
    assert all(remedy for level, _, remedy in checks.values() if level != "ok")
    assert "vinculo db upgrade" in checks["database"][2]
    assert "vinculo up" in checks["Prefect"][2]


def test_doctor_names_a_connector_that_is_not_there(call: Call, root: Path) -> None:
    toml = TOML.format(web=1, prefect=1).replace('sms = "connectors.outbox:Outbox"', 'sms = "connectors.pigeon:Loft"')
    write_project(root, **{"vinculo.toml": toml})
    code, out, _ = call("doctor", "--json")
    level, message, remedy = _checks(out)["channel sms"]
    assert (code, level, "connectors.pigeon" in message, "[channels] sms" in remedy) == (3, "fail", True, True)


@pytest.mark.usefixtures("upgraded")
def test_doctor_warns_of_a_key_that_others_can_read(call: Call, root: Path) -> None:
    (root / "var" / "secret.key").chmod(0o644)
    code, out, _ = call("doctor", "--json")
    assert (code, _checks(out)["secret key"][0]) == (0, "warn")


@pytest.mark.usefixtures("upgraded")
def test_doctor_sees_a_clock_that_was_set_back(call: Call, root: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    row = {"campaign": "c", "occurrence": "o", "state": "open", "definition": {}}
    with _engine(root).begin() as connection:
        connection.execute(sa.insert(occurrence).values(**row, due_at=tomorrow, planned_at=tomorrow))
    code, out, _ = call("doctor", "--json")
    assert (code, _checks(out)["clock"][0]) == (3, "fail")


def test_the_databases_clock_is_compared(postgres_engine: sa.Engine) -> None:
    def at(moment: datetime) -> str:
        rt = SimpleNamespace(engine=postgres_engine, now=lambda: moment, read=postgres_engine.connect)
        (finding,) = checkup._clock(rt)
        return finding.level

    assert at(datetime.now(UTC)) == "ok"
    assert at(datetime.now(UTC) + timedelta(minutes=1)) == "warn"


@pytest.mark.parametrize("open_", ['host = "0.0.0.0"', 'url = "https://mail.example"'])
def test_an_open_console_without_a_password_is_a_fault(call: Call, root: Path, open_: str) -> None:
    toml = TOML.format(web=_unused_port(), prefect=1).replace('password = "do not show this"', open_)
    write_project(root, **{"vinculo.toml": toml})
    _, out, _ = call("doctor")
    assert "VINCULO__WEB__PASSWORD" in out


def test_space_on_the_disk_is_judged() -> None:
    levels = [checkup._space(Path("/"), free).level for free in (2_000_000_000, 500_000_000, 50_000_000)]
    assert levels == ["ok", "warn", "fail"]


# ── plan ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.usefixtures("upgraded")
def test_plan_lists_what_would_go_out(call: Call, root: Path) -> None:
    with _engine(root).begin() as connection:
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


def test_apply_without_flows_says_where_they_come_from(call: Call) -> None:
    code, _, err = call("apply")
    assert (code, "flows/apply.py" in err, "vinculo init" in err) == (2, True, True)
