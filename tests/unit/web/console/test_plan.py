"""The plan is worked out once and shown with its time; what is decided or sent since is in it at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.unit.web.conftest import OURS, Town
from vinculo import contacts, run
from vinculo.model import Occurrence
from vinculo.testing.store import add_contact

PAGE = "/plan?days=8&lang=en"
REACHED = '<b class="big">{}</b> <small>/ {}</small>'


def join(town: Town, key: str) -> None:
    """Let somebody who reads the newsletter come."""
    with town.rt.begin() as db:
        add_contact(db, key=key, email=f"{key}@x.example", signer=town.rt.signer, consent=["news"])


def test_who_comes_meanwhile_is_in_it_when_it_is_worked_out_anew(town: Town) -> None:
    assert REACHED.format(2, 2) in town.client.get(PAGE).text
    join(town, "eva")
    town.clock[0] += timedelta(minutes=9)
    shown = town.client.get(PAGE).text
    assert REACHED.format(2, 2) in shown
    assert "Worked out at 09:00" in shown  # the company's clock
    anew = town.client.get(f"{PAGE}&anew=yes").text
    assert REACHED.format(3, 3) in anew
    assert "Worked out at 09:09" in anew
    assert "Worked out at 09:09" in town.client.get(PAGE).text


def test_after_ten_minutes_it_is_worked_out_anew(town: Town) -> None:
    town.client.get(PAGE)
    join(town, "eva")
    town.clock[0] += timedelta(minutes=10)
    assert REACHED.format(3, 3) in town.client.get(PAGE).text
    town.clock[0] -= timedelta(hours=1)  # a clock that was set back keeps no plan for hours
    assert "Worked out at 08:10" in town.client.get(PAGE).text


def test_a_pause_is_in_it_at_once(town: Town) -> None:
    assert "paused" not in town.client.get(PAGE).text
    town.clock[0] += timedelta(minutes=1)
    town.client.post("/campaigns/weekly/pause", headers=OURS)
    shown = town.client.get(PAGE).text
    assert "paused" in shown
    assert "Worked out at 09:01" in shown


def test_beside_what_is_approved_stand_those_whom_it_reaches_now(town: Town) -> None:
    campaign = town.rt.project.campaigns["weekly"].model_copy(update={"approval": "required"})
    run.begin(town.rt, campaign, Occurrence("weekly", datetime(2026, 12, 10, 9), "America/Sao_Paulo"))
    waits = town.client.get(PAGE).text.split('data-occurrence="2026-12-10')[1]
    assert waits.split("</tr>")[0].count(REACHED.format(2, 2)) == 1
    with town.rt.begin() as db:
        contacts.erase(db, contacts.require(db, "rui"), town.rt.now())
    shown = town.client.get(PAGE).text
    assert "Worked out at 09:00" in shown
    assert REACHED.format(1, 2) in shown.split('data-occurrence="2026-12-10')[1].split("</tr>")[0]


def test_each_span_of_days_has_its_own(town: Town) -> None:
    next_week = 'data-occurrence="2026-12-08'
    assert next_week in town.client.get(PAGE).text
    assert next_week not in town.client.get("/plan?days=1&lang=en").text
    assert next_week in town.client.get(PAGE).text


def test_the_first_page_counts_contacts_less_the_erased(town: Town) -> None:
    join(town, "eva")
    with town.rt.begin() as db:
        eva = contacts.require(db, "eva")
        contacts.erase(db, eva, town.rt.now())
        assert contacts.how_many(db) == 2
