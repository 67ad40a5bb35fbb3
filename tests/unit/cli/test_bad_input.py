"""Whatever is typed wrong, missing, broken or full: one clear message with place and remedy, the documented exit code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo.cli import app, output
from vinculo.db import connect, engine, metadata
from vinculo.db.tables import delivery
from vinculo.testing import store
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink

ROOT = Path(__file__).parents[3]
PEOPLE = 8
Break = Callable[[Path], None]
Type = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A valid project with eight contacts who said yes to news; `c9` has no address."""
    root = write_project(tmp_path_factory.mktemp("laid"))
    database = connect(f"sqlite:///{root / 'vinculo.db'}")
    metadata.create_all(database)
    with database.begin() as db:
        for number in range(1, PEOPLE + 1):
            store.add_contact(db, key=f"c{number}", email=f"c{number}@example.com", consent=["news"])
        store.add_contact(db, key="c9")
    database.dispose()
    return root


@pytest.fixture
def root(laid: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, the working folder from now on."""
    shutil.copytree(laid, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(engine, "BUSY_TIMEOUT", 0.05)
    for name in [name for name in os.environ if name.startswith("VINCULO__")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("VINCULO__SECRET_KEY", "a secret for tests only")
    monkeypatch.setenv("VINCULO__SMTP__URL", f"smtp://127.0.0.1:{_closed_port()}")
    return tmp_path


@pytest.fixture
def type_in(root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    """Type a command; return exit code, answer and notes. A traceback would be an exception here."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vinculo", *words])
        code = output.guard(app)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def _closed_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _write(name: str, content: str | bytes) -> Break:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def _remove(name: str) -> Break:
    return lambda root: (root / name).unlink()


def _sql(statement: str) -> Break:
    def change(root: Path) -> None:
        with sqlite3.connect(root / "vinculo.db") as db:
            db.execute(statement)
        db.close()

    return change


def _nothing(_: Path) -> None: ...


_OLD = _sql("CREATE TABLE alembic_version AS SELECT '0000' AS version_num")
_NEW = _sql("CREATE TABLE alembic_version AS SELECT '9999' AS version_num")
_GARBAGE = _write("vinculo.db", b"no database at all, but long enough to look like one" * 50)
_WEEKLY = "plan/calendar/weekly.yaml"
_XLSX = _write("people.csv", b"PK\x03\x04\x14\x00\x06\x00 a workbook")

FILES = {
    "YAML that is none": (_write(_WEEKLY, "kind: [open\n"), ["check"], 2, f"{_WEEKLY}:2:1"),
    "an empty campaign": (_write(_WEEKLY, ""), ["check"], 2, "the file is empty"),
    "a wrong key": (_write(_WEEKLY, "knd: newsletter\n"), ["check"], 2, "`kind`"),
    "a file that is not UTF-8": (_write("segments/staff.yaml", b"who: \xff"), ["plan"], 2, "not UTF-8"),
    "a segment that is none": (
        _write("segments/staff.yaml", "who: {knd: staff}\n"),
        ["check"],
        2,
        "Did you mean `kind`",
    ),
    "a segment with bad SQL": (_write("segments/x.sql", "DELETE FROM contact"), ["check"], 2, "segments/x.sql"),
    "an unknown metric": (
        _write(
            "plan/objectives.yaml",
            "o: {description: d, metric: clik_rate, baseline: 1, target: 2, deadline: 2027-01-01}\n",
        ),
        ["check"],
        2,
        "`metric` cannot be `clik_rate`",
    ),
    "a broken template": (_write("templates/hello/sms.txt", "{% if %}"), ["check"], 2, "templates/hello/sms.txt:1"),
    "TOML that is none": (_write("vinculo.toml", "x = ["), ["run", "weekly"], 2, "vinculo.toml:1"),
    "no project": (_remove("vinculo.toml"), ["plan"], 2, "vinculo init"),
    "no policy": (_remove("plan/policy.yaml"), ["check"], 2, "plan/policy.yaml: the file is missing"),
}
DATABASE = {
    "no database": (_remove("vinculo.db"), ["plan"], 3, "vinculo db upgrade"),
    "an empty file": (_write("vinculo.db", ""), ["score"], 3, "vinculo db upgrade"),
    "an old database": (_OLD, ["contacts", "show", "c1"], 3, "vinculo db upgrade --backup"),
    "an unknown old database": (_OLD, ["db", "upgrade"], 3, "Restore a backup"),
    "a newer database": (_NEW, ["db", "upgrade"], 3, "newer Vinculo"),
    "a file of another kind": (_GARBAGE, ["plan"], 3, "file is not a database"),
    "upgrading a file of another kind": (_GARBAGE, ["db", "upgrade"], 3, "Restore a backup"),
    "copying a file of another kind": (_GARBAGE, ["db", "upgrade", "--backup"], 3, "Nothing was changed"),
}
_TEST = ["run", "weekly", "--to", "me@example.com", "--language"]
_EXPLAIN = ["segment", "explain", "staff", "--language"]
NAMES = {
    "an unknown command": (_nothing, ["frob"], 2, "No such command"),
    "an unknown option": (_nothing, ["plan", "--dys", "3"], 2, "No such option"),
    "no argument": (_nothing, ["segment", "count"], 2, "Missing argument"),
    "a number out of range": (_nothing, ["plan", "--days", "0"], 2, "--days"),
    "an unknown campaign": (_nothing, ["run", "weakly"], 2, "Did you mean `weekly`?"),
    "an unknown campaign to pause": (_nothing, ["pause", "weakly"], 2, "Did you mean `weekly`?"),
    "an unknown campaign to report": (_nothing, ["report", "weakly"], 2, "Did you mean `weekly`?"),
    "a campaign that never ran": (_nothing, ["report", "weekly"], 1, "has not run yet"),
    "an unknown segment": (_nothing, ["segment", "count", "stuff"], 2, "Did you mean `staff`?"),
    "an unknown template": (_nothing, ["preview", "helo"], 2, "Did you mean `hello`?"),
    "an unknown schema": (_nothing, ["schema", "campain"], 2, "Did you mean `campaign`?"),
    "an unknown contact": (_nothing, ["contacts", "show", "nobody"], 1, "There is no contact `nobody`"),
    "an id beyond all": (_nothing, ["contacts", "show", "#" + "9" * 30], 1, "There is no contact"),
    "a key that is not UTF-8": (_nothing, ["contacts", "show", "\udcff"], 2, "is not UTF-8"),
    "a contact merged with itself": (_nothing, ["contacts", "merge", "c1", "#1"], 2, "two different contacts"),
    "erasing without saying so": (_nothing, ["contacts", "erase", "c1"], 2, "--yes"),
    "a delivery that is not in doubt": (_nothing, ["resolve", "7", "--accepted"], 1, "Not in doubt: 7"),
    "a decision about nobody": (_nothing, ["resolve", "--accepted"], 2, "Give their ids, or --all"),
    "ids and all of them": (_nothing, ["resolve", "7", "--all", "--accepted"], 2, "either ids or --all"),
    "two decisions": (_nothing, ["resolve", "--accepted", "--resend"], 2, "Give one of"),
    "a time that is none": (_nothing, ["run", "weekly", "--at", "tomorrow"], 2, "2026-12-01T09:00"),
    "a time before time": (_nothing, ["run", "weekly", "--at", "0001-01-01"], 2, "from 1970 to 2200"),
    "a date that is none": (_nothing, ["score", "--at", "2026-02-31"], 2, "`2026-02-31` is no time"),
    "a test to no address": (_nothing, ["run", "weekly", "--to", "me"], 2, "no e-mail address"),
    "a preview in a language's name": (_nothing, ["preview", "hello", "--language", "português"], 2, "Write pt."),
    "a test in a language's name": (_nothing, [*_TEST, "pt", "--language", "alemão (Áustria)"], 2, "Write de-AT."),
    "a test in no language": (
        _nothing,
        [*_TEST, "xx"],
        2,
        "`xx` is no language's code\n  Write for example pt, pt-BR, en",
    ),
    "a segment in a language's name": (_nothing, [*_EXPLAIN, "inglés"], 2, "Write en."),
    "a segment in a language of others": (_nothing, [*_EXPLAIN, "fr-CA"], 2, "Write en, pt, es."),
    "a mail that is not there": (_nothing, ["classify", "nope.eml"], 2, "No such file"),
    "a folder for a mail": (_nothing, ["classify", "."], 2, "Is a directory"),
    "HTML that is not there": (_nothing, ["inline", "nope.html"], 2, "nope.html"),
    "a place that is not there": (_nothing, ["preview", "hello", "--out", "no/x.html"], 2, "a folder that is there"),
    "a full folder": (_nothing, ["init", "."], 2, "not empty"),
    "a folder nobody can make": (_nothing, ["init", "/proc/x"], 2, "/proc/x"),
}
ROWS = {
    "no such file": (_nothing, 2, "No such file"),
    "an empty file": (_write("people.csv", ""), 2, "has no rows"),
    "a workbook": (_XLSX, 2, "save it as CSV"),
    "bytes that are no text": (_write("people.csv", b"id,email\n\x00\xff\x00\n"), 2, "no text"),
    "no column says who": (_write("people.csv", "cor;peso\nazul;3\n"), 2, "--map"),
    "a delimiter nobody knows": (_write("people.csv", "id:email\n1:a@example.com\n"), 2, "`id:email`"),
    "two columns of one name": (_write("people.csv", "id,id\n1,2\n"), 2, "two columns"),
    "an open quote in the header": (_write("people.csv", '"id;email\n1;a@example.com\n'), 2, "people.csv:1"),
    "an open quote in a row": (
        _write("people.csv", 'id;email\n1;"a@example.com\n2;b@example.com\n'),
        2,
        "people.csv:2",
    ),
    "an impossible date": (_write("people.csv", "id,birthdate\n1,1980-02-31\n2,1980-02-28\n"), 1, "1 new, 1 wrong"),
    "a birth in the future": (_write("people.csv", "id,birthdate\n1,2999-01-01\n"), 1, "1 wrong"),
    "no e-mail address": (_write("people.csv", "id,email\n1,nonsense\n"), 1, "people.csv.errors.csv"),
    "too many values": (_write("people.csv", "id,email\n1,a@example.com,x\n"), 1, "1 wrong"),
    "Windows-1252": (_write("people.csv", "id;nome\n1;José\n".encode("cp1252")), 0, "Windows-1252"),
    "UTF-16": (_write("people.csv", "id\tnome\n1\tJosé\n".encode("utf-16")), 0, "1 new"),
    "bars": (_write("people.csv", "id|nome\n1|José\n"), 0, "CSV, bar"),
    "a header alone": (_write("people.csv", "id,email\n"), 0, "0 rows\n"),
}


def _table(cases: dict[str, tuple[Break, list[str], int, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("change", "words", "code", "said"), list(cases.values()), ids=list(cases))


@_table(FILES | DATABASE | NAMES)
def test_a_mistake_is_one_clear_message(
    root: Path, type_in: Type, change: Break, words: list[str], code: int, said: str
) -> None:
    change(root)
    found, answer, notes = type_in(*words)
    assert (found, answer) == (code, "")
    assert said in notes
    assert "Traceback" not in notes


SLIPS = {
    "segments/slip.yaml": "who: {knd: staff}\n",
    "segments/wrong.sql": "DELETE FROM contact",
    "plan/calendar/slip.yaml": "kind: newsleter\n",
    "plan/lifecycle.yaml": "stages: [\n",
    "templates/hello/sms.txt": "{% if contact.city %}Oi",
}


@pytest.mark.parametrize("words", [["count"], ["sample"], ["explain"], ["explain", "#1"]], ids=" ".join)
def test_a_slip_in_another_file_keeps_nobody_from_asking_a_segment(root: Path, type_in: Type, words: list[str]) -> None:
    for file, content in SLIPS.items():
        _write(file, content)(root)
    ask, *more = words
    found, answer, _ = type_in("segment", ask, "everyone", *more)
    assert (found, bool(answer)) == (0, True)
    for name, told in [
        ("slip", "segments/slip.yaml:1:7: there is no field `knd`"),
        ("wrong", "segments/wrong.sql:1:1"),
    ]:
        found, answer, notes = type_in("segment", ask, name, *more)
        assert (found, answer, told in notes, "calendar" in notes) == (2, "", True, False)


def test_a_segment_that_asks_for_a_wrong_one_is_told_what_is_wrong_in_it(root: Path, type_in: Type) -> None:
    _write("segments/below/slip.yaml", "who: {knd: staff}\n")(root)
    _write("segments/above.yaml", "who: {all: [{kind: lead}, {not: {segment: slip}}]}\n")(root)
    found, answer, notes = type_in("segment", "count", "above")
    assert (found, answer, "segments/below/slip.yaml:1:7: there is no field `knd`" in notes) == (2, "", True)
    assert type_in("segment", "count", "everyone")[0] == 0


def test_the_list_of_segments_tells_which_are_wrong(root: Path, type_in: Type) -> None:
    for file, content in SLIPS.items():
        _write(file, content)(root)
    found, answer, notes = type_in("segment", "list")
    assert (found, "everyone" in answer, "slip" in answer) == (0, True, False)
    assert "segments/slip.yaml, segments/wrong.sql" in notes


def test_a_campaign_in_a_folder_of_the_calendar_is_told_what_is_wrong_in_it(root: Path, type_in: Type) -> None:
    weekly = (root / _WEEKLY).read_text()
    _write("plan/calendar/2026/summer.yaml", weekly.replace("template: hello", "template: helo"))(root)
    found, answer, notes = type_in("run", "summer", "--dry-run")
    assert (found, answer, "plan/calendar/2026/summer.yaml:" in notes) == (2, "", True)


@pytest.mark.parametrize(("change", "code", "said"), list(ROWS.values()), ids=list(ROWS))
def test_a_wrong_file_of_contacts_says_what_is_wrong(
    root: Path, type_in: Type, change: Break, code: int, said: str
) -> None:
    change(root)
    found, answer, notes = type_in("contacts", "import", "people.csv")
    assert found == code
    assert said in answer + notes


def test_with_json_a_mistake_is_json(root: Path, type_in: Type) -> None:
    _write(_WEEKLY, "knd: newsletter\n")(root)
    code, answer, notes = type_in("check", "--json")
    problems = json.loads(notes)["problems"]
    assert (code, answer) == (2, "")
    assert {(one["file"], one["line"]) for one in problems} >= {(_WEEKLY, 1)}
    assert any(one["remedy"] for one in problems)


# ── what is not there ────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("words", [["score"], ["run", "weekly"], ["pause", "weekly"], ["db", "upgrade"]])
def test_a_locked_database_is_named(root: Path, type_in: Type, words: list[str]) -> None:
    holder = sqlite3.connect(root / "vinculo.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    code, _, notes = type_in(*words)
    holder.close()
    assert (code, "in use by another process" in notes) == (3, True)


def test_a_connector_that_cannot_be_loaded_is_named(root: Path, type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    toml = (root / "vinculo.toml").read_text()
    (root / "vinculo.toml").write_text(toml.replace("connectors.smtp:Smtp", "mine:Mine").replace("[smtp]", "[mine]"))
    (root / "mine.py").write_text("def (")
    monkeypatch.delenv("VINCULO__SMTP__URL")
    code, _, notes = type_in("run", "weekly")
    assert (code, "mine cannot be loaded: SyntaxError" in notes) == (2, True)


def test_a_server_that_does_not_answer_is_named(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://me:hidden@127.0.0.1:{_closed_port()}/x"
    monkeypatch.setenv("VINCULO__DATABASE__URL", url)
    for words in (["plan"], ["db", "upgrade"]):
        code, _, notes = type_in(*words)
        assert (code, "Is it running" in notes, "hidden" in notes) == (3, True, False)


@pytest.mark.parametrize(
    ("url", "said"),
    [("postgresql//me:hidden@x/y", "no database URL"), ("mysql://me:hidden@x/y", "not a database Vinculo knows")],
)
def test_a_database_url_of_another_kind_is_refused(
    type_in: Type, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__URL", url)
    code, _, notes = type_in("plan")
    assert (code, said in notes, "hidden" in notes) == (2, True, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
@pytest.mark.parametrize(
    "words", [["preview", "hello", "--out", "/dev/full"], ["inline", "p.html", "--out", "/dev/full"]]
)
def test_a_full_disk_is_named(root: Path, type_in: Type, words: list[str]) -> None:
    _write("p.html", "<p>Olá</p>")(root)
    code, _, notes = type_in(*words)
    assert (code, "Make room" in notes) == (3, True)


def test_a_port_in_use_is_named(type_in: Type, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        port = door.getsockname()[1]
        monkeypatch.setenv("VINCULO__PREFECT__API_URL", f"http://127.0.0.1:{port}/api")
        code, _, notes = type_in("up")
    assert (code, f"Port {port} is in use" in notes, "prefect.api_url" in notes) == (3, True, True)


def test_without_a_mail_server_nobody_is_lost(root: Path, type_in: Type) -> None:
    code, _, notes = type_in("run", "weekly")
    assert (code, "waits in the ledger" in notes) == (3, True)
    assert _states(root) == {"planned": PEOPLE, "skipped": 1}
    code, _, notes = type_in("run", "weekly", "--to", "me@example.com")
    assert (code, "refused" in notes) == (3, True)


def test_a_run_of_a_campaign_that_stands_still_says_who_lets_it_go_on(type_in: Type) -> None:
    type_in("pause", "weekly")
    code, answer, _ = type_in("run", "weekly")
    assert (code, "`vinculo resume weekly` lets it go on" in answer, "run it again" in answer) == (0, True, False)


def test_a_template_that_fails_for_one_contact_stops_no_other(root: Path, type_in: Type) -> None:
    _fail_for(root, "c3")
    with SmtpSink() as sink:
        os.environ["VINCULO__SMTP__URL"] = sink.url
        code, answer, _ = type_in("run", "weekly")
        assert (code, len(sink.received)) == (0, PEOPLE - 1)
    assert "render_error" in answer
    assert _states(root) == {"accepted": PEOPLE - 1, "skipped": 2}
    assert "email.html" in type_in("why", "c3", "weekly")[1]


def _fail_for(root: Path, key: str) -> None:
    path = root / "templates" / "hello" / "email.html"
    words = f'<p>Olá! {{% if contact.key == "{key}" %}}{{{{ 1 // 0 }}}}{{% endif %}}'
    path.write_text(path.read_text().replace("<p>Olá!", words))


def _states(root: Path) -> Counter[str]:
    database = connect(f"sqlite:///{root / 'vinculo.db'}")
    with database.connect() as db:
        found = Counter(dict(db.execute(sa.select(delivery.c.state, sa.func.count()).group_by("state")).tuples().all()))
    database.dispose()
    return found


# ── ended from outside ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def start(root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command as a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: str, **environ: str) -> subprocess.Popen[str]:
        one = subprocess.Popen(
            [sys.executable, "-m", "vinculo", *words],
            cwd=root,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(one)
        return one

    yield run
    for one in started:
        one.kill()
        one.communicate()


def test_two_runs_at_once_send_each_message_once(root: Path, start: Callable[..., subprocess.Popen[str]]) -> None:
    with SmtpSink() as sink:
        both = [start("run", "weekly", VINCULO__SMTP__URL=sink.url) for _ in range(2)]
        codes = [(one.communicate(timeout=60), one.returncode)[1] for one in both]
        assert codes == [0, 0]
        assert len(sink.received) == PEOPLE
    assert _states(root) == {"accepted": PEOPLE, "skipped": 1}


@pytest.mark.parametrize(("end", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_run_that_was_ended_goes_on_and_sends_nothing_twice(
    root: Path, start: Callable[..., subprocess.Popen[str]], type_in: Type, end: signal.Signals, code: int
) -> None:
    _slow_down(root)
    with SmtpSink() as sink:
        os.environ["VINCULO__SMTP__URL"] = f"{sink.url}?connections=1"
        one = start("run", "weekly")
        _wait_for(lambda: len(sink.received) >= 1)
        one.send_signal(end)
        notes = one.communicate(timeout=60)[1]
        assert one.returncode == code
        assert ("Stopped." in notes) == (end == signal.SIGINT)
        left = _states(root)
        if end == signal.SIGINT:  # the message in flight got its answer
            assert left["in_doubt"] == 0
        assert "Traceback" not in notes
        _sql("UPDATE delivery SET lease_until = 0 WHERE lease_until IS NOT NULL")(root)  # as if its lease were over
        assert type_in("run", "weekly")[0] == 0
        received = Counter(one.to for one in sink.received)
    found = _states(root)
    assert max(received.values()) == 1
    # One awaits its answer, one is behind it, one is marked next.
    assert found["in_doubt"] <= 3, (left, found, notes, _why(root))
    assert found["accepted"] + found["in_doubt"] == PEOPLE
    assert len(received) >= found["accepted"]


def _why(root: Path) -> list[tuple[object, ...]]:
    """What the rows in doubt say of themselves."""
    columns = "response, reason, attempts, crashes, worker"
    with connect(f"sqlite:///{root / 'vinculo.db'}").connect() as db:
        return [tuple(row) for row in db.execute(sa.text(f"SELECT {columns} FROM delivery WHERE state = 'in_doubt'"))]


def _slow_down(root: Path) -> None:
    """A message that takes a while to render, so that the run can be ended in its middle."""
    path = root / "templates" / "hello" / "email.html"
    work = "{% for i in range(700) %}{% for j in range(700) %}{% endfor %}{% endfor %}"
    path.write_text(path.read_text().replace("<p>Olá!", f"<p>Olá!{work}"))


def _wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_reader_that_leaves_early_ends_a_command_quietly(start: Callable[..., subprocess.Popen[str]]) -> None:
    for words in (["schema", "segment"], ["segment", "list"]):
        one = start(*words)
        assert one.stdout
        one.stdout.close()
        assert one.stderr
        assert (one.stderr.read(), one.wait(timeout=60)) == ("", 0)
