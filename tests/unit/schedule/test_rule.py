"""Recurrence rules, held against libical's vectors and against counting days by hand."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.errors import UsageError
from vinculo.schedule.rule import dates, parse

CORPUS = Path(__file__).parents[4] / "shared" / "corpora" / "recurrence"
FAR = datetime(2050, 1, 1)


def _cases(file: Path) -> Iterator[dict[str, str]]:
    for block in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")):
        case = dict(line.strip().split(":", 1) for line in block.splitlines() if re.match(r"[A-Z-]+:", line.strip()))
        # A rule on days without a time, with times in it: here everything has a time.
        all_day = "T" not in case.get("DTSTART", "T") and "BYMINUTE" in case["RRULE"]
        if "RRULE" in case and "***" not in case["INSTANCES"] and not all_day:
            yield case


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.strip().rstrip("Z"))


def _verdict(case: dict[str, str]) -> str:
    try:
        rule = parse(case["RRULE"])
    except UsageError as error:
        return "refused" if error.remedy else "refused without a remedy"
    start = _moment(case["DTSTART"])
    expected = [_moment(text) for text in case["INSTANCES"].split(",") if text.strip()]
    found = list(dates(rule, start, after=start, before=max([*expected, start]) + timedelta(days=370)))
    return "right" if found == expected else f"wrong: {case['RRULE']}"


def verdicts() -> list[str]:
    """What becomes of each of libical's rules: `right`, `refused`, or words that begin with `wrong`."""
    return [_verdict(case) for file in sorted(CORPUS.glob("*.txt")) for case in _cases(file)]


@pytest.mark.skipif(not CORPUS.exists(), reason="libical's vectors are not in ../shared/corpora")
def test_of_libicals_rules_at_least_116_are_right_and_none_is_silently_wrong() -> None:
    found = verdicts()
    assert [verdict for verdict in found if verdict.startswith(("wrong", "refused without"))] == []
    assert found.count("right") >= 120
    assert len(found) == 157


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,3",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYYEARDAY=1",
        "FREQ=YEARLY;BYMONTHDAY=29",
        "FREQ=YEARLY;BYWEEKNO=1",
        "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO;INTERVAL=3",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;SKIP=BACKWARD",
        "RSCALE=HEBREW;FREQ=YEARLY",
        "FREQ=FORTNIGHTLY",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=WEEKLY;BYDAY=TUE",
        "FREQ=MONTHLY;BYMONTHDAY=1,x",
        "FREQ=MONTHLY;BYMONTHDAY=99",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=DAILY;BYMONTH=2,4;BYMONTHDAY=31",
        "FREQ=WEEKLY;WKST=X",
        "BYDAY=MO",
        "every day",
        "",
    ],
)
def test_what_cannot_be_got_right_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["FREQ=DAILY;UNTIL=20269999"])
def test_a_date_that_is_none_refused_when_the_rule_is_used(text: str) -> None:
    with pytest.raises(UsageError, match="no rule"):
        list(dates(parse(text), datetime(2026, 1, 1), after=datetime(2026, 1, 1), before=FAR))


def test_a_rule_that_never_comes_true_ends() -> None:
    rule = parse("FREQ=YEARLY;BYMONTH=2;BYDAY=5MO;BYMONTHDAY=1;COUNT=3")
    assert list(dates(rule, datetime(2026, 1, 1), after=datetime(2026, 1, 1), before=datetime(2027, 1, 1))) == []


def test_a_count_counts_from_the_first_day_and_not_from_the_window() -> None:
    rule = parse("FREQ=DAILY;COUNT=3")
    found = dates(rule, datetime(2026, 1, 1, 9), after=datetime(2026, 1, 3), before=FAR)
    assert list(found) == [datetime(2026, 1, 3, 9)]


_NAMES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_weekdays = st.sets(st.integers(0, 6), min_size=1)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), _weekdays, st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_weekly_rules_agree_with_counting_weeks(start: date, weekdays: set[int], interval: int) -> None:
    rule = parse(f"FREQ=WEEKLY;INTERVAL={interval};BYDAY={','.join(_NAMES[day] for day in weekdays)}")
    monday = start - timedelta(days=start.weekday())
    days = [start + timedelta(days=number) for number in range(200)]
    expected = [day for day in days if day.weekday() in weekdays and (day - monday).days // 7 % interval == 0]
    assert _dates(rule, start, 200) == expected


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)), _weekdays, st.integers(1, 4), st.sampled_from([1, 2, 4, -1, -2]))
@settings(deadline=None, max_examples=60)
def test_monthly_positions_agree_with_listing_the_month(
    start: date, weekdays: set[int], interval: int, position: int
) -> None:
    names = ",".join(_NAMES[day] for day in weekdays)
    rule = parse(f"FREQ=MONTHLY;INTERVAL={interval};BYDAY={names};BYSETPOS={position}")
    expected = []
    for months in range(0, 24, interval):
        year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
        days = [date(year, month + 1, 1) + timedelta(days=n) for n in range(31)]
        fitting = [day for day in days if day.month == month + 1 and day.weekday() in weekdays]
        index = position - 1 if position > 0 else position
        expected += [day for day in fitting[index : index + 1 or None] if start <= day < start + timedelta(days=400)]
    assert _dates(rule, start, 400) == expected


def _dates(rule: object, start: date, days: int) -> list[date]:
    first = datetime.combine(start, datetime.min.time())
    return [found.date() for found in dates(rule, first, after=first, before=first + timedelta(days=days))]
