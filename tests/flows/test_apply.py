"""`vinculo apply` makes Prefect equal to the calendar, and nothing drifts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.flows.conftest import House, lay_project
from vinculo.errors import NotReady
from vinculo.launch import Installation

pytestmark = pytest.mark.prefect


def _apply(house: House) -> dict[str, str]:
    return _apply_to(house.installation)


def _apply_to(installation: Installation) -> dict[str, str]:
    changes = json.loads(installation.command("flows.apply", "--json"))
    return {change["name"]: change["action"] for change in changes}


def _deployments(house: House) -> dict[str, dict]:
    answer = httpx.post(f"{house.installation.api.url}/deployments/filter", json={"limit": 100})
    return {one["name"]: one for one in answer.json()}


@pytest.fixture
def news_file(house: House) -> Iterator[Path]:
    path = house.root / "plan" / "calendar" / "weekly-news.yaml"
    before = path.read_text()
    yield path
    path.write_text(before)
    _apply(house)


def test_every_campaign_has_one_deployment_with_one_schedule_and_its_parameters(house: House) -> None:
    with house.runtime() as rt:
        campaigns = set(rt.project.campaigns)
    calendar = {name: one for name, one in _deployments(house).items() if "calendar" in one["tags"]}
    assert set(calendar) == campaigns
    for name, one in calendar.items():
        assert one["parameters"] == {"campaign": name}
        assert [schedule["slug"] for schedule in one["schedules"]] == ["main"]


def test_applying_twice_changes_nothing(house: House) -> None:
    assert set(_apply(house).values()) == {"keep"}


def test_a_campaign_that_changes_or_leaves_changes_or_leaves_prefect(house: House, news_file: Path) -> None:
    news_file.write_text(news_file.read_text().replace('at: "09:00"', 'at: "10:30"'))
    assert _apply(house)["weekly-news"] == "change"
    assert _apply(house)["weekly-news"] == "keep"
    news_file.rename(house.root / "weekly-news.away")
    assert _apply(house)["weekly-news"] == "remove"
    assert "weekly-news" not in _deployments(house)
    (house.root / "weekly-news.away").rename(news_file)
    assert _apply(house)["weekly-news"] == "add"


def test_what_somebody_changes_in_the_ui_is_put_right(house: House) -> None:
    api, one = house.installation.api.url, _deployments(house)["weekly-news"]
    schedule = one["schedules"][0]["id"]
    url = f"{api}/deployments/{one['id']}/schedules/{schedule}"
    house.wait_for(lambda: httpx.patch(url, json={"active": False}).is_success)  # a busy SQLite is answered with 503
    assert _apply(house)["weekly-news"] == "change"
    assert _deployments(house)["weekly-news"]["schedules"][0]["active"]


@pytest.fixture
def neighbour(house: House, tmp_path: Path) -> Installation:
    """Another company's project, as copied from the same files, with a database of its own, on the same Prefect server."""
    lay_project(tmp_path)
    (tmp_path / "plan" / "calendar" / "weekly-news.yaml").unlink()
    one = house.installation
    other = replace(one, root=tmp_path, env=one.env | {"VINCULO__DATABASE__URL": f"sqlite:///{tmp_path / 'other.db'}"})
    other.command("vinculo", "db", "upgrade")
    return other


def test_another_project_does_not_get_the_deployments_of_this_one(house: House, neighbour: Installation) -> None:
    def seen() -> dict[str, tuple]:
        return {name: (one["id"], one["pull_steps"], one["entrypoint"]) for name, one in _deployments(house).items()}

    before = seen()
    for flags in ([], ["--dry-run"]):
        with pytest.raises(NotReady, match=r"prefect\.api_url") as refused:
            neighbour.command("vinculo", "apply", *flags)
        assert str(house.root) in str(refused.value)
    assert seen() == before


def test_a_project_whose_database_has_moved_takes_its_deployments_over(house: House, neighbour: Installation) -> None:
    said = neighbour.command("vinculo", "apply", "--take-over", "--json")
    try:
        assert {"action": "remove", "name": "weekly-news", "what": ""} in json.loads(said)
        assert set(_apply_to(neighbour).values()) == {"keep"}
        with pytest.raises(NotReady, match="--take-over"):
            _apply(house)
    finally:
        house.installation.deploy()
    assert set(_apply(house).values()) == {"keep"}


def test_on_a_server_that_says_nothing_the_deployments_themselves_say_whose_they_are(
    house: House, neighbour: Installation
) -> None:
    """As an earlier version left it, or after somebody deleted the variable in the UI."""
    assert httpx.delete(f"{house.installation.api.url}/variables/name/vinculo_project").is_success
    for flags in ([], ["--dry-run"]):
        with pytest.raises(NotReady, match="--take-over") as refused:
            neighbour.command("vinculo", "apply", *flags)
        assert f"a project in {house.root}:" in str(refused.value)
    assert set(_apply(house).values()) == {"keep"}  # its own


def test_another_database_that_looks_the_same_from_within_is_another_project_s(
    house: House, neighbour: Installation
) -> None:
    """As in two containers, where the files of two projects may have one inode: here the file is given another life."""
    neighbour.command("vinculo", "apply", "--take-over")
    try:
        assert set(_apply_to(neighbour).values()) == {"keep"}
        with closing(sqlite3.connect(neighbour.root / "other.db")) as db, db:
            assert db.execute("DELETE FROM note WHERE name = 'number'").rowcount == 1
        with pytest.raises(NotReady, match="--take-over"):
            neighbour.command("vinculo", "apply")
    finally:
        house.installation.deploy()


def test_what_others_have_on_the_server_is_left_alone(house: House) -> None:
    api = house.installation.api.url
    flow = httpx.post(f"{api}/flows/", json={"name": "reports"}).json()["id"]
    theirs = {"name": "quarter", "flow_id": flow, "tags": ["calendar"], "entrypoint": "reports.py:quarter"}
    one = httpx.post(f"{api}/deployments/", json=theirs).json()["id"]
    try:
        assert set(_apply(house).values()) == {"keep"}
        assert httpx.get(f"{api}/deployments/{one}").is_success
    finally:
        httpx.delete(f"{api}/deployments/{one}")


def test_a_schedule_really_produces_a_scheduled_run(house: House) -> None:
    """The failure that nobody would notice: with the wrong SQLAlchemy the scheduler works on and creates nothing."""
    api, one = house.installation.api.url, _deployments(house)["weekly-news"]
    query = {"deployments": {"id": {"any_": [one["id"]]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    run = house.wait_for(lambda: httpx.post(f"{api}/flow_runs/filter", json=query).json())
    assert run[0]["expected_start_time"][:10] >= "2026"


def test_a_marketer_finds_forms_with_titles_choices_and_test_mode_on(house: House) -> None:
    for name in ("newsletter", "promotion"):
        schema = _deployments(house)[name]["parameter_openapi_schema"]
        form = schema["definitions"]["Form"]["properties"]
        assert form["test"]["default"] is True
        assert form["channels"]["default"] == ["email"]
        assert all("description" in field for field in form.values())
        # A choice has its title where its values are.
        assert [name for name, field in form.items() if "title" not in field and "$ref" not in field] == []
        for choice, value in {"Segment": "active", "Template": "weekly-news", "Topic": "news"}.items():
            assert schema["definitions"][choice]["title"] == choice
            assert value in schema["definitions"][choice]["enum"]
