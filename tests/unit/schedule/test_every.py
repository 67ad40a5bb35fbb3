"""The words of `every:`, in three languages, and `when:` in a person's words."""

from datetime import UTC, date, datetime

import pytest

from vinculo.errors import UsageError
from vinculo.schedule import When, describe, occurrences, rule
from vinculo.schedule.every import parse, pattern_of


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("day", "FREQ=DAILY"),
        ("3 days", "FREQ=DAILY;INTERVAL=3"),
        ("dia", "FREQ=DAILY"),
        ("weekday", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("dias úteis", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("día laborable", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("weekend", "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("fim de semana", "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("tuesday", "FREQ=WEEKLY;BYDAY=TU"),
        ("Terça", "FREQ=WEEKLY;BYDAY=TU"),
        ("terças-feira", "FREQ=WEEKLY;BYDAY=TU"),
        ("martes", "FREQ=WEEKLY;BYDAY=TU"),
        ("thursday,  monday", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("segunda e quinta", "FREQ=WEEKLY;BYDAY=MO,TH"),
        ("lunes y miércoles", "FREQ=WEEKLY;BYDAY=MO,WE"),
        ("sábados e domingos", "FREQ=WEEKLY;BYDAY=SA,SU"),
        ("week on friday", "FREQ=WEEKLY;BYDAY=FR"),
        ("2 weeks on tuesday", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"),
        ("2 semanas na terça", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU"),
        ("month on 1", "FREQ=MONTHLY;BYMONTHDAY=1"),
        ("mes el 15", "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("3 months on 1, 15", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1,15"),
        ("month on last", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("mês no último dia", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("month on first monday", "FREQ=MONTHLY;BYDAY=1MO"),
        ("mês na segunda segunda", "FREQ=MONTHLY;BYDAY=2MO"),
        ("mes el último viernes", "FREQ=MONTHLY;BYDAY=-1FR"),
        ("month on first monday, third monday", "FREQ=MONTHLY;BYDAY=1MO,3MO"),
        ("year on 12-24", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
        ("ano em 6-12", "FREQ=YEARLY;BYMONTH=6;BYMONTHDAY=12"),
    ],
)
def test_words_are_a_rule(text: str, rule: str) -> None:
    assert parse(text).rule == rule


@pytest.mark.parametrize(
    "text", ["3 days", "2 weeks on tuesday", "month on 1, last", "month on last friday", "year on 12-24"]
)
def test_a_simple_rule_is_the_same_as_its_words(text: str) -> None:
    assert pattern_of(rule.parse(parse(text).rule).parts) == parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=WEEKLY",
        "FREQ=HOURLY",
        "FREQ=DAILY;BYDAY=MO",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=MONTHLY;BYDAY=5MO",
        "FREQ=MONTHLY;BYDAY=MO;BYMONTH=2",
        "FREQ=MONTHLY;BYMONTHDAY=-3",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=1,2;BYMONTHDAY=1",
        "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=1,2",
        "FREQ=YEARLY;BYDAY=1MO",
    ],
)
def test_a_rule_without_words_of_ours_is_not_said_in_wrong_ones(text: str) -> None:
    assert pattern_of(rule.parse(text).parts) is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("tusday", "Did you mean `tuesday`?"),
        ("quintal", "Did you mean `quinta`?"),
        ("monday, ", "monday"),
        ("", "every: tuesday"),
        (",", "every: tuesday"),
        ("0 days", "from 1"),
        ("week", "week on tuesday"),
        ("day on tuesday", "every: tuesday"),
        ("month", "month on 1"),
        ("month on 31", "month on last"),
        ("month on 0", "1 to 28"),
        ("month on 1, first monday", "month on 1, 15"),
        ("month on first", "every: tuesday"),
        ("month on first weekday", "one weekday"),
        ("month on sometimes", "first monday"),
        ("year on 02-29", "year on 12-24"),
        ("year on 13-01", "year on 12-24"),
        ("year", "year on 12-24"),
    ],
)
def test_other_words_get_a_suggestion(text: str, says: str) -> None:
    if text == "monday, ":
        assert parse(text).rule == "FREQ=WEEKLY;BYDAY=MO"  # a comma too many says nothing else
        return
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert says in caught.value.remedy


@pytest.mark.parametrize(
    ("fields", "pt", "en", "es"),
    [
        (
            {"every": "tuesday", "timezone": "contact"},
            "todas as terças às 09:00, no fuso do contato",
            "every Tuesday at 09:00, in the contact's time zone",
            "todos los martes a las 09:00, en la zona horaria del contacto",
        ),
        (
            {"every": "friday, saturday", "at": "01:30"},
            "todas as sextas e todos os sábados à 01:30",
            "every Friday and Saturday at 01:30",
            "todos los viernes y sábados a la 01:30",
        ),
        (
            {"every": "weekday"},
            "todos os dias úteis às 09:00",
            "every weekday at 09:00",
            "todos los días laborables a las 09:00",
        ),
        (
            {"every": "2 weeks on tuesday", "from": date(2026, 12, 1)},
            "a cada 2 semanas, na terça às 09:00, a partir de 1 de dezembro de 2026",
            "every 2 weeks on Tuesday at 09:00, from December 1, 2026",
            "cada 2 semanas, el martes a las 09:00, desde el 1 de diciembre de 2026",
        ),
        (
            {"every": "month on first monday, last saturday", "timezone": "Europe/Lisbon"},
            "todo mês, na primeira segunda e no último sábado às 09:00, no fuso Europe/Lisbon",
            "every month on the first Monday and on the last Saturday at 09:00, in the zone Europe/Lisbon",
            "todos los meses, el primer lunes y el último sábado a las 09:00, en la zona Europe/Lisbon",
        ),
        (
            {"every": "3 months on 1, last"},
            "a cada 3 meses, no dia 1 e no último dia às 09:00",
            "every 3 months on day 1 and on the last day at 09:00",
            "cada 3 meses, el día 1 y el último día a las 09:00",
        ),
        (
            {"every": "year on 12-24", "until": date(2030, 1, 1)},
            "todo ano, em 24 de dezembro às 09:00, até 1 de janeiro de 2030",
            "every year on December 24 at 09:00, until January 1, 2030",
            "todos los años, el 24 de diciembre a las 09:00, hasta el 1 de enero de 2030",
        ),
        (
            {"on": [date(2026, 12, 24), date(2026, 12, 31)]},
            "em 24 de dezembro de 2026 e 31 de dezembro de 2026 às 09:00",
            "on December 24, 2026 and December 31, 2026 at 09:00",
            "el 24 de diciembre de 2026 y 31 de diciembre de 2026 a las 09:00",
        ),
        (
            {"cron": "0 9 * * 2"},
            "pela regra cron `0 9 * * 2`",
            "by the cron rule `0 9 * * 2`",
            "según la regla cron `0 9 * * 2`",
        ),
        (
            {"rrule": "FREQ=MONTHLY;BYDAY=2TH"},
            "todo mês, na segunda quinta às 09:00",
            "every month on the second Thursday at 09:00",
            "todos los meses, el segundo jueves a las 09:00",
        ),
        (
            {"rrule": "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"},
            "pela regra `FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13` às 09:00",
            "by the rule `FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13` at 09:00",
            "según la regla `FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13` a las 09:00",
        ),
        (
            {"every": "2 days"},
            "a cada 2 dias às 09:00",
            "every 2 days at 09:00",
            "cada 2 días a las 09:00",
        ),
    ],
)
def test_a_when_is_said_in_words(fields: dict, pt: str, en: str, es: str) -> None:
    when = When(**fields)
    assert [describe(when, language) for language in ("pt-BR", "en", "es", "ja")] == [pt, en, es, en]


def test_every_other_tuesday_counts_from_its_first_day() -> None:
    window = {"start": datetime(2026, 12, 1, tzinfo=UTC), "end": datetime(2027, 1, 1, tzinfo=UTC)}
    for first, days in ((date(2026, 12, 1), [1, 15, 29]), (date(2026, 11, 24), [8, 22])):
        when = When(every="2 weeks on tuesday", **{"from": first})
        found = occurrences("c", when, default_zone="America/Sao_Paulo", **window)
        assert [one.local.day for one in found] == days
