"""What a person does to a run in the Prefect UI holds: a run that is cancelled or suspended sends nothing more."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pytest
import sqlalchemy as sa
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Cancelling, Crashed, Running, Suspended

from flows import artifact, steering
from tests.flows.conftest import FORM, House, held_up
from vinculo import ledger
from vinculo.db.tables import delivery
from vinculo.runtime import utcnow

pytestmark = pytest.mark.prefect


def _ask(house: House, path: str, body: dict[str, Any]) -> None:
    """What the UI's buttons ask; on SQLite the server now and then answers 503."""
    house.wait_for(lambda: httpx.post(f"{house.installation.api.url}/flow_runs/{path}", json=body).is_success)


def _suspend(house: House, run: str) -> None:
    until = {"pause_reschedule": True, "pause_timeout": (utcnow() + timedelta(minutes=5)).isoformat()}
    _ask(house, f"{run}/set_state", {"state": {"type": "PAUSED", "name": "Suspended", "state_details": until}})


def _names(house: House, run: str) -> list[str]:
    """The states that a run has gone through."""
    url = f"{house.installation.api.url}/flow_run_states/"
    return [one["name"] for one in httpx.get(url, params={"flow_run_id": run}).json()]


def _standing(house: House, name: str) -> tuple[str, str]:
    with house.runtime() as rt, rt.read() as db:
        return ledger.standing(db, name), ledger.cause(db, name)


def _states(house: House, name: str) -> Counter[str]:
    with house.runtime() as rt, rt.read() as db:
        return Counter(db.scalars(sa.select(delivery.c.state).where(delivery.c.campaign == name)))


def _check(house: House, name: str, before: int) -> None:
    """Everybody who is to get it has it, once."""
    received = [one.to for one in house.sink.received[before:] if f"c-{name}:" in dict(one.headers)["feedback-id"]]
    states = _states(house, name)
    assert set(states) == {"accepted", "skipped"}
    assert len(received) == len(set(received)) == states["accepted"] > 20


def test_a_send_that_a_person_cancels_sends_nothing_more_until_a_person_resumes_it(house: House) -> None:
    name, before = "steered-off", len(house.sink.received)
    with held_up(house.sink, 5) as held:
        run = house.installation.api.start("newsletter/newsletter", {"form": FORM | {"name": name}})
        assert held.wait(120)
        _ask(house, f"{run}/set_state", {"state": {"type": "CANCELLING"}})
        house.wait_for(lambda: _standing(house, name)[0])
    assert _standing(house, name) == ("paused", f"its run {run} was cancelled in Prefect")
    house.wait_for(lambda: _names(house, run)[-1] == "Cancelled")
    assert not {"Crashed", "AwaitingRetry"} & set(_names(house, run))
    sent = _states(house, name)
    assert sent["planned"] > 0
    assert sent["in_doubt"] + sent["submitting"] + sent["claimed"] == 0
    house.deliver()
    assert _states(house, name) == sent
    with house.runtime() as rt, rt.begin() as db:
        ledger.resume(db, name, utcnow())
    house.deliver()
    _check(house, name, before)


def test_a_send_that_a_person_suspends_waits_and_goes_on_when_it_is_resumed(house: House) -> None:
    name, before = "steered-on", len(house.sink.received)
    with held_up(house.sink, 5) as held:
        run = house.installation.api.start("newsletter/newsletter", {"form": FORM | {"name": name}})
        assert held.wait(120)
        _suspend(house, run)
        house.wait_for(lambda: _standing(house, name)[0])
    assert _standing(house, name) == ("paused", f"its run {run} was suspended in Prefect")
    house.wait_for(lambda: not _states(house, name)["claimed"] + _states(house, name)["submitting"])
    sent = _states(house, name)
    house.deliver()
    assert _states(house, name) == sent
    assert sent["planned"] > 0
    _ask(house, f"{run}/resume", {})
    house.wait_for(lambda: _names(house, run)[-1] == "Completed")
    assert _standing(house, name) == ("", "")
    _check(house, name, before)


def _newsletter(name: str) -> tuple[str, dict[str, Any]]:
    return "newsletter/newsletter", {"form": FORM | {"name": name}}


@contextmanager
def _planning(house: House, deployment: str, parameters: dict[str, Any]) -> Iterator[str]:
    """A run that is about to write its audience: within the block somebody else writes. Yields its id."""
    with house.runtime() as rt, rt.begin():
        run = house.installation.api.start(deployment, parameters)
        tasks = f"{house.installation.api.url}/task_runs/filter"
        mine = {"flow_runs": {"id": {"any_": [run]}}}
        house.wait_for(lambda: [one["state_type"] for one in httpx.post(tasks, json=mine).json()] == ["RUNNING"])
        yield run


def test_a_send_that_is_cancelled_while_it_is_planned_writes_to_nobody(house: House) -> None:
    name, before = "steered-early", len(house.sink.received)
    with _planning(house, *_newsletter(name)) as run:
        _ask(house, f"{run}/set_state", {"state": {"type": "CANCELLING"}})
    house.wait_for(lambda: _names(house, run)[-1] == "Cancelled")
    assert _standing(house, name) == ("paused", f"its run {run} was cancelled in Prefect")
    house.deliver()
    assert len(house.sink.received) == before
    house.installation.command("vinculo", "resume", name)
    house.deliver()
    _check(house, name, before)


def test_a_send_that_is_suspended_while_it_is_planned_writes_to_nobody_before_it_is_resumed(house: House) -> None:
    name, before = "steered-late", len(house.sink.received)
    with _planning(house, *_newsletter(name)) as run:
        _suspend(house, run)
    house.wait_for(lambda: _standing(house, name)[0])
    assert _standing(house, name) == ("paused", f"its run {run} was suspended in Prefect")
    assert len(house.sink.received) == before
    assert _states(house, name)["planned"] > 20
    _ask(house, f"{run}/resume", {})
    house.wait_for(lambda: _names(house, run)[-1] == "Completed")
    assert _standing(house, name) == ("", "")
    _check(house, name, before)


def test_a_held_send_that_is_suspended_while_it_is_planned_asks_for_approval_once_it_is_resumed(
    house: House, approved: str
) -> None:
    before = len(house.sink.received)
    with _planning(house, f"calendar/{approved}", {"campaign": approved}) as run:
        _suspend(house, run)
    house.wait_for(lambda: _standing(house, approved)[0])
    assert _standing(house, approved) == ("paused", f"its run {run} was suspended in Prefect")
    _ask(house, f"{run}/resume", {})
    house.wait_for(lambda: _waits_for_approval(house, run))
    assert _standing(house, approved) == ("", "")
    assert len(house.sink.received) == before
    house.installation.api.resume(run, {"decision": "approve", "approver": "Bia"})
    house.wait_for(lambda: _names(house, run)[-1] == "Completed")
    assert _standing(house, approved) == ("", "")
    assert len(house.sink.received) > before


def _waits_for_approval(house: House, run: str) -> bool:
    state = httpx.get(f"{house.installation.api.url}/flow_runs/{run}").json()["state"]
    return (state["state_details"]["pause_key"] or "").startswith(steering.APPROVAL)


@pytest.mark.parametrize(
    ("state", "by_a_person"),
    [
        (Cancelling(), True),
        (Cancelled(), True),
        (Suspended(timeout_seconds=60), True),
        (Suspended(timeout_seconds=60, pause_key="approval-weekly-2026-12-01-a1b2c3"), False),
        (Running(), False),
        (Crashed(message="No sign of life for 90 s"), False),
        # One that was taken for dead is started again where another one has its place: it may live, and look.
        (Cancelled(message="Deployment concurrency limit reached."), False),
        (Cancelled(message="Deployment concurrency slot lost during provisioning"), False),
    ],
)
def test_only_what_a_person_does_to_a_run_pauses_its_campaign(state: State[Any], by_a_person: bool) -> None:
    assert steering.stopped(state) is by_a_person


def test_a_sigterm_that_comes_while_the_bar_moves_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prefect's handler raises where the process is at that moment: a task of its own would keep that to itself."""

    async def hit(_rt: Any, _planned: dict[str, Any]) -> None:
        raise TerminationSignal(signal.SIGTERM)

    async def send() -> None:
        async with steering.watched(None, {"campaign": "weekly"}):  # type: ignore[arg-type]
            await asyncio.sleep(60)

    monkeypatch.setattr(artifact, "progress", hit)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(send(), 10))


def test_a_wrong_journey_stops_no_other_and_its_run_says_what_is_wrong(house: House) -> None:
    file = house.root / "plan" / "journeys" / "broken.yaml"
    file.write_text("name: broken\nstep: []\n")
    try:
        state = house.run("journeys/journeys", {})
    finally:
        file.unlink()
    assert state["type"] == "FAILED"
    assert "plan/journeys/broken.yaml" in state["message"]
