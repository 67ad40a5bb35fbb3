"""What a person sends is sent once that day, also when the company's zone was changed between two starts of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.run.conftest import SECRET, Clock
from vinculo import ledger, run
from vinculo.model import Message
from vinculo.project import load
from vinculo.runtime import Runtime
from vinculo.testing.smtp import SmtpSink

#: Late on Tuesday, 1 December 2026, in São Paulo; in Lisbon it is Wednesday.
NIGHT = datetime(2026, 12, 2, 1, tzinfo=UTC)
#: To the west it is the same day, or one of two; to the east it is the next one.
ZONES = ["America/Manaus", "Pacific/Niue", "Europe/Lisbon", "Pacific/Kiritimati"]


@pytest.fixture
def old(rt: Runtime, sink: SmtpSink, clock: Clock) -> Runtime:
    """The shop, in which `weekly` has no `when:`."""
    clock.now = NIGHT
    file = rt.project.root / "plan/calendar/weekly.yaml"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if not line.startswith("when:")) + "\n")
    return _in_zone(rt, sink, "America/Sao_Paulo")


def _in_zone(rt: Runtime, sink: SmtpSink, zone: str) -> Runtime:
    """The same installation after somebody wrote another zone into its settings."""
    file = rt.project.root / "vinculo.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("timezone")]
    at = lines.index("[company]") + 1
    file.write_text("\n".join([*lines[:at], f'timezone = "{zone}"', *lines[at:]]) + "\n")
    environ = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": SECRET}
    return Runtime(load(rt.project.root, environ), rt.engine, rt.now)


def _run(rt: Runtime, name: str = "weekly") -> dict[str, Any]:
    """A run that was to begin at `NIGHT`, or one more try of it."""
    adhoc = name != "weekly"
    started = run.start(rt, run.definition(rt, "weekly") | {"name": name}, NIGHT, adhoc=adhoc)
    run.drain(rt, worker="w")
    return started


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", ["weekly", "autumn-sale"])
def test_a_run_that_is_tried_again_in_another_zone_writes_to_nobody_again(
    old: Runtime, sink: SmtpSink, name: str, zone: str
) -> None:
    first = _run(old, name)
    again = _run(_in_zone(old, sink, zone), name)
    assert (again["occurrence"], len(sink.received)) == (first["occurrence"], 20)
    assert _run(_in_zone(old, sink, "America/Sao_Paulo"), name)["occurrence"] == first["occurrence"]


def test_what_waits_for_approval_is_what_is_approved(old: Runtime, sink: SmtpSink) -> None:
    file = old.project.root / "plan/calendar/weekly.yaml"
    file.write_text(f"{file.read_text()}approval: required\n")
    first = _run(_in_zone(old, sink, "America/Sao_Paulo"))
    new = _in_zone(old, sink, "Europe/Lisbon")
    run.decide(new, "weekly", first["occurrence"], approved=True, by="Ana")
    again = _run(new)
    assert (first["held"], again["held"], len(sink.received)) == (True, False, 20)


def test_nor_does_a_person_who_types_the_command(old: Runtime, sink: SmtpSink) -> None:
    _run(old)
    new = _in_zone(old, sink, "Europe/Lisbon")
    campaign = new.project.campaigns["weekly"]
    run.run_occurrence(new, campaign, run.pick(new, campaign), worker="w", due_now=True)
    assert len(sink.received) == 20


def test_of_two_zones_that_begin_at_the_same_moment_one_is_planned(
    old: Runtime, sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = _in_zone(old, sink, "Europe/Lisbon")
    render = new.renderer.message

    def meanwhile(*given: Any) -> Message:
        monkeypatch.undo()
        assert _run(old)["occurrence"]
        return render(*given)

    monkeypatch.setattr(new.renderer, "message", meanwhile)
    assert "weekly is on its way, planned by hand on 2026-12-01 (America/Sao_Paulo)" in _run(new)["reason"]
    assert len(sink.received) == 20


def test_the_next_day_has_its_own(old: Runtime, sink: SmtpSink, clock: Clock) -> None:
    _run(old)
    new = _in_zone(old, sink, "America/Manaus")
    clock.forward(days=1)
    started = run.start(new, run.definition(new, "weekly"), NIGHT + timedelta(days=1))
    run.drain(new, worker="w")
    assert (started["occurrence"], len(sink.received)) == ("2026-12-02T00:00[America/Manaus]", 40)


def test_what_was_sent_to_nobody_keeps_nothing_back(old: Runtime, sink: SmtpSink) -> None:
    with old.begin() as db:
        ledger.cancel(db, "weekly", NIGHT)
        ledger.resume(db, "weekly", NIGHT)
    first = run.standing_for(old, old.project.campaigns["weekly"], NIGHT)
    assert first
    run.begin(old, old.project.campaigns["weekly"], first)
    with old.begin() as db:
        ledger.cancel(db, "weekly", NIGHT)
        ledger.resume(db, "weekly", NIGHT)
    assert _run(_in_zone(old, sink, "America/Manaus"))["occurrence"] == "2026-12-01T00:00[America/Manaus]"
    assert len(sink.received) == 20
