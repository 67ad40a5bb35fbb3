"""R10: Prefect runs the same occurrence twice at once, and again afterwards: each contact is written to once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from tests.flows.conftest import House, house  # noqa: F401 - the installation is a fixture
from tests.torture.conftest import Tally
from vinculo.db.tables import delivery
from vinculo.testing import oracle
from vinculo.testing.oracle import Violation

FAMILY = "R10 Prefect runs it again"
pytestmark = [pytest.mark.prefect, pytest.mark.torture]
DUE = """\
kind: promotion
segment: active
topic: news
channels: [email]
template: weekly-news
when: {{every: day, at: "{at:%H:%M}", timezone: UTC}}
"""


@pytest.fixture
def due(house: House) -> Iterator[str]:  # noqa: F811
    """A campaign of the calendar that is due this very minute."""
    path = house.root / "plan" / "calendar" / "twice.yaml"
    path.write_text(DUE.format(at=datetime.now(UTC)))
    house.installation.command("flows.apply")
    yield path.stem
    path.unlink()
    house.installation.command("flows.apply")


def test_r10_three_runs_of_one_occurrence_send_it_once(house: House, due: str, tally: Tally) -> None:  # noqa: F811
    api = house.installation.api
    runs = [api.start(f"calendar/{due}", {"campaign": due}) for _ in range(2)]
    ended = [api.wait(run, seconds=240)["type"] for run in runs]
    ended.append(house.run(f"calendar/{due}", {"campaign": due}, seconds=240)["type"])
    tally["faults"] += len(runs)
    assert "COMPLETED" in ended
    with house.runtime() as rt, rt.read() as db:
        d = delivery.c
        ours = set(db.scalars(sa.select(d.id).where(d.campaign == due)))
        accepted = db.scalar(sa.select(sa.func.count()).where(d.campaign == due, d.state == "accepted"))
        times = Counter(one.delivery for one in oracle.received(house.sink.received, rt.signer) if one.delivery in ours)
    twice = [Violation("O1", f"delivery {number} was accepted {n} times") for number, n in times.items() if n > 1]
    tally.judged(twice)
    assert len(times) == accepted > 0
