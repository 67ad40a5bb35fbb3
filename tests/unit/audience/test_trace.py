"""Rule by rule: the trace ends where the audience decides, and says with which numbers."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import audience
from vinculo.audience import Trace
from vinculo.db.tables import score
from vinculo.model import Moment
from vinculo.testing import store

from .conftest import HOME, project
from .test_allocation import CAMPAIGNS, POLICY, _person


def trace(hall: Any, contact_id: int, campaign: Any, **policy: Any) -> Trace:
    moment = Moment(hall.now, hall.now.date())
    with hall.engine.begin() as db:
        asked = db, project(**policy), campaign, store.occurrence(campaign, hall.now), moment, contact_id
        return audience.trace(*asked, zones={HOME: hall.now})


def step(found: Trace, rule: str) -> Any:
    return next(one for one in found.steps if one.rule == rule)


@pytest.mark.parametrize("seed", [3])
def test_the_rule_that_stops_is_the_reason_of_the_allocation(hall, seed: int) -> None:
    dice = Random(seed)
    people = [_person(dice, hall, number) for number in range(25)]
    with hall.engine.begin() as db:
        for value in {one[:2] for person in people for one in person.addresses if one[2]}:
            store.suppress(db, *value)
    for file in CAMPAIGNS[:2]:
        rows = hall.ask(file, **POLICY)
        for person in people:
            found, row = trace(hall, person.id, file, **POLICY), rows[person.id]
            assert (found.state, found.reason, found.channel) == (row.state, row.reason, row.channel)
            stopped = [one.rule for one in found.steps if one.outcome == "stopped"]
            assert stopped == ([row.reason] if row.reason else []), found


def test_every_rule_says_what_it_found_in_numbers(hall) -> None:
    one = hall.add(key="a", email="a@e.org", phone="+551", preferences={"frequency": "2 per 10 days"})
    hall.had(one, 3)
    hall.had(one, 8)
    with hall.engine.begin() as db:
        db.execute(sa.insert(score).values(contact_id=one, stage="loyalty", at=hall.now))
    routing = {
        "costs": {"email": "0.01", "sms": "0.3"},
        "tiers": [{"name": "best", "stages": ["loyalty"], "channels": ["email", "sms"]}],
    }
    found = trace(hall, one, store.campaign(channels=["email", "sms"]), caps=[{"at_most": 2, "within": "7 days"}],
                  routing=routing, quiet_hours=[{"from": "20:00", "to": "09:00"}])  # fmt: skip
    assert found.reason == "frequency_cap"
    counted = {line["rule"]: (line["had"], line["at_most"]) for line in step(found, "frequency_cap").numbers["caps"]}
    assert counted == {"policy 1": (1, 2), "own wish": (2, 2)}
    assert step(found, "too_costly").numbers == {
        "tier": "best",
        "costs": {"email": "0.01", "sms": "0.3"},
        "preferred": "",
    }
    assert step(found, "no_consent").numbers["answers"]["email"]["granted"]
    assert step(found, "quiet_hours").outcome == "not asked"
    assert "policy 1: 1 of 2 in 7 days" in step(found, "frequency_cap").words


def test_the_second_of_an_address_learns_who_is_the_first(hall) -> None:
    first, second = (hall.add(key=key, email="home@e.org") for key in "ab")
    found = trace(hall, second, store.campaign())
    assert (found.reason, step(found, "duplicate_address").numbers["others"]) == ("duplicate_address", [first])
    assert trace(hall, first, store.campaign()).state == "planned"


def test_who_is_not_in_the_segment_is_told_so_and_nothing_else(hall) -> None:
    one = hall.add(key="a", email="a@e.org")
    found = trace(hall, one, store.campaign(segment="staff"))
    assert [(line.rule, line.outcome) for line in found.steps] == [("segment", "stopped")]


def test_a_pause_is_shown_beside_the_hour_that_it_is_weighed_against(hall) -> None:
    until = (hall.now + timedelta(days=3)).isoformat(timespec="seconds")
    one = hall.add(key="a", email="a@e.org", preferences={"pause_until": until})
    found = trace(hall, one, store.campaign())
    assert (found.reason, step(found, "paused").numbers["pause_until"]) == ("paused", until)
