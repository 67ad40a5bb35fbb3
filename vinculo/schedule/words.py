"""`when:` in a person's words: Portuguese, English, Spanish."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time

from vinculo.schedule import every, rule
from vinculo.schedule.when import When
from vinculo.schedule.zone import CONTACT

_DAYS = {
    "pt": ("segundas", "terças", "quartas", "quintas", "sextas", "sábados", "domingos"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábados", "domingos"),
}
_SINGLE = {
    "pt": ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo"),
    "en": _DAYS["en"],
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
}
_ORDINALS = {
    "pt": {1: "primeir{}", 2: "segund{}", 3: "terceir{}", 4: "quart{}", -1: "últim{}"},
    "en": {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last"},
    "es": {1: "primer", 2: "segundo", 3: "tercer", 4: "cuarto", -1: "último"},
}
#: Portuguese, English, Spanish.
_WORDS = {
    "and": ("e", "and", "y"),
    "at": ("às {}", "at {}", "a las {}"),
    "at_one": ("à {}", "at {}", "a la {}"),
    "contact": ("no fuso do contato", "in the contact's time zone", "en la zona horaria del contacto"),
    "zone": ("no fuso {}", "in the zone {}", "en la zona {}"),
    "from": ("a partir de {}", "from {}", "desde el {}"),
    "until": ("até {}", "until {}", "hasta el {}"),
    "on": ("em {}", "on {}", "el {}"),
    "cron": ("pela regra cron `{}`", "by the cron rule `{}`", "según la regla cron `{}`"),
    "rrule": ("pela regra `{}`", "by the rule `{}`", "según la regla `{}`"),
    "weekday": ("todos os dias úteis", "every weekday", "todos los días laborables"),
    "DAILY": ("todos os dias", "every day", "todos los días"),
    "DAILY_n": ("a cada {} dias", "every {} days", "cada {} días"),
    "WEEKLY_n": ("a cada {} semanas, {}", "every {} weeks {}", "cada {} semanas, {}"),
    "MONTHLY": ("todo mês, {}", "every month {}", "todos los meses, {}"),
    "MONTHLY_n": ("a cada {} meses, {}", "every {} months {}", "cada {} meses, {}"),
    "YEARLY": ("todo ano, em {}", "every year on {}", "todos los años, el {}"),
    "YEARLY_n": ("a cada {} anos, em {}", "every {} years on {}", "cada {} años, el {}"),
    "date": ("no dia {}", "on day {}", "el día {}"),
    "last": ("no último dia", "on the last day", "el último día"),
}
_LANGUAGES = ("pt", "en", "es")


def _say(key: str, speech: str, *values: object) -> str:
    return _WORDS[key][_LANGUAGES.index(speech)].format(*values)


def describe(when: When, language: str = "en") -> str:
    """Say *when* in words: `todas as terças às 09:00, no fuso do contato`. Raises `UsageError` when it is wrong."""
    speech = language[:2].lower() if language[:2].lower() in _LANGUAGES else "en"
    parts = [_recurrence(when, speech)]
    if when.timezone:
        parts.append(_say("contact" if when.timezone == CONTACT else "zone", speech, when.timezone))
    if when.from_:
        parts.append(_say("from", speech, _date(when.from_, speech)))
    if when.until:
        parts.append(_say("until", speech, _date(when.until, speech)))
    return ", ".join(parts)


def _recurrence(when: When, speech: str) -> str:
    if when.cron is not None:
        return _say("cron", speech, when.cron)
    one = time.fromisoformat(when.at).hour == 1
    return f"{_days(when, speech)} {_say('at_one' if one else 'at', speech, when.at)}"


def _days(when: When, speech: str) -> str:
    if when.on is not None:
        days = when.on if isinstance(when.on, list) else [when.on]
        return _say("on", speech, _join([_date(day, speech) for day in sorted(days)], speech))
    if when.rrule is None:
        pattern: every.Every | None = every.parse(when.every or "")
    else:
        pattern = every.pattern_of(rule.parse(when.rrule).parts)
    if pattern is None:
        return _say("rrule", speech, when.rrule)
    return _PATTERNS[pattern.unit](pattern, speech)


def _times(unit: str, interval: int, speech: str, *values: object) -> str:
    return _say(unit, speech, *values) if interval == 1 else _say(f"{unit}_n", speech, interval, *values)


def _daily(pattern: every.Every, speech: str) -> str:
    return _times("DAILY", pattern.interval, speech)


def _weekly(pattern: every.Every, speech: str) -> str:
    numbers = [every.DAYS.index(day) for _, day in pattern.weekdays]
    if pattern.interval > 1:
        days = _join([_on(number, speech) for number in numbers], speech)
        return _say("WEEKLY_n", speech, pattern.interval, days)
    return _say("weekday", speech) if numbers == [0, 1, 2, 3, 4] else _each(numbers, speech)


def _each(numbers: list[int], speech: str) -> str:
    if speech != "pt":
        return f"{'every' if speech == 'en' else 'todos los'} {_join([_DAYS[speech][n] for n in numbers], speech)}"
    # Portuguese weekdays are feminine, the weekend's are masculine.
    feminine = _join([_DAYS["pt"][number] for number in numbers if number < 5], speech)
    masculine = _join([_DAYS["pt"][number] for number in numbers if number >= 5], speech)
    return " e ".join([f"todas as {feminine}"] * bool(feminine) + [f"todos os {masculine}"] * bool(masculine))


def _monthly(pattern: every.Every, speech: str) -> str:
    dates = [_say("last", speech) if day == -1 else _say("date", speech, day) for day in pattern.dates]
    days = [_on(every.DAYS.index(day), speech, number) for number, day in pattern.weekdays]
    return _times("MONTHLY", pattern.interval, speech, _join(dates + days, speech))


def _on(day: int, speech: str, ordinal: int = 0) -> str:
    """`on Monday`, `on the first Monday`."""
    which = _ORDINALS[speech][ordinal] + " " if ordinal else ""
    if speech == "en":
        return f"on {'the ' * bool(ordinal)}{which}{_SINGLE[speech][day]}"
    if speech == "es":
        return f"el {which}{_SINGLE[speech][day]}"
    vowel = "a" if day < 5 else "o"
    return f"n{vowel} {which.format(vowel)}{_SINGLE[speech][day]}"


def _yearly(pattern: every.Every, speech: str) -> str:
    from babel.dates import format_skeleton

    day = format_skeleton("MMMMd", date(2024, pattern.month, pattern.dates[0]), locale=speech)
    return _times("YEARLY", pattern.interval, speech, day)


_PATTERNS: dict[str, Callable[[every.Every, str], str]] = {
    "DAILY": _daily,
    "WEEKLY": _weekly,
    "MONTHLY": _monthly,
    "YEARLY": _yearly,
}


def _date(day: date, speech: str) -> str:
    from babel.dates import format_date

    return str(format_date(day, "long", locale=speech))


def _join(words: list[str], speech: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {_say('and', speech)} {words[-1]}"
