"""From the `who` of a file to a tree of conditions. Every problem is noted with its place; none stops the reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from vinculo.errors import did_you_mean
from vinculo.model import PREFERENCES, CampaignKind, EventKind
from vinculo.segment.read.field import CONSENT_STATES, FIELDS, KEYS, OPERATORS, Field
from vinculo.segment.read.tree import All, Any_, Condition, Consented, Did, In, Not, Reachable, Sample, Test
from vinculo.segment.read.value import (
    Wrong,
    count,
    day_or_ago,
    duration,
    minor,
    names,
    operands,
    percent,
    text_of,
    trait_kind,
    value_of,
)

Path = tuple[Any, ...]
#: What a broken part becomes, so that the rest is still read.
NOBODY = Any_(())
_SYMBOLS = {">=": "at_least", "<=": "at_most", ">": "more_than", "<": "less_than", "=": "in", "==": "in"}


class Parser:
    """Reads one segment's tree, in which a plain amount is in *currency*; afterwards `problems` has (path, message,
    remedy) for each thing that is wrong.
    """

    def __init__(self, currency: str = "") -> None:
        self._currency = currency
        self.problems: list[tuple[Path, str, str]] = []
        #: (path, kind, name) of each segment, topic, channel, campaign and stage that is mentioned.
        self.mentions: list[tuple[Path, str, str]] = []
        self._phrases: dict[str, Callable[[Any, Path], Condition]] = {
            "all": lambda value, path: All(self._parts(value, path)),
            "any": self._any,
            "not": lambda value, path: Not(self.condition(value, path)),
            "traits": self._traits,
            "preference": self._preferences,
            "birthday": lambda value, _: _birthday(value),
            "did": self._did,
            "never": self._never,
            "consent": self._consent,
            "reachable": self._reachable,
            "segment": self._segment,
        }

    def condition(self, value: Any, path: Path) -> Condition:
        """Read one condition; several keys side by side must all hold."""
        if not isinstance(value, Mapping) or not value:
            remedy = (
                "Put several under `all:` or `any:`." if isinstance(value, list) else "Write for example `country: BR`."
            )
            self.problems.append((path, "a condition has a key and a value", remedy))
            return NOBODY
        parts = [
            self._key(str(key), inner, (*path, key), value)
            for key, inner in value.items()
            if not (key == "salt" and "sample" in value)
        ]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _key(self, key: str, value: Any, path: Path, siblings: Mapping[str, Any]) -> Condition:
        try:
            if key == "sample":
                return Sample(percent(value), self._salt(siblings, path))
            if key in self._phrases:
                return self._phrases[key](value, path)
            if key in FIELDS:
                return self._test(FIELDS[key], key, value, path)
        except Wrong as wrong:
            self.problems.append((path, wrong.message, wrong.remedy))
            return NOBODY
        remedy = did_you_mean(key, KEYS)
        if not remedy.startswith("Did"):
            remedy += f" A trait of your own is asked for as `traits: {{{key}: …}}`."
        self.problems.append((path, f"there is no field `{key}`", remedy))
        return NOBODY

    def _salt(self, siblings: Mapping[str, Any], path: Path) -> str:
        salt = siblings.get("salt", "")
        if isinstance(salt, bool) or not isinstance(salt, str | int | float):
            self.problems.append(((*path[:-1], "salt"), "`salt` must be text", "Write for example `salt: autumn`."))
        return str(salt)

    def _parts(self, value: Any, path: Path) -> tuple[Condition, ...]:
        if not isinstance(value, list):
            raise Wrong(f"`{path[-1]}` needs a list of conditions", "Begin each with `- ` on a line of its own.")
        return tuple(self.condition(part, (*path, number)) for number, part in enumerate(value))

    def _any(self, value: Any, path: Path) -> Condition:
        parts = self._parts(value, path)
        if not parts:
            raise Wrong("`any` of nothing is nobody", "Write at least one condition.")
        return Any_(parts)

    # ── facts ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _test(self, field: Field, name: str, value: Any, path: Path) -> Condition:
        """A field's plain value, or operators that must all hold."""
        if field.kind == "money":
            field = replace(field, currency=self._currency)
        if not isinstance(value, Mapping):
            if isinstance(value, list):
                some = [*map(str, value[:5]), *("…" for _ in value[5:6])]
                raise Wrong(f"`{name}` has several values", f"Write `{name}: {{in: [{', '.join(some)}]}}`.")
            if field.kind in {"instant", "ahead", "date"}:
                raise Wrong(f"`{name}` needs an operator", f"Write `{name}: {{after: 2026-01-01}}`.")
            return self._stages(Test(field.home, name, "in", (value_of(field, value),)), path)
        if not value:
            raise Wrong(f"`{name}` says nothing", f"Known: {', '.join(OPERATORS[field.kind])}.")
        parts = [self._operator(field, name, key, inner, (*path, key)) for key, inner in value.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _operator(self, field: Field, name: str, operator: str, value: Any, path: Path) -> Condition:
        known = OPERATORS[field.kind]
        try:
            if operator not in known:
                right = _SYMBOLS.get(operator)
                raise Wrong(
                    f"`{name}` has no `{operator}`",
                    f"Write `{right}: …`." if right in known else did_you_mean(operator, known),
                )
            return self._stages(Test(field.home, name, *operands(field, operator, value)), path)
        except Wrong as wrong:
            self.problems.append((path, wrong.message, wrong.remedy))
            return NOBODY

    def _stages(self, test: Test, path: Path) -> Test:
        if (test.home, test.field, test.operator) == ("score", "stage", "in"):
            self.mentions += [(path, "stage", name) for name in test.values]
        return test

    def _traits(self, value: Any, path: Path) -> Condition:
        if not isinstance(value, Mapping) or not value:
            raise Wrong("`traits` needs the names of traits", "Write `traits: {size: G}`.")
        parts = []
        for name, inner in value.items():
            if not re.fullmatch(r'[^"\\\x00-\x1f]{1,80}', str(name)):
                raise Wrong(f"`{name}` cannot be a trait's name", "Leave out quotes and backslashes.")
            parts.append(self._test(Field("trait", trait_kind(inner)), str(name), inner, (*path, name)))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _preferences(self, value: Any, path: Path) -> Condition:
        if not isinstance(value, Mapping) or not value:
            raise Wrong("`preference` needs the name of one", "Write `preference: {frequency: weekly}`.")
        for name in value:
            if name not in PREFERENCES:
                raise Wrong(f"there is no preference `{name}`", did_you_mean(str(name), PREFERENCES))
        field = Field("preference", "text")
        parts = [self._test(field, name, inner, (*path, name)) for name, inner in value.items()]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    # ── what happened ────────────────────────────────────────────────────────────────────────────────────────────
    def _did(self, value: Any, path: Path) -> Condition:
        options = {"event": value} if isinstance(value, str | list) else value
        if not isinstance(options, Mapping) or "event" not in options:
            raise Wrong("`did` needs an event", "Write `did: {event: purchased, within: 90 days}`.")
        said: dict[str, Any] = {}
        for key, inner in options.items():
            try:
                if key in {"campaign", "channel"}:
                    self._mention((*path, key), key, inner)
                said.update(_did_option(str(key), inner, self._currency))
            except Wrong as wrong:
                self.problems.append(((*path, key), wrong.message, wrong.remedy))
        if "kinds" not in said:
            return NOBODY
        if said.keys() & {"at_least", "at_most", "amount"} == set():
            said["at_least"] = 1
        _require_count(options, said.get("at_least"), said.get("at_most"))
        return Did(**said)

    def _never(self, value: Any, path: Path) -> Condition:
        """`never: purchased`, `never: {event: purchased, within: 90 days}`."""
        if isinstance(value, Mapping) and (
            given := value.keys() & {"at_least", "at_most", "exactly", "amount_at_least"}
        ):
            raise Wrong(f"`never` already says how often; `{min(given)}` has no place in it", "Write `did:` instead.")
        found = self._did(value, path)
        return Not(found)

    def _consent(self, value: Any, path: Path) -> Condition:
        options = {"topic": value} if isinstance(value, str) else value
        if not isinstance(options, Mapping) or "topic" not in options:
            raise Wrong("`consent` needs a topic", "Write `consent: {topic: news, channel: email}`.")
        known = ("topic", "channel", "state")
        for key in sorted(options.keys() - set(known), key=str):
            self.problems.append(((*path, key), f"`consent` has no `{key}`", did_you_mean(str(key), known)))
        said = {key: self._mention(path, key, options[key]) for key in ("topic", "channel") if key in options}
        state = text_of(options.get("state", "given"))
        if state not in CONSENT_STATES:
            raise Wrong(f"consent is never `{state}`", did_you_mean(state, CONSENT_STATES))
        return Consented(**said, state=state)

    def _reachable(self, value: Any, path: Path) -> Condition:
        channels = names(value, "email")
        return Reachable(tuple(self._mention(path, "channel", channel) for channel in channels))

    def _segment(self, value: Any, path: Path) -> Condition:
        return In(self._mention(path, "segment", value))

    def _mention(self, path: Path, kind: str, value: Any) -> str:
        name = text_of(value)
        self.mentions.append((path, kind, name))
        return name


def _birthday(value: Any) -> Condition:
    if value == "today":
        return Test("contact", "birthday", "in_next", (1,))
    if isinstance(value, Mapping) and set(value) == {"in_next"}:
        return Test("contact", "birthday", "in_next", (max(1, duration(value["in_next"]).days),))
    raise Wrong("`birthday` cannot be that", "Write `today` or `{in_next: 7 days}`.")


def _require_count(options: Mapping[str, Any], low: int | None, high: int | None) -> None:
    """Raise `Wrong` where what *options* say of how often cannot be."""
    if "exactly" in options and (also := options.keys() & {"at_least", "at_most"}):
        raise Wrong(f"`exactly` already says how often; `{min(also)}` has no place beside it", "Take one away.")
    if low is not None and high is not None and low > high:
        raise Wrong(f"no count is at least {low} and at most {high}", "Turn the figures round.")


# ── the options of `did` ─────────────────────────────────────────────────────────────────────────────────────────
def _did_option(key: str, value: Any, currency: str) -> dict[str, Any]:
    if key == "amount_at_least":
        return _amount(value, currency)
    if key in _DID_OPTIONS:
        return _DID_OPTIONS[key](value)
    raise Wrong(f"`did` has no `{key}`", did_you_mean(key, (*_DID_OPTIONS, "amount_at_least")))


def _event(value: Any) -> dict[str, Any]:
    kinds = []
    if isinstance(value, Mapping):
        raise Wrong("an event is one kind or a list of them", "Write `[opened, clicked]`.")
    for name in names(value, "purchased"):
        if name not in set(EventKind):
            raise Wrong(f"there is no event `{name}`", did_you_mean(name, EventKind))
        kinds.append(EventKind(name))
    return {"kinds": tuple(kinds)}


def _exactly(value: Any) -> dict[str, Any]:
    return {"at_least": count(value), "at_most": count(value)}


def _amount(value: Any, home: str) -> dict[str, Any]:
    """Read `500`, in the currency *home* of the company, or `500 EUR`."""
    number, _, said = value.partition(" ") if isinstance(value, str) else (value, "", "")
    if said and not re.fullmatch("[A-Z]{3}", said):
        raise Wrong(f"`{said}` is no currency", "Write its three letters: `500 BRL`.")
    currency = said or home
    return {"amount": minor(number, currency), "currency": currency, "converted": currency == home}


def _last(value: Any) -> dict[str, Any]:
    number, _, words = str(value).partition(" ")
    kind = words.strip() if words.strip() in set(CampaignKind) else words.strip().removesuffix("s")
    if not number.isdigit() or not 1 <= int(number) <= 1000 or kind not in set(CampaignKind):
        kinds = ", ".join(f"{k}s" if k not in {"service", "social"} else k for k in CampaignKind)
        raise Wrong(f"`{value}` cannot be counted", f"Write a number and a kind, `5 newsletters`. Kinds: {kinds}.")
    return {"last": int(number), "last_kind": kind}


def _then(value: Any) -> dict[str, Any]:
    """`then: purchased`, `then: {event: purchased, within: 7 days}`."""
    options = {"event": value} if isinstance(value, str | list) else value
    if not isinstance(options, Mapping) or "event" not in options:
        raise Wrong("`then` needs an event", "Write `then: {event: purchased, within: 7 days}`.")
    for key in options.keys() - {"event", "within"}:
        raise Wrong(f"`then` has no `{key}`", did_you_mean(str(key), ("event", "within")))
    within = duration(options["within"]) if "within" in options else None
    return {"then": _event(options["event"])["kinds"], "then_within": within}


_DID_OPTIONS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "event": _event,
    "at_least": lambda value: {"at_least": count(value)},
    "at_most": lambda value: {"at_most": count(value)},
    "exactly": _exactly,
    "within": lambda value: {"within": duration(value)},
    "before": lambda value: {"before": day_or_ago(value)},
    "after": lambda value: {"after": day_or_ago(value)},
    "campaign": lambda value: {"campaign": text_of(value)},
    "channel": lambda value: {"channel": text_of(value)},
    "of_last": _last,
    "then": _then,
}
