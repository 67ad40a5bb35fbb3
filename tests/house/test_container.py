"""Dockerfile and compose.yaml name only what is there. No container is started: there may be no Docker here."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ruamel.yaml import YAML

from vinculo.db import connect
from vinculo.project import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "compose.yaml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if name != "postgres"}
#: Starts `prefect worker start` with the options it is given.
KEEPER = ["python", "-m", "vinculo.launch.worker"]
PINNED = re.compile(r"^[a-z]+:\d+\.\d+[\w.]*(-\w+)+$")


def _instructions() -> Iterator[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        yield word, rest.strip()


INSTRUCTIONS = list(_instructions())


def _argument(word: str) -> str:
    """The last one counts."""
    return [rest for found, rest in INSTRUCTIONS if found == word][-1]


def _commands(service: dict[str, Any]) -> list[list[str]]:
    """What a service runs, a shell's line taken apart."""
    command = service.get("command") or json.loads(_argument("CMD"))
    if command[:2] == ["sh", "-c"]:
        return [shlex.split(part) for part in command[2].split("&&")]
    return [command]


def test_every_image_is_pinned_to_a_version() -> None:
    images = [rest.split()[0] for word, rest in INSTRUCTIONS if word == "FROM"]
    assert [image for image in [*images, SERVICES["postgres"]["image"]] if not PINNED.match(image)] == []
    assert len(set(images)) == 1


def test_every_setting_of_the_database_is_one_that_it_has(postgres: str) -> None:
    given = [setting.partition("=")[0] for setting in SERVICES["postgres"]["command"][2::2]]
    engine = connect(postgres)
    with engine.connect() as db:
        known = set(db.scalars(sa.text("SELECT name FROM pg_settings")))
    engine.dispose()
    assert given
    assert set(given) <= known


def test_what_is_copied_is_there_and_reaches_the_builder() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for word, rest in INSTRUCTIONS:
        if word != "COPY" or "--from=" in rest:
            continue
        *sources, _ = [part for part in rest.split() if not part.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source
    assert not {"!secrets", "!var", "!tests", "!.git"} & set(ignored)


def test_what_is_installed_is_locked_with_hashes() -> None:
    installs = [
        part for word, rest in INSTRUCTIONS if word == "RUN" for part in rest.split("&&") if " install " in part
    ]
    pip = [part for part in installs if "pip" in part]
    assert len(pip) == 3
    assert all("--require-hashes" in part or "--no-index" in part for part in pip)


def test_it_runs_as_nobody_of_the_machine_under_an_init_that_hands_signals_on() -> None:
    assert int(_argument("USER")) >= 10_000
    assert json.loads(_argument("ENTRYPOINT"))[0].endswith("/tini")
    assert json.loads(_argument("CMD"))[0] != "sh"
    assert "read_only" in COMPOSE["x-image"]
    assert COMPOSE["x-image"]["cap_drop"] == ["ALL"]


def test_prefect_lays_its_ui_where_a_container_may_write() -> None:
    """Beside its own modules, as it does by default, it may not: the server comes up, without a UI."""
    one = SERVICES["prefect"]
    folder = Path(one["environment"]["PREFECT_SERVER_UI_STATIC_DIRECTORY"])
    assert any(folder.is_relative_to(volume.split(":")[1]) for volume in one["volumes"])


def test_no_secret_is_written_down() -> None:
    for name, service in SERVICES.items():
        for key, value in service["environment"].items():
            if re.search(r"PASSWORD|SECRET|AUTH|(DATABASE|SMTP)__URL|CONNECTION_URL", key):
                assert key.endswith("_FILE"), f"{name}: {key}"
                secret = str(value).removeprefix("/run/secrets/")
                assert secret in service["secrets"], f"{name}: {key}"
    used = {secret for service in SERVICES.values() for secret in service["secrets"]}
    assert used == COMPOSE["secrets"].keys()


def _variables(prefix: str) -> set[str]:
    named = {key for service in OURS.values() for key in service["environment"]}
    named |= {part.partition("=")[0] for word, rest in INSTRUCTIONS if word == "ENV" for part in rest.split()}
    return {key for key in named if key.startswith(prefix)}


def test_every_variable_of_ours_is_a_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    known = set(re.findall(r"`(VINCULO__\w+)`", page))
    for variable in _variables("VINCULO__"):
        assert variable.removesuffix("_FILE") in known, variable
    assert set(Settings.model_fields) >= {"prefect", "web", "database"}


def test_every_variable_of_prefects_is_a_setting_of_prefects() -> None:
    from prefect.settings import Settings as Theirs
    from prefect.settings.legacy import _get_settings_fields

    known, entry = _get_settings_fields(Theirs), (ROOT / "requirements" / "entrypoint.sh").read_text()
    for variable in _variables("PREFECT_"):
        assert variable.removesuffix("_FILE") in known, variable
        assert not variable.endswith("_FILE") or variable.removesuffix("_FILE") in entry


def test_every_command_is_there() -> None:
    from typer.main import get_command

    from vinculo.cli import app

    ours = get_command(app)
    for name, service in OURS.items():
        for command in _commands(service):
            if command[0] == "vinculo":
                found: Any = ours
                for word in command[1:]:
                    found = found.commands[word]
            elif command[:2] == ["python", "-m"]:
                assert find_spec(command[2]), name
            else:
                assert command[0] == "prefect", name


@pytest.mark.parametrize("words", [["worker", "start"], ["server", "start"]], ids=" ".join)
def test_every_option_for_prefect_is_one_of_prefects(words: list[str]) -> None:
    used = {
        option
        for service in OURS.values()
        for command in _commands(service)
        if command[1:3] == words or (command[:3] == KEEPER and words[0] == "worker")
        for option in command
        if option.startswith("--")
    }
    page = subprocess.run(
        [sys.executable, "-m", "prefect", *words, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert used
    assert [option for option in used if option not in page] == []


def test_ports_volumes_networks_and_services_that_are_named_are_there() -> None:
    for name, service in SERVICES.items():
        assert set(service.get("depends_on", {})) <= SERVICES.keys(), name
        assert set(service["networks"]) <= COMPOSE["networks"].keys(), name
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= COMPOSE["volumes"].keys(), name
        for given, condition in service.get("depends_on", {}).items():
            healthy = "healthcheck" in SERVICES[given]
            assert healthy or condition["condition"] == "service_completed_successfully", name
    port = str(OURS["web"]["environment"]["VINCULO__WEB__PORT"])
    assert OURS["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert _argument("EXPOSE") == port
    assert f":{port}/healthz" in _argument("HEALTHCHECK")
    door = OURS["listen"]["environment"]["VINCULO__LISTEN__SMTP"].rpartition(":")[2]
    assert OURS["listen"]["ports"] == [f"25:{door}"]
    api = OURS["worker"]["environment"]["PREFECT_API_URL"]
    assert api == OURS["worker"]["environment"]["VINCULO__PREFECT__API_URL"] == "http://prefect:4200/api"
    assert "4200" in OURS["prefect"]["command"]


def test_only_the_door_for_mail_is_open_to_the_world() -> None:
    ports = {port for service in SERVICES.values() for port in service.get("ports", [])}
    assert {port for port in ports if not port.startswith("127.0.0.1:")} == {"25:2525"}


def test_the_entrypoint_gives_prefect_its_passwords_and_becomes_the_command(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("admin:a b$c'd\n")
    done = subprocess.run(
        ["sh", str(ROOT / "requirements" / "entrypoint.sh"), "sh", "-c", 'echo "$$ $PREFECT_API_AUTH_STRING"; env'],
        env={"PATH": "/usr/bin:/bin", "PREFECT_API_AUTH_STRING_FILE": str(tmp_path / "auth")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split(" ", 1)[1].splitlines()[0] == "admin:a b$c'd"
    assert "PREFECT_API_AUTH_STRING_FILE" not in done.stdout


def test_secrets_are_made_once_and_are_all_that_compose_names(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    script = tmp_path / "requirements" / "secrets.sh"
    script.write_text((ROOT / "requirements" / "secrets.sh").read_text())
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert made.keys() == COMPOSE["secrets"].keys()
    assert made["postgres_password"].strip() in made["database_url"]
    assert made["prefect_database_password"].strip() in made["prefect_database_url"]
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    (tmp_path / "secrets" / "smtp_url").chmod(0o600)
    (tmp_path / "secrets" / "smtp_url").write_text("smtps://mail.example.com\n")
    subprocess.run(["sh", str(script)], check=True, capture_output=True)
    again = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert again == made | {"smtp_url": "smtps://mail.example.com\n"}
