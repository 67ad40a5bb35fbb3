"""Prefect fires when our occurrences begin."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from vinculo.schedule import When, occurrences, prefect_schedule, problems, span, standing_for

START = datetime(2026, 11, 22, tzinfo=UTC)
HOME, ZONES = "America/Sao_Paulo", ["Europe/Lisbon", "America/New_York"]
FIRST = {"from": date(2026, 12, 1)}

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("prefect")
    patch.setenv("PREFECT_HOME", str(folder))
    yield folder
    patch.undo()


def _fires(when: When, number: int) -> list[datetime]:
    from prefect.server.schemas.schedules import CronSchedule, RRuleSchedule

    plain = prefect_schedule(when, default_zone=HOME, zones=ZONES)
    assert plain is not None
    schedule = (CronSchedule if "cron" in plain else RRuleSchedule)(**plain)
    dates = asyncio.run(schedule.get_dates(number, start=START))
    return [datetime.fromtimestamp(moment.timestamp(), UTC) for moment in dates]


@pytest.mark.parametrize(
    "when",
    [
        When(every="tuesday", timezone="contact", **FIRST),
        When(every="day", timezone="Europe/Lisbon"),
        When(every="2 weeks on tuesday, friday", **FIRST),
        When(every="month on last", until=date(2027, 3, 31)),
        When(every="month on first monday", timezone="America/New_York"),
        When(every="year on 12-24"),
        When(on=[date(2026, 12, 1), date(2026, 12, 5), date(2027, 7, 5)], timezone="Europe/Lisbon"),
        When(rrule="FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
        When(rrule="FREQ=DAILY;COUNT=3", **FIRST),
        When(cron="0 9 * * 2#1", timezone="Europe/Lisbon"),
        When(cron="30 8,17 * * 1-5"),
        When(cron="0 9 L * *"),
        When(cron="0 9 1 * 1"),
    ],
    ids=lambda when: when.every or when.rrule or when.cron or "on",
)
def test_prefect_fires_when_each_occurrence_begins(when: When) -> None:
    assert problems(when) == []
    fires = _fires(when, 12)
    end = fires[-1] + timedelta(seconds=1)
    ours = occurrences("c", when, default_zone=HOME, start=START, end=end, zones=ZONES)
    assert fires == [span(one, ZONES)[0] for one in ours]


def test_a_run_fired_in_a_gap_of_the_clocks_finds_its_occurrence() -> None:
    when = When(every="day", at="01:30", timezone="Europe/Lisbon", **{"from": date(2027, 3, 27)})
    found = [standing_for("c", when, fire, default_zone=HOME) for fire in _fires(when, 3)]
    assert [one.local.day for one in found if one] == [27, 28, 29]
