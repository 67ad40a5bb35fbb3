"""The flows that nobody starts by hand do their work as Prefect runs: listen, journeys, scores, report."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from tests.flows.conftest import House
from vinculo import history
from vinculo.db.tables import address, contact, delivery, journey, score

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def writer(house: House) -> Iterator[tuple[int, str]]:
    """A contact that has written to us out of the blue; the mail waits in a Maildir."""
    toml = house.root / "vinculo.toml"
    before = toml.read_text()
    toml.write_text(before.replace("[listen]\n", '[listen]\nmaildir = "mail"\n'))
    for name in ("new", "cur", "tmp"):
        (house.root / "mail" / name).mkdir(parents=True)
    with house.runtime() as rt, rt.read() as db:
        ask = (
            sa.select(address.c.contact_id, address.c.value).where(address.c.channel == "email").order_by("id").limit(1)
        )
        who, sender = db.execute(ask).one()
    mail = f"From: {sender}\r\nTo: respostas@casaaurora.example\r\nSubject: Oi\r\n\r\nVocês abrem no domingo?\r\n"
    (house.root / "mail" / "new" / "1").write_bytes(mail.encode())
    yield who, sender
    toml.write_text(before)


@pytest.fixture(scope="module")
def ended(house: House, writer: tuple[int, str]) -> dict[str, str]:
    """The final state of each flow; the first three run side by side, the report on what the journeys planned."""
    api = house.installation.api
    runs = {name: api.start(f"{name}/{name}", {}) for name in ("listen", "journeys", "scores")}
    states = {name: str(api.wait(number, seconds=180)["type"]) for name, number in runs.items()}
    return states | {"report": str(house.run("report/report", {"days": 7}, seconds=180)["type"])}


def test_each_of_them_completes_under_a_name_that_a_person_reads(house: House, ended: dict[str, str]) -> None:
    assert ended == dict.fromkeys(("listen", "journeys", "scores", "report"), "COMPLETED")
    names = {"listen", "journeys", "scores", "report of 7 days"}
    asked = {"flow_runs": {"name": {"any_": sorted(names)}, "state": {"type": {"any_": ["COMPLETED"]}}}}
    runs = httpx.post(f"{house.installation.api.url}/flow_runs/filter", json=asked).json()
    assert {one["name"] for one in runs} == names


def test_nothing_but_forms_and_helpers_runs_twice_at_once(house: House) -> None:
    deployments = httpx.post(f"{house.installation.api.url}/deployments/filter", json={"limit": 100}).json()
    limits = {
        one["name"]: (one["global_concurrency_limit"]["limit"], one["concurrency_options"]["collision_strategy"])
        for one in deployments
        if "form" not in one["tags"] and one["name"] != "help"  # which is there to run several times
    }
    assert {"deliver", "listen", "weekly-news"} <= limits.keys()
    assert set(limits.values()) == {(1, "CANCEL_NEW")}


@pytest.mark.usefixtures("ended")
def test_mail_that_waited_is_in_the_history(house: House, writer: tuple[int, str]) -> None:
    with house.runtime() as rt, rt.read() as db:
        lines = [line for line in history.timeline(db, writer[0]) if line.kind == "inbound"]
    assert [line.summary for line in lines] == ["Vocês abrem no domingo?"]


@pytest.mark.usefixtures("ended")
def test_newcomers_have_entered_the_journey_and_have_a_delivery_each(house: House) -> None:
    with house.runtime() as rt, rt.read() as db:
        walking = set(db.scalars(sa.select(journey.c.contact_id).where(journey.c.name == "welcome")))
        planned = set(
            db.scalars(sa.select(delivery.c.contact_id).where(delivery.c.campaign == "journey-welcome-hello"))
        )
    assert walking
    assert planned == walking


@pytest.mark.usefixtures("ended")
def test_every_contact_has_a_score_and_the_stages_are_shown_as_numbers(house: House) -> None:
    with house.runtime() as rt, rt.read() as db:
        scored = db.scalar(sa.select(sa.func.count()).select_from(score))
        assert scored == db.scalar(sa.select(sa.func.count()).select_from(contact))
    artifacts = httpx.post(f"{house.installation.api.url}/artifacts/filter", json={"limit": 200}).json()
    assert any("| loyalty |" in (one["data"] or "") for one in artifacts if one["key"] == "scores")


@pytest.mark.usefixtures("ended")
def test_the_report_is_a_file_that_stands_alone_and_names_nobody(house: House, writer: tuple[int, str]) -> None:
    (page, *_) = sorted((house.root / "var" / "reports").glob("journey-welcome-hello-*.html"))
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert "src=" not in text
    assert "@" not in text.replace("@media", "")
    assert writer[1] not in text
