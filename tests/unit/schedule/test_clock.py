"""Wall clock → instant where the clocks change. The rows were verified by hand (GUARANTEES §1.2)."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.errors import UsageError
from vinculo.model import Occurrence
from vinculo.schedule import When, due, instant, occurrences, span, standing_for, zone_or
from vinculo.schedule.zone import instant_of

ROWS = [
    # what              zone                   wall clock          UTC
    ("gap at midnight", "America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00"),
    ("gap at midnight", "America/Sao_Paulo", "2018-11-04T00:30", "2018-11-04T03:00"),
    ("gap at midnight", "America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00"),
    ("gap at midnight", "Africa/Cairo", "2026-04-24T00:15", "2026-04-23T22:00"),
    ("gap at midnight", "Asia/Beirut", "2026-03-29T00:00", "2026-03-28T22:00"),
    ("gap at one", "Europe/Lisbon", "2026-03-29T01:30", "2026-03-29T01:00"),
    ("before the gap", "Europe/Lisbon", "2026-03-29T00:59", "2026-03-29T00:59"),
    ("after the gap", "Europe/Lisbon", "2026-03-29T02:00", "2026-03-29T01:00"),
    ("fold: the first", "America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),
    ("after the fold", "America/New_York", "2026-11-01T02:00", "2026-11-01T07:00"),
    ("no change any more", "America/Sao_Paulo", "2026-11-01T00:00", "2026-11-01T03:00"),
    ("gap of half an hour", "Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),
    ("after half an hour", "Australia/Lord_Howe", "2026-10-04T02:30", "2026-10-03T15:30"),
    ("fold of half an hour", "Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),
    ("a day left out", "Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"),
]


@pytest.mark.parametrize(("what", "zone", "local", "utc"), ROWS)
def test_the_clock_is_read_as_documented(what: str, zone: str, local: str, utc: str) -> None:
    expected = datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert instant_of(datetime.fromisoformat(local), zone) == expected
    assert instant(Occurrence("c", datetime.fromisoformat(local), "contact"), zone) == expected


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),
    st.sampled_from(sorted({row[1] for row in ROWS} | {"Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns"})),
)
@settings(deadline=None, max_examples=200)
def test_an_instant_shows_its_wall_clock_or_the_first_one_after_a_gap(local: datetime, zone: str) -> None:
    local = local.replace(microsecond=0)
    shown = instant_of(local, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert shown >= local
    assert shown == local or instant_of(local, zone) == instant_of(shown, zone) == _first_after(local, zone)


def _first_after(local: datetime, zone: str) -> datetime:
    """By brute force: the first minute whose wall clock is past *local*."""
    moment = instant_of(local, zone) - timedelta(minutes=1)
    assert moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) < local
    return moment + timedelta(minutes=1)


def test_a_day_in_three_zones_spans_from_the_first_to_the_last() -> None:
    noon = Occurrence("c", datetime(2026, 12, 1, 9), "contact")
    zones = ["America/Sao_Paulo", "Europe/Lisbon", "America/New_York"]
    assert span(noon, zones) == (datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 1, 14, tzinfo=UTC))
    fixed = Occurrence("c", datetime(2026, 12, 1, 9), "America/Sao_Paulo")
    assert span(fixed, zones) == (datetime(2026, 12, 1, 12, tzinfo=UTC),) * 2


def test_a_contacts_occurrence_has_no_instant_without_a_zone() -> None:
    with pytest.raises(UsageError, match="each zone"):
        instant(Occurrence("c", datetime(2026, 12, 1, 9), "contact"))


def test_an_unknown_zone_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="America/Sao_Paulo"):
        instant(Occurrence("c", datetime(2026, 12, 1, 9), "America/SaoPaulo"))


@pytest.mark.parametrize("name", ["", "nowhere", "../etc/passwd", "America", "x\0"])
def test_what_is_no_zone_becomes_the_companys(name: str) -> None:
    assert zone_or(name, "America/Sao_Paulo") == "America/Sao_Paulo"


def test_the_key_stays_the_same_on_both_sides_of_a_change_of_clocks() -> None:
    when = When(every="day", at="09:00", timezone="Europe/Lisbon")
    window = {"start": datetime(2026, 3, 28, tzinfo=UTC), "end": datetime(2026, 3, 31, tzinfo=UTC)}
    found = occurrences("daily", when, default_zone="America/Sao_Paulo", **window)
    assert [one.key for one in found] == [f"2026-03-{day}T09:00[Europe/Lisbon]" for day in (28, 29, 30)]
    assert [instant(one).hour for one in found] == [9, 8, 8]


def test_hourly_times_in_a_gap_are_one_occurrence() -> None:
    when = When(cron="*/30 * * * *", timezone="Europe/Lisbon")
    window = {"start": datetime(2026, 3, 29, 0, 30, tzinfo=UTC), "end": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)}
    found = occurrences("c", when, default_zone="UTC", **window)
    assert [f"{one.local:%H:%M}" for one in found] == ["00:30", "02:00"]


def test_a_contacts_campaign_begins_where_the_day_comes_first() -> None:
    when = When(every="tuesday", timezone="contact")
    zones = ["America/New_York", "Europe/Lisbon", "no/zone"]
    first = datetime(2026, 12, 1, 9, tzinfo=UTC)
    window = {"start": first, "end": first + timedelta(microseconds=1)}
    assert [one.key for one in occurrences("c", when, default_zone="America/Sao_Paulo", zones=zones, **window)] == [
        "2026-12-01T09:00[contact]"
    ]
    assert occurrences("c", when, default_zone="America/Sao_Paulo", **window) == []  # 12:00 UTC there


def _standing(at: datetime, /, **fields: object) -> str:
    found = standing_for("c", When(**fields), at, default_zone="Europe/Lisbon")
    return f"{found.local:%m-%d %H:%M}" if found else "none"


def test_a_run_stands_for_the_latest_occurrence_that_has_begun() -> None:
    nine = datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert _standing(nine, every="tuesday") == "12-01 09:00"
    assert _standing(nine - timedelta(seconds=60), every="tuesday") == "12-01 09:00"  # a scheduler's early clock
    assert _standing(nine - timedelta(seconds=61), every="tuesday") == "11-24 09:00"
    assert _standing(nine + timedelta(days=6), every="tuesday") == "12-01 09:00"
    assert _standing(nine, on=date(2024, 6, 1)) == "06-01 09:00"
    assert _standing(nine, every="day", **{"from": date(2026, 12, 2)}) == "none"


def test_a_run_that_prefect_starts_before_a_gap_stands_for_the_occurrence_after_it() -> None:
    # Prefect takes 01:30, which Lisbon's clocks skip, for 00:30 UTC; our message is due at 01:00 UTC.
    assert _standing(datetime(2026, 3, 29, 0, 30, tzinfo=UTC), every="day", at="01:30") == "03-29 01:30"
    assert _standing(datetime(2026, 3, 29, 0, 28, tzinfo=UTC), every="day", at="01:30") == "03-28 01:30"


def test_contacts_without_a_zone_are_due_with_the_company() -> None:
    noon = Occurrence("c", datetime(2026, 12, 1, 9), "contact")
    nine = datetime(2026, 12, 1, 9, tzinfo=UTC)
    home = "America/Sao_Paulo"
    assert due(noon, ["", "no/zone", "Europe/Lisbon"], home) == {
        "": nine.replace(hour=12),
        "no/zone": nine.replace(hour=12),
        home: nine.replace(hour=12),
        "Europe/Lisbon": nine,
    }
    assert span(noon, ["", "no/zone", home]) == (nine.replace(hour=12),) * 2
