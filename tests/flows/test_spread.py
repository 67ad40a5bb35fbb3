"""The same send on processes, on Dask and on helping runs: everybody once, as on threads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2 as httpx
import pytest
import sqlalchemy as sa

from tests.flows.conftest import FORM, House
from vinculo import ledger
from vinculo.db.tables import delivery, preference

pytestmark = pytest.mark.prefect


@pytest.fixture(params=["threads", "processes", "dask"])
def spread(house: House, request: pytest.FixtureRequest) -> Iterator[str]:
    """Deliveries are spread in this way; with threads, another run helps."""
    if request.param == "dask":
        pytest.importorskip("prefect_dask")
    toml = house.root / "vinculo.toml"
    before = toml.read_text()
    with house.runtime() as rt, rt.begin() as db:  # who wants but one a week would get the first of these sends alone
        db.execute(sa.delete(preference).where(preference.c.name == "frequency"))
    chosen = "runs = 2" if request.param == "threads" else f'task_runner = "{request.param}"'
    toml.write_text(before.replace("[prefect]\n", f"[prefect]\n{chosen}\n"))
    yield request.param
    toml.write_text(before)


def _ledger(house: House, name: str) -> list[tuple[str, ...]]:
    with house.runtime() as rt, rt.read() as db:
        return [(key, state, reason) for _, key, state, reason, *_ in ledger.export(db, name)]


def test_each_way_of_spreading_leaves_the_same_ledger(house: House, spread: str) -> None:
    name = f"spread-{spread}"
    state = house.run("newsletter/newsletter", {"form": FORM | {"name": name}}, seconds=300)
    assert state["type"] == "COMPLETED", state
    house.wait_for(lambda: {row[1] for row in _ledger(house, name)} == {"accepted", "skipped"})
    received = [one.to for one in house.sink.received if f"Feedback-ID: c-{name}:".encode() in one.raw]
    assert len(received) == len(set(received)) == sum(state == "accepted" for _, state, _ in _ledger(house, name))
    with house.runtime() as rt, rt.read() as db:
        workers = set(db.scalars(sa.select(delivery.c.worker).where(delivery.c.campaign == name))) - {""}
    assert all(re.fullmatch(r"[0-9a-f-]{36}/1/[12]/1", worker) for worker in workers), workers
    if spread == "threads":
        url = f"{house.installation.api.url}/flow_runs/filter"
        helper = {
            "limit": 1,
            "flow_runs": {"name": {"any_": [f"deliver {name}"]}, "state": {"type": {"any_": ["COMPLETED"]}}},
        }
        assert house.wait_for(lambda: httpx.post(url, json=helper).json())
    else:
        assert _ledger(house, name) == _ledger(house, "spread-threads")
