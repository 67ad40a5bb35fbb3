"""`doctor`, called as from a shell: what is not there, what must be mended, what to look at, and what to do."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.cli.conftest import ANSWERS, PASSWORD, TOML, Call, engine_of
from vinculo import ledger
from vinculo.cli.checkup import database, machine, sending
from vinculo.db.tables import delivery, occurrence, rate
from vinculo.runtime import open_runtime
from vinculo.signing import Signer
from vinculo.testing import store
from vinculo.testing.project import write_project


def _unused_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        return int(door.getsockname()[1])


def _checks(out: str) -> dict[str, tuple[str, str, str]]:
    return {one["check"]: (one["level"], one["message"], one["remedy"]) for one in json.loads(out)["checks"]}


@pytest.mark.usefixtures("upgraded")
def test_doctor_finds_a_healthy_installation_healthy(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ANSWERS["deployments/filter"]  # what others have tagged `calendar` is none of our schedules
    monkeypatch.setitem(ANSWERS, "deployments/filter", [*ours, ours[0] | {"name": "quarter", "tags": ["calendar"]}])
    code, out, _ = call("doctor", "--json")
    checks = _checks(out)
    # The company of the tests has a name for examples, and signs nothing.
    assert {name for name, (level, _, _) in checks.items() if level != "ok"} <= {"disk", "sender domain", "DKIM"}
    assert set(checks) >= {
        *("secret key", "database", "durability", "integrity", "clock", "time zones", "disk"),
        *("Prefect", "work pool", "schedules", "channel email", "channel sms", "sender domain", "DKIM", "web"),
    }
    assert code == 0
    assert f"{len(json.loads(out)['checks'])} checks: " in call("doctor")[1]


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
    assert (levels.pop("time zones"), levels.pop("plan")) == ("ok", "ok")
    assert levels == {
        "secret key": "fail",
        "database": "fail",
        "Prefect": "fail",
        "channel email": "fail",
        "channel sms": "fail",
        "sender domain": "warn",
        "DKIM": "warn",
        "web": "warn",
        "listen.smtp": "warn",
        "listen.lmtp": "fail",
    }
    assert all(remedy for level, _, remedy in checks.values() if level != "ok")
    assert "vinculo db upgrade" in checks["database"][2]
    assert "vinculo up" in checks["Prefect"][2]


@pytest.mark.usefixtures("upgraded")
def test_doctor_says_how_long_a_provider_that_dedupes_must_remember(call: Call, root: Path) -> None:
    campaign = root / "plan/calendar/weekly.yaml"
    campaign.write_text(campaign.read_text() + "expires: 30h\n")
    checks = _checks(call("doctor", "--json")[1])
    assert "sent again for up to 30 hours: the provider must know our keys for as long" in checks["channel email"][1]


def test_doctor_tells_of_a_wrong_file_and_looks_at_the_rest(call: Call, root: Path) -> None:
    (root / "segments/slip.yaml").write_text("who: [\n")
    found = _checks(call("doctor", "--json")[1])
    assert found["plan"][0] == "wrong"
    assert "segments/slip.yaml" in found["plan"][1]
    assert "secret key" in found


@pytest.mark.usefixtures("upgraded")
def test_the_schedule_of_a_campaign_whose_file_is_wrong_is_not_told_as_too_many(call: Call, root: Path) -> None:
    (root / "plan/calendar/weekly.yaml").write_text("kind: [\n")
    assert "schedules" not in _checks(call("doctor", "--json")[1])


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
def test_doctor_warns_of_a_database_that_anybody_can_read(call: Call, root: Path) -> None:
    file = root / "data" / "vinculo.db"
    assert _checks(call("doctor", "--json")[1])["privacy"][0] == "ok"
    file.chmod(0o644)
    code, out, _ = call("doctor", "--json")
    level, message, remedy = _checks(out)["privacy"]
    assert (code, level, str(file) in message) == (0, "warn", True)
    assert remedy.startswith(f"Run `chmod o= {file}")


@pytest.mark.usefixtures("upgraded")
def test_doctor_sees_that_the_key_is_not_the_one_that_addresses_are_hashed_with(
    call: Call, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore without it: who is suppressed, and comes by an import once more, would be written to."""
    old = (root / "var/secret.key").read_text().strip()
    engine = engine_of(root)
    with engine.begin() as db:
        store.add_contact(db, key="ana", email="ana@example.org", signer=Signer(old))
    engine.dispose()
    assert _checks(call("doctor", "--json")[1])["secret key"][0] == "ok"
    (root / "var/secret.key").write_text("another key, that nobody has hashed with")
    level, message, remedy = _checks(call("doctor", "--json")[1])["secret key"]
    assert (level, "not the one" in message, "VINCULO__SECRET_KEY_OLD" in remedy) == ("fail", True, True)
    monkeypatch.setenv("VINCULO__SECRET_KEY_OLD", old)
    assert _checks(call("doctor", "--json")[1])["secret key"][0] == "ok"


@pytest.mark.usefixtures("upgraded")
def test_doctor_sees_a_clock_that_was_set_back(call: Call, root: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    row = {"campaign": "c", "occurrence": "o", "state": "open", "definition": {}}
    with engine_of(root).begin() as connection:
        connection.execute(sa.insert(occurrence).values(**row, due_at=tomorrow, planned_at=tomorrow))
    code, out, _ = call("doctor", "--json")
    assert (code, _checks(out)["clock"][0]) == (3, "fail")


def test_the_databases_clock_is_compared(postgres_engine: sa.Engine) -> None:
    def at(moment: datetime) -> str:
        rt = SimpleNamespace(engine=postgres_engine, now=lambda: moment, read=postgres_engine.connect)
        (finding,) = machine.clock(rt)
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
    levels = [machine.space(Path("/"), free).level for free in (2_000_000_000, 500_000_000, 50_000_000)]
    assert levels == ["ok", "warn", "fail"]


# ── the database ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_commits_that_a_power_cut_takes_are_told(postgres_engine: sa.Engine) -> None:
    rt = SimpleNamespace(engine=postgres_engine, read=postgres_engine.connect)
    (finding,) = database.durable(rt)
    assert finding.level == ("warn" if _off(postgres_engine) else "ok")
    with postgres_engine.begin() as db:
        db.execute(sa.text("ALTER ROLE CURRENT_USER SET synchronous_commit = off"))
    postgres_engine.dispose()
    (finding,) = database.durable(rt)
    with postgres_engine.begin() as db:
        db.execute(sa.text("ALTER ROLE CURRENT_USER RESET synchronous_commit"))
    assert (finding.level, "synchronous_commit" in finding.message) == ("warn", True)


def _off(engine: sa.Engine) -> bool:
    with engine.connect() as db:
        return "off" in [db.scalar(sa.text(f"SHOW {name}")) for name in ("fsync", "synchronous_commit")]


@pytest.mark.usefixtures("upgraded")
def test_durability_process_is_told(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VINCULO__DATABASE__DURABILITY", "process")
    code, out, _ = call("doctor", "--json")
    assert (code, _checks(out)["durability"][0]) == (0, "warn")


@pytest.mark.usefixtures("upgraded")
def test_a_damaged_file_is_found(call: Call, root: Path) -> None:
    file = root / "data" / "vinculo.db"
    data = bytearray(file.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 8192] = b"\xff" * 8192
    file.write_bytes(data)
    code, out, _ = call("doctor", "--json")
    level, message, remedy = _checks(out)["integrity"]
    assert (code, level, "damaged" in message, "backup" in remedy) == (3, "fail", True, True)


def test_a_large_file_is_not_read_for_ever(upgraded: None, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOOK", -1.0)
    engine = engine_of(root)
    with engine.begin() as db:
        for number in range(3000):
            db.execute(sa.text("INSERT INTO link (url) VALUES (:url)"), {"url": f"https://shop.example/{number}" * 5})
    (finding,) = database.sound(SimpleNamespace(engine=engine))
    assert (finding.level, "the file is large" in finding.message) == ("ok", True)


# ── Prefect ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("path", "answer", "finding"),
    [
        ("admin/version", "3.1.0", ("Prefect", "warn", "is 3.1.0")),
        ("admin/version", None, ("Prefect", "fail", "words we do not know")),
        ("work_pools/vinculo", None, ("work pool", "fail", "no work pool")),
        ("work_pools/vinculo", {"is_paused": True}, ("work pool", "warn", "paused")),
        ("work_pools/vinculo", [], ("Prefect", "fail", "words we do not know")),
        ("work_pools/vinculo/workers/filter", [{"status": "OFFLINE"}], ("work pool", "fail", "no worker")),
        ("deployments/filter", [], ("schedules", "wrong", "weekly")),
        ("deployments/filter", ANSWERS["deployments/filter"][:1], ("schedules", "wrong", "`deliver`")),
    ],
)
@pytest.mark.usefixtures("upgraded")
def test_what_hangs_on_prefect_is_judged(
    call: Call, monkeypatch: pytest.MonkeyPatch, path: str, answer: object, finding: tuple[str, str, str]
) -> None:
    check, level, says = finding
    monkeypatch.setitem(ANSWERS, path, answer)
    code, out, _ = call("doctor", "--json")
    found = [each for each in json.loads(out)["checks"] if each["check"] == check and each["level"] != "ok"]
    assert any(each["level"] == level and says in each["message"] and each["remedy"] for each in found)
    assert code == {"fail": 3, "wrong": 1, "warn": 0}[level]


@pytest.mark.usefixtures("upgraded")
def test_a_server_with_a_password_is_given_the_one_that_prefect_s_client_has(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, PASSWORD, "admin:se:cret")
    for given, says in (("", "asks for a password"), ("admin:guess", "asks for another password")):
        monkeypatch.setenv("PREFECT_API_AUTH_STRING", given)
        code, out, _ = call("doctor", "--json")
        level, message, remedy = _checks(out)["Prefect"]
        assert (code, level, says in message, "PREFECT_API_AUTH_STRING" in remedy) == (3, "fail", True, True)
        assert "guess" not in out
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "admin:se:cret")
    code, out, _ = call("doctor", "--json")
    assert (code, _checks(out)["Prefect"][0], _checks(out)["schedules"][0]) == (0, "ok", "ok")


@pytest.mark.parametrize(
    "change",
    [
        {"name": "monthly"},
        {"paused": True},
        {"schedules": []},
        {"schedules": [{"active": False, "schedule": ANSWERS["deployments/filter"][0]["schedules"][0]["schedule"]}]},
        {"schedules": [{"active": True, "schedule": {"cron": "0 9 * * 2", "timezone": "America/Sao_Paulo"}}]},
    ],
)
@pytest.mark.usefixtures("upgraded")
def test_a_schedule_that_is_not_the_calendars_is_told(
    call: Call, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    weekly, deliver = ANSWERS["deployments/filter"]
    monkeypatch.setitem(ANSWERS, "deployments/filter", [weekly | change, deliver])
    code, out, _ = call("doctor", "--json")
    level, message, remedy = _checks(out)["schedules"]
    assert (code, level, "weekly" in message, "vinculo apply" in remedy) == (1, "wrong", True, True)


# ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_keys_that_sign_are_judged(call: Call, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VINCULO__DKIM__SELECTOR", "s1")
    file = root / "dkim.pem"
    toml = (root / "vinculo.toml").read_text()
    (root / "vinculo.toml").write_text(f'{toml}\n[dkim]\nkey_file = "dkim.pem"\n')

    def judged() -> tuple[str, str, str]:
        checks = _checks(call("doctor", "--json")[1])
        assert "DKIM" not in checks  # "we do not sign" would be wrong
        return checks["DKIM key"]

    level, message, remedy = judged()
    assert (level, "cannot be read" in message, "dkim.key_file" in remedy) == ("fail", True, True)
    file.write_text("nonsense")
    assert (judged()[0], "openssl" in judged()[2]) == ("fail", True)
    key = Ed25519PrivateKey.generate()
    file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    file.chmod(0o644)
    assert (judged()[0], "chmod" in judged()[2]) == ("warn", True)
    file.chmod(0o600)
    assert judged()[:2] == ("ok", "e-mail is signed with s1._domainkey.casaaurora.example")
    monkeypatch.setenv("VINCULO__DKIM__KEY_FILE", str(file))
    file.chmod(0o644)  # the file is no longer named by a setting of ours: whoever mounts it decides on its rights
    assert judged()[0] == "ok"
    assert "BEGIN" not in call("doctor")[1]


@pytest.mark.usefixtures("upgraded")
def test_the_sender_domains_records_are_asked_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SENDER", "BOUNCE", "REPLY"):
        monkeypatch.setenv(f"VINCULO__COMPANY__{name}_EMAIL", "shop@shop.net")

    def ask(name: str, kind: str) -> list[str]:
        return {"shop.net TXT": ["v=spf1 +all"], "shop.net A": ["192.0.2.1"]}.get(f"{name} {kind}", [])

    with open_runtime(root) as rt:
        found = {each.check: each.level for each in sending.sender_domain(rt, ask)}
    assert found == {"SPF": "wrong", "DMARC": "wrong", "DKIM": "warn", "MX": "warn", "alignment": "ok"}


@pytest.mark.usefixtures("upgraded")
def test_what_waits_for_a_person_is_told(call: Call, root: Path) -> None:
    now = datetime.now(UTC)
    signer = Signer((root / "var/secret.key").read_text().strip())
    rows = [("in_doubt", "d"), ("in_doubt", "e"), ("planned", "f"), ("planned", "g")]
    with engine_of(root).begin() as db:
        for campaign in ("weekly", "paused"):
            known = {"campaign": campaign, "occurrence": "o", "state": "open", "definition": {}}
            db.execute(sa.insert(occurrence).values(**known, due_at=now, planned_at=now))
        for number, (state, key) in enumerate(rows):
            store.add_contact(db, key=key, email=f"{key}@x.example", signer=signer)
            db.execute(
                sa.insert(delivery).values(
                    campaign="paused" if key == "g" else "weekly",
                    occurrence="o",
                    contact_id=number + 1,
                    channel="email",
                    address="a",
                    topic="service",
                    basis="service",
                    state=state,
                    submitted_at=now if state == "in_doubt" else None,
                    due_at=now - timedelta(hours=1),
                    expires_at=now + timedelta(hours=1),
                )
            )
        ledger.pause(db, "paused", now, "too many complaints")
        resting = {"name": "@gmail.example", "reason": "421 slow down", "until": now + timedelta(hours=1)}
        db.execute(sa.insert(rate).values(**resting, changed_at=now))
    code, out, _ = call("doctor", "--json")
    checks = _checks(out)
    assert code == 0
    assert "2 deliveries are in doubt" in checks["in doubt"][1]
    assert "vinculo resolve" in checks["in doubt"][2]
    assert "1 delivery has been due" in checks["overdue"][1]
    assert "too many complaints" in checks["paused"][1]
    assert "vinculo resume paused" in checks["paused"][2]
    assert "nothing leaves for gmail.example" in checks["resting"][1]
    assert "421 slow down" in checks["resting"][1]


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_old_rules_of_time_zones_are_told() -> None:
    def level(year: int) -> str:
        (finding,) = machine.zones(SimpleNamespace(now=lambda: datetime(year, 1, 1, tzinfo=UTC)))
        return finding.level

    assert (level(2026), level(2040)) == ("ok", "warn")


@pytest.mark.parametrize(
    ("file", "text"), [("tzdata.zi", "# version 2031c\nR A 1 2 3\n"), ("+VERSION", "2031c\n"), ("other", "x")]
)
def test_the_version_of_the_rules_is_read_where_systems_keep_it(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert machine._version_in(tmp_path) == ("" if file == "other" else "2031c")
