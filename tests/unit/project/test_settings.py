"""vinculo.toml, the environment over it, secrets, and where each value came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from vinculo.errors import NotReady, ProjectError, UsageError
from vinculo.project import Settings, load, make_secret
from vinculo.testing.project import write_project


def settings(root: Path, **environ: str) -> Settings:
    return load(write_project(root), environ).settings


def problems(root: Path, **environ: str) -> str:
    with pytest.raises(ProjectError) as caught:
        settings(root, **environ)
    return str(caught.value)


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    found = settings(tmp_path, VINCULO__LIMITS__WORKERS="7", VINCULO__SMTP__URL="smtp://u:pw@mx:587")
    assert found.limits.workers == 7
    assert found.connector("email") == ("connectors.smtp:Smtp", {"url": "smtp://u:pw@mx:587"})


def test_a_variable_may_name_a_file_that_holds_the_value(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    assert settings(tmp_path, VINCULO__WEB__PASSWORD_FILE=str(secret)).web.password == "s3cret"
    assert "cannot be read" in problems(tmp_path, VINCULO__WEB__PASSWORD_FILE=str(tmp_path / "none"))


def test_origins_tell_line_variable_and_default_and_mask_secrets(tmp_path: Path) -> None:
    found = settings(tmp_path, VINCULO__SMTP__URL="smtp://u:pw@mx:587", VINCULO__WEB__PASSWORD="pw")
    rows = {row.key: row for row in found.origins()}
    assert rows["company.name"].origin == "vinculo.toml:2"
    assert rows["limits.batch"].origin == "default"
    assert (rows["smtp.url"].value, rows["smtp.url"].origin) == ("smtp://u:***@mx:587", "VINCULO__SMTP__URL")
    assert rows["web.password"].value == "***"
    assert "pw" not in {row.value for row in rows.values()}


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("VINCULO__DATBASE__URL", "x", "Did you mean `database`?"),
        ("VINCULO__DATABASE__URI", "x", "Did you mean `url`?"),
        ("VINCULO__LIMITS__WORKERS", "many", "must be a whole number"),
        ("VINCULO__LIMITS", "x", "no setting has this name"),
    ],
)
def test_a_wrong_variable_is_told_by_its_name(tmp_path: Path, variable: str, value: str, says: str) -> None:
    told = problems(tmp_path, **{variable: value})
    assert variable in told
    assert says in told


def test_a_secret_in_the_file_is_refused(tmp_path: Path) -> None:
    toml = 'secret_key = "x"\n' + (write_project(tmp_path) / "vinculo.toml").read_text()
    with pytest.raises(ProjectError, match=r"vinculo\.toml:1:1: a secret does not belong here"):
        load(write_project(tmp_path, **{"vinculo.toml": toml}), {})


def test_a_password_in_the_address_of_prefect_is_refused_and_not_repeated(tmp_path: Path) -> None:
    told = problems(tmp_path, VINCULO__PREFECT__API_URL="https://admin:s3cret@prefect.example/api")
    assert "`api_url` must have no password in it" in told
    assert "Set PREFECT_API_AUTH_STRING" in told
    assert "s3cret" not in told


def test_the_secret_is_asked_for_only_when_needed(tmp_path: Path) -> None:
    found = settings(tmp_path)
    with pytest.raises(NotReady, match="no secret key"):
        _ = found.secret_key
    path = make_secret(tmp_path)
    first = found.secret_key
    assert len(first) >= 40
    assert path.stat().st_mode & 0o777 == 0o600
    make_secret(tmp_path)
    assert found.secret_key == first
    assert settings(tmp_path, VINCULO__SECRET_KEY="from the environment").secret_key == "from the environment"


def test_a_relative_database_is_in_the_projects_folder(tmp_path: Path) -> None:
    assert settings(tmp_path).database.url == f"sqlite:///{tmp_path.as_posix()}/vinculo.db"
    url = "postgresql://user@host/name"
    assert settings(tmp_path, VINCULO__DATABASE__URL=url).database.url == url


def test_a_channel_without_connector_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="emial") as caught:
        settings(tmp_path).connector("emial")
    assert "`email`" in caught.value.remedy


SPEEDS = """
[limits.rates]
emial = "20/s"
[limits.domains]
"gmail" = "5/s"
"a.example b.example" = "1/s"
"a.example" = "2/s"
[limits.warm_up.fax]
from = 2026-12-01
first = 500
until = 100
"""


@pytest.mark.parametrize(
    ("place", "says"),
    [
        (":2:", "there is no channel `emial`. Did you mean `email`?"),
        (":4:", "`gmail` is no mail domain. Write it whole: `gmail.com`."),
        (":6:", "`a.example` has two rates. Take it out here, or out of `a.example b.example`."),
        (":7:", "`fax` is neither a channel nor a mail domain"),
        (":7:", "`until` 100 is below `first` 500"),
    ],
)
def test_a_rate_that_would_never_hold_is_told_with_its_line(tmp_path: Path, place: str, says: str) -> None:
    root = write_project(tmp_path)
    before = (root / "vinculo.toml").read_text()
    (root / "vinculo.toml").write_text(before + SPEEDS)
    line = before.count("\n") + 1 + int(place.strip(":"))
    with pytest.raises(ProjectError) as caught:
        load(root, {})
    assert any(one.line == line and says in f"{one.message}. {one.remedy}" for one in caught.value.problems), (
        caught.value
    )


def test_rates_of_the_environment_are_json(tmp_path: Path) -> None:
    found = settings(
        tmp_path, VINCULO__LIMITS__RATES='{"email": "20/s"}', VINCULO__LIMITS__DOMAINS='{"gmail.com": "5/s"}'
    )
    assert (set(found.limits.rates), set(found.limits.domains)) == ({"email"}, {"gmail.com"})
    assert "Write for example" in problems(tmp_path, VINCULO__LIMITS__RATES="20/s")


def test_a_zone_that_is_nearly_one_is_told_in_whole_sentences(tmp_path: Path) -> None:
    said = problems(tmp_path, VINCULO__COMPANY__TIMEZONE="America/Sao_Paolo")
    assert said.rstrip().endswith("Did you mean `America/Sao_Paulo`?")
