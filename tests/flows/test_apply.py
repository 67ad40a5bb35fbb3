"""`vinculo apply` makes Prefect equal to the calendar, and nothing drifts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.flows.conftest import House

pytestmark = pytest.mark.prefect


def _apply(house: House) -> dict[str, str]:
    changes = json.loads(house.installation.command("flows.apply", "--json"))
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
