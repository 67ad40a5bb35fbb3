"""What Prefect does with a run that is killed in mid-send, and that nobody is written to twice whatever it does."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from tests.flows.conftest import FORM, House, held_up
from vinculo import run
from vinculo.db.tables import delivery
from vinculo.launch.worker import _children
from vinculo.runtime import utcnow

pytestmark = pytest.mark.prefect


def _processes(flow_run: str) -> set[int]:
    """The processes of a run."""
    found = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"PREFECT__FLOW_RUN_ID={flow_run}".encode() in environ.read_bytes():
                found.add(int(environ.parent.name))
    return found


def _kill(processes: set[int]) -> None:
    for number in processes:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def _automation(house: House, name: str) -> dict[str, Any]:
    answer = httpx.post(f"{house.installation.api.url}/automations/filter", json={})
    (found,) = [one for one in answer.json() if one["name"] == name]
    return dict(found)


def _change(house: House, automation: dict[str, Any]) -> None:
    body = {key: automation[key] for key in ("name", "description", "enabled", "tags", "trigger", "actions")}
    url = f"{house.installation.api.url}/automations/{automation['id']}"
    house.wait_for(lambda: httpx.put(url, json=body).is_success)  # on SQLite the server now and then answers 503


def _run(house: House, number: str) -> dict[str, Any]:
    return dict(httpx.get(f"{house.installation.api.url}/flow_runs/{number}").json())


def _states(house: House, name: str) -> Counter[str]:
    with house.runtime() as rt, rt.read() as db:
        return Counter(db.scalars(sa.select(delivery.c.state).where(delivery.c.campaign == name)))


def _check(house: House, name: str, before: int) -> None:
    """When the dead one's lease is over: everybody once, or in doubt, of whom there are as many as may be unanswered."""
    with house.runtime() as rt:
        rt.now = lambda: utcnow() + timedelta(hours=1)  # type: ignore[method-assign]
        run.drain(rt, worker="later", campaign=name)
        with rt.connector("email") as email:
            bulk = email.can.bulk
        with rt.read() as db:
            rows = db.execute(sa.select(delivery.c.address, delivery.c.state).where(delivery.c.campaign == name)).all()
        workers = rt.project.settings.limits.workers
    # What the calendar sends meanwhile, a journey's step, is none of ours.
    ours = (one for one in house.sink.received[before:] if f"c-{name}:" in dict(one.headers)["feedback-id"])
    received = [one.to for one in ours]
    accepted = {address for address, state in rows if state == "accepted"}
    doubted = {address for address, state in rows if state == "in_doubt"}
    assert {state for _, state in rows} <= {"accepted", "in_doubt", "skipped"}
    assert len(received) == len(set(received))
    assert accepted <= set(received) <= accepted | doubted
    assert len(doubted) <= workers * (bulk + bulk // 2)


@pytest.fixture
def applied(house: House) -> Iterator[None]:
    """Afterwards `vinculo apply` puts right what the test has changed of the automations."""
    yield
    assert '"change"' in house.installation.command("flows.apply", "--json")


@pytest.mark.usefixtures("applied")
@pytest.mark.parametrize("silence", [12.0, pytest.param(90.0, marks=pytest.mark.torture)])
def test_a_send_whose_worker_and_process_are_killed_starts_again_on_another(house: House, silence: float) -> None:
    dead = _automation(house, "A dead run is crashed")
    assert dead["trigger"]["within"] == 90
    _change(house, dead | {"trigger": dead["trigger"] | {"within": silence}, "description": "of a test"})
    name, before = f"death-{silence:.0f}", len(house.sink.received)
    with held_up(house.sink, 5) as held:
        number = house.installation.api.start("newsletter/newsletter", {"form": FORM | {"name": name}})
        assert held.wait(120)
        (worker,) = [one for one in house.supervisor.services if one.name == "Prefect worker"]
        assert worker.process
        _kill({worker.process.pid, *_children(worker.process.pid), *_processes(number)})
        worker.process.wait(10)
    house.supervisor.services.remove(worker)
    house.supervisor.start(house.installation.worker())
    # Nobody but the automation finds out; then a run begins again, and its heart beats too seldom for this test.
    house.wait_for(lambda: _run(house, number)["state"]["name"] != "Running", seconds=silence + 60)
    _change(house, dead | {"description": "of a test"})
    house.wait_for(lambda: _run(house, number)["state"]["type"] == "COMPLETED", seconds=120)
    assert _run(house, number)["run_count"] == 2
    assert _states(house, name)["accepted"] > 20
    _check(house, name, before)


@pytest.mark.usefixtures("applied")
def test_a_send_that_prefect_does_not_start_again_is_finished_by_deliver(house: House) -> None:
    again = _automation(house, "A crashed send starts again")
    _change(house, again | {"enabled": False})
    name, before = "death-alone", len(house.sink.received)
    with held_up(house.sink, 5) as held:
        number = house.installation.api.start("newsletter/newsletter", {"form": FORM | {"name": name}})
        assert held.wait(120)
        _kill(_processes(number))
    house.wait_for(lambda: _run(house, number)["state"]["type"] == "CRASHED")
    sent = _states(house, name)["accepted"]
    house.deliver()
    assert _states(house, name)["accepted"] > sent
    assert _run(house, number)["run_count"] == 1
    _check(house, name, before)
