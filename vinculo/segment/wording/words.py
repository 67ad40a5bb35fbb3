"""A segment in the words of a marketer: Portuguese, English, Spanish."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from vinculo.model import decimals
from vinculo.segment.read.collection import get, tree
from vinculo.segment.read.field import FIELDS
from vinculo.segment.read.shape import Segment
from vinculo.segment.read.tree import All, Any_, Condition, Consented, Did, In, Not, Reachable, Sample, Test
from vinculo.segment.wording.dictionary import EVENTS, LABELS, PHRASES

#: In these a segment can be explained.
LANGUAGES = tuple(PHRASES)


@dataclass(frozen=True, slots=True)
class Line:
    """One condition in words, how deep it stands, and the condition itself."""

    depth: int
    words: str
    condition: Condition


def explain(segments: Mapping[str, Segment], name: str, language: str = "en") -> list[str]:
    """Say what segment *name* means, a condition a line, indented by depth."""
    return ["  " * line.depth + line.words for line in lines(segments, name, language)]


def lines(segments: Mapping[str, Segment], name: str, language: str) -> list[Line]:
    """The conditions of segment *name* in reading order."""
    return list(_Speaker(segments, language, get(segments, name).currency).segment(name, 0, ()))


def spoken(language: str) -> str:
    """Return which of `LANGUAGES` is spoken to whom *language* is: `pt` for `pt-BR`; English where we have no other."""
    tongue = language.replace("_", "-").partition("-")[0].lower()
    return tongue if tongue in LANGUAGES else "en"


def _locale(language: str) -> Any:
    """How figures and days are written where *language* is spoken: 2,5 for `es`, 2.5 for `es-MX`."""
    from babel import Locale, UnknownLocaleError

    tongue, region = spoken(language), language.replace("_", "-").partition("-")[2]
    for tag in (f"{tongue}_{region}" if region else tongue, tongue):
        with suppress(UnknownLocaleError, ValueError):
            return Locale.parse(tag)
    raise LookupError(tongue)


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Speaker:
    def __init__(self, segments: Mapping[str, Segment], language: str, currency: str) -> None:
        tongue = spoken(language)
        self._segments, self._currency, self._locale = segments, currency, _locale(language)
        self._labels, self._phrases, self._events = LABELS[tongue], PHRASES[tongue], EVENTS[tongue]

    def _say(self, phrase: str, **values: Any) -> str:
        return self._phrases[phrase].format(**values)

    def segment(self, name: str, depth: int, above: tuple[str, ...]) -> Iterator[Line]:
        found = get(self._segments, name)
        if found.sql is not None:
            yield Line(depth, self._say("query", name=name, description=found.description or "SQL"), In(name))
        elif name not in above:
            yield from self._lines(tree(found), depth, (*above, name))

    def _lines(self, condition: Condition, depth: int, above: tuple[str, ...]) -> Iterator[Line]:
        match condition:
            case All(parts=()):
                yield Line(depth, self._say("everyone"), condition)
            case All(parts=parts) | Any_(parts=parts):
                yield Line(depth, self._say("all" if isinstance(condition, All) else "any"), condition)
                for part in parts:
                    yield from self._lines(part, depth + 1, above)
            case Not(part=All() | Any_() | In() | Not()):
                yield Line(depth, self._say("not"), condition)
                yield from self._lines(condition.part, depth + 1, above)
            case Not(part=part):
                yield Line(depth, self._say("not_one", words=self._leaf(part)), condition)
            case In(segment=name):
                yield Line(depth, self._say("in", name=name), condition)
                yield from self.segment(name, depth + 1, above)
            case _:
                yield Line(depth, self._leaf(condition), condition)

    def _leaf(self, condition: Condition) -> str:
        match condition:
            case Test():
                return self._test(condition)
            case Did():
                return ", ".join(self._did(condition))
            case Consented(topic=topic, channel=channel, state=state):
                about = self._say("on", topic=topic, channel=channel) if channel else topic
                return self._say("consent" if state == "given" else f"consent_{state}", about=about)
            case Reachable(channels=channels):
                return self._say("reachable", channels=self._list(channels))
            case Sample(percent=percent, salt=salt):
                return self._say("sample", percent=self._figure(percent), salt=f" ({salt})" if salt else "")
            case _:
                raise TypeError(condition)

    def _list(self, values: tuple[Any, ...]) -> str:
        return self._phrases["or"].join(map(str, values))

    def _test(self, test: Test) -> str:
        if test.field == "birthday":
            (days,) = test.values
            return self._say("birthday_today" if days == 1 else "birthday", days=days)
        label = test.field if test.home in {"trait", "preference"} else self._labels.get(test.field, test.field)
        if test.home in {"trait", "preference"}:
            label = f"{self._labels[test.home]} {label}"
        values = tuple(self._value(test, value) for value in test.values)
        return self._say(
            self._form(test), label=label, value=self._list(values), low="".join(values[:1]), high="".join(values[1:])
        )

    def _form(self, test: Test) -> str:
        """The phrase for what *test* compares with: a day, or how long ago."""
        if test.operator in {"before", "after"} and isinstance(test.values[0], timedelta):
            return "before_ago" if test.operator == "before" else "within"
        return {"in": "in_values", "in_next": "within"}.get(test.operator, test.operator)

    def _value(self, test: Test, value: Any) -> str:
        if isinstance(value, timedelta):
            return self._span(value, {"before": "", "in_next": "next_"}.get(test.operator, "last_"))
        if isinstance(value, bool):
            return self._say("true" if value else "false")
        if test.home == "score" and FIELDS[test.field].kind == "money":
            return f"{self._amount(value, self._currency)} {self._currency}".rstrip()
        if isinstance(value, date):
            return self._day(value)
        # What a number of one's own counts nobody knows: it may be a year.
        return self._figure(value, "0" if test.home == "trait" else "#,##0") if _counts(value) else str(value)

    def _figure(self, number: float | Decimal, whole: str = "#,##0", digits: str = "#") -> str:
        from babel.numbers import format_decimal

        form = f"{whole}.{digits}" if digits else whole
        return format_decimal(number, format=form, locale=self._locale, decimal_quantization=False)

    def _day(self, day: date) -> str:
        from babel.dates import format_date

        return format_date(day, "long", self._locale)

    def _amount(self, minor: int, currency: str) -> str:
        """An amount in whole units, with the decimals of its currency."""
        digits = decimals(currency)
        return self._figure(Decimal(minor).scaleb(-digits), digits="0" * digits)

    def _span(self, span: timedelta, form: str = "") -> str:
        """How long *span* is; with a *form*, `last_` or `next_`, that it is the last or the next time."""
        minutes = int(span.total_seconds() // 60)
        for unit, size in (("days", 1440), ("hours", 60)):
            if minutes % size == 0:
                return self._many(form + unit, minutes // size)
        return self._many(f"{form}minutes", minutes)

    def _many(self, units: str, number: int) -> str:
        return self._say(units.removesuffix("s") if number == 1 else units, number=number)

    def _did(self, did: Did) -> Iterator[str]:
        yield self._list(tuple(self._events[kind] for kind in did.kinds))
        if not did.last:
            yield from self._often(did, lambda number: self._many("times", number))
        if did.amount is not None:
            spent = self._say("spent", amount=self._amount(did.amount, did.currency), currency=did.currency)
            yield spent.replace("  ", " ")
        options = [("window", self._span(did.within, "last_") if did.within else "")]
        options += [self._edge(did.after, "window", "from_day"), self._edge(did.before, "until_ago", "until_day")]
        options += [("campaign", did.campaign), ("channel", did.channel)]
        yield from (self._say(phrase, value=value) for phrase, value in options if value)
        if did.last:
            # It is campaigns that are counted then, and not what was done in answer to them.
            count = ", ".join(self._often(did, str))
            form = "of_newest" if did.last == 1 and not count else "of_last"
            yield self._say(form, count=count or self._say("one"), number=did.last, kind=did.last_kind)
        if did.then:
            events = self._list(tuple(self._events[kind] for kind in did.then))
            span = self._span(did.then_within) if did.then_within else ""
            yield self._say("then_within" if span else "then", events=events, value=span)

    def _often(self, did: Did, number: Callable[[int], str]) -> Iterator[str]:
        if did.at_least is not None and did.at_least == did.at_most:
            yield self._say("exactly", times=number(did.at_least))
            return
        if did.at_least is not None and did.at_least != 1:
            yield self._say("at_least_times", times=number(did.at_least))
        if did.at_most is not None:
            yield self._say("at_most_times", times=number(did.at_most))

    def _edge(self, edge: Any, moving: str, fixed: str) -> tuple[str, str]:
        """The phrase and the value of an edge that is an instant that moves with the question, or a day."""
        if isinstance(edge, timedelta):
            return moving, self._span(edge, "last_" if moving == "window" else "")
        return fixed, self._day(edge) if edge else ""
