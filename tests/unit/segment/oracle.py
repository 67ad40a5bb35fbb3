"""The language of segments once more, in plain Python over plain data, from its description and not from its SQL.

It reads the file's own tree (dicts and lists), so that a mistake of the parser shows too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.unit.segment.conftest import HOME, NOW, Person, World
from vinculo.segment import bucket_of

DAYS = {"30 days": 30, "90 days": 90, "1 year": 365, "7 days": 7, "1 day": 1, "100 years": 36_500}
SPANS = {name: timedelta(days=number) for name, number in DAYS.items()}
SPANS |= {"12 hours": timedelta(hours=12), "1440m": timedelta(minutes=1440)}
SCORES = {"stage", "recency", "frequency", "value", "r", "f", "m", "engagement", "alive", "expected", "lifetime_value"}


NO_SCORE = {"frequency": 0, "value": 0, "stage": "", "engagement": 0}


class Oracle:
    def __init__(self, world: World, segments: dict[str, dict[str, Any]]) -> None:
        self.world, self.segments = world, segments

    def members(self, name: str) -> set[int]:
        return {p.id for p in self.world.people if not p.erased and self.holds(self.segments[name], p)}

    def holds(self, who: dict[str, Any], person: Person) -> bool:
        return all(self.one(key, value, person, who) for key, value in who.items() if key != "salt")

    def one(self, key: str, value: Any, person: Person, siblings: dict[str, Any]) -> bool:  # noqa: PLR0911 - one return a phrase
        if key == "all":
            return all(self.holds(part, person) for part in value)
        if key == "any":
            return any(self.holds(part, person) for part in value)
        if key == "not":
            return not self.holds(value, person)
        if key == "segment":
            return "vip" in person.tags if value == "byhand" else self.holds(self.segments[value], person)
        if key == "sample":
            return bucket_of(person.id, siblings.get("salt", "")) < float(str(value).rstrip("%")) / 100
        if key == "never":
            options = value if isinstance(value, dict) else {"event": value}
            return not self.events(options, person)
        if key in {"did", "consent", "reachable", "birthday", "tag", "traits", "preference"}:
            return getattr(self, f"_{key}")(value, person)
        if key in SCORES:
            row = None if person.score is None else {**NO_SCORE, **person.score}
            found = (row or {}).get(key)
            money = key in {"value", "lifetime_value"}
            return compare(found / 100 if money and found is not None else found, value)
        if key == "next_at":
            return self._ahead((person.score or {}).get(key), value)
        if key in {"nps", "csat"}:
            return compare(self.answered(key, person), value)
        if key == "first_seen":
            return self._instant(person.facts.get("first_seen", NOW - timedelta(days=400)), value)
        default = {"key": f"k{person.id}", "kind": "customer", "birthdate": None}.get(key, "")
        found = person.facts.get(key, default)
        if key == "language" and (not isinstance(value, dict) or "in" in value):
            asked = value["in"] if isinstance(value, dict) else [value]
            return any(found == one or found.startswith(f"{one}-") for one in asked)
        return compare(found, value)

    def _instant(self, at: datetime, value: dict[str, Any]) -> bool:
        return (
            ("within" not in value or NOW - SPANS[value["within"]] < at <= NOW)
            and ("before" not in value or at < edge(value["before"]))
            and ("after" not in value or at >= edge(value["after"]))
        )

    def _ahead(self, at: datetime | None, value: dict[str, Any]) -> bool:
        if "is" in value:
            return (at is None) == (value["is"] == "missing")
        if at is None:
            return False
        if "in_next" in value:
            return NOW < at <= NOW + SPANS[value["in_next"]]
        return at < edge(value["before"]) if "before" in value else at >= edge(value["after"])

    def _did(self, value: Any, person: Person) -> bool:
        options = value if isinstance(value, dict) else {"event": value}
        found = self.events(options, person)
        times = len(
            {(e.get("campaign", ""), e.get("occurrence", "")) for e in found} if "of_last" in options else found
        )
        low = options.get("exactly", options.get("at_least"))
        high = options.get("exactly", options.get("at_most"))
        if low is None and high is None and "amount_at_least" not in options:
            low = 1
        if low is not None and times < low:
            return False
        if high is not None and times > high:
            return False
        if "amount_at_least" in options:
            number, _, currency = str(options["amount_at_least"]).partition(" ")
            return sum(self.paid(e, currency or HOME) for e in found) >= float(number) * 100
        return True

    def paid(self, event: dict[str, Any], currency: str) -> int:
        """Minor units in *currency*; in the company's also what was paid in another, at the rate of its day."""
        if currency == HOME and event.get("currency", "") not in {HOME, ""}:
            return event.get("worth") or 0
        return event.get("amount") or 0

    def events(self, options: dict[str, Any], person: Person) -> list[dict[str, Any]]:
        kinds = options["event"] if isinstance(options["event"], list) else [options["event"]]
        found = [e for e in person.events if e["kind"] in kinds and e["at"] <= NOW]
        if "within" in options:
            found = [e for e in found if e["at"] > NOW - SPANS[options["within"]]]
        if "after" in options:
            found = [e for e in found if e["at"] >= edge(options["after"])]
        if "before" in options:
            found = [e for e in found if e["at"] < edge(options["before"])]
        for key in ("campaign", "channel"):
            if key in options:
                found = [e for e in found if e.get(key, "") == options[key]]
        foreign = str(options.get("amount_at_least", "")).partition(" ")[2]
        if foreign not in {"", HOME}:
            found = [e for e in found if e.get("currency", "") == foreign]
        if "of_last" in options:
            number, words = options["of_last"].split()
            last = self.last(int(number), words.removesuffix("s"))
            found = [e for e in found if (e.get("campaign", ""), e.get("occurrence", "")) in last]
        if "then" in options:
            then = options["then"] if isinstance(options["then"], dict) else {"event": options["then"]}
            after = self.events({"event": then["event"]}, person)
            span = SPANS[then["within"]] if "within" in then else timedelta.max
            found = [e for e in found if any(timedelta(0) < each["at"] - e["at"] <= span for each in after)]
        return found

    def answered(self, scale: str, person: Person) -> int | None:
        """The score of the last answer on *scale*; of two at the same instant the one that was written later."""
        said = [e for e in person.events if e["kind"] == "surveyed" and e["at"] <= NOW]
        given = [e for e in said if e.get("data", {}).get("score") in range(11)]
        here = [e for e in given if e["data"].get("kind", "nps") == scale]
        return max(enumerate(here), key=lambda one: (one[1]["at"], one[0]))[1]["data"]["score"] if here else None

    def last(self, number: int, kind: str) -> set[tuple[str, str]]:
        sent = [o for o in self.world.occurrences if o[2] == kind and o[4] and o[3] <= NOW]
        sent.sort(key=lambda o: (-o[3].timestamp(), o[0], o[1]))
        return {(o[0], o[1]) for o in sent[:number]}

    def _consent(self, value: Any, person: Person) -> bool:
        options = value if isinstance(value, dict) else {"topic": value}
        about, said = options["topic"], person.permissions
        states = [
            "withdrawn" if not granted else "given" if expires is None or expires > NOW else "expired"
            for (channel, topic), (granted, expires) in said.items()
            # Who said no to everything said no to this, where nothing newer is known of it.
            if (topic == about or (topic == "" and (channel, about) not in said))
            and options.get("channel", channel) == channel
        ]
        asked = options.get("state", "given")
        return not states if asked == "none" else asked in states

    def _reachable(self, value: Any, person: Person) -> bool:
        channels = value["in"] if isinstance(value, dict) else [value]
        return any(a[0] in channels and a not in self.world.suppressed for a in person.addresses)

    def _birthday(self, value: Any, person: Person) -> bool:
        born: date | None = person.facts.get("birthdate")
        days = 1 if value == "today" else DAYS[value["in_next"]]
        if born is None:
            return False
        for number in range(days):
            day = self.world.today + timedelta(days=number)
            if (day.month, day.day) == (born.month, born.day):
                return True
            if (born.month, born.day) == (2, 29) and (day.month, day.day) == (2, 28) and (day + timedelta(1)).day == 1:
                return True
        return False

    def _tag(self, value: Any, person: Person) -> bool:
        if isinstance(value, str):
            return value in person.tags
        if "is" in value:
            return bool(person.tags) == (value["is"] == "present")
        return bool(set(value["in"]) & set(person.tags))

    def _traits(self, value: dict[str, Any], person: Person) -> bool:
        return all(compare(person.traits.get(name), asked, typed=True) for name, asked in value.items())

    def _preference(self, value: dict[str, Any], person: Person) -> bool:
        return all(compare(person.preferences.get(name), asked) for name, asked in value.items())


def edge(said: str) -> datetime:
    """A day begins at midnight UTC; `90 days ago` is that instant."""
    if said.endswith(" ago"):
        return NOW - SPANS[said.removesuffix(" ago")]
    return datetime.fromisoformat(said).replace(tzinfo=UTC)


def compare(found: Any, asked: Any, *, typed: bool = False) -> bool:
    if not isinstance(asked, dict):
        return same(found, asked, typed=typed)
    return all(operate(found, name, value, typed=typed) for name, value in asked.items())


def same(found: Any, asked: Any, *, typed: bool) -> bool:
    if found is None:
        return False
    if typed and (
        isinstance(found, bool) != isinstance(asked, bool) or isinstance(found, str) != isinstance(asked, str)
    ):
        return False
    return found == asked


def operate(found: Any, name: str, value: Any, *, typed: bool) -> bool:
    if name == "is":
        return (found is None or found == "") == (value == "missing")
    if name == "in":
        return any(same(found, one, typed=typed) for one in value)
    if isinstance(found, date):
        value = [date.fromisoformat(v) for v in value] if isinstance(value, list) else date.fromisoformat(value)
    fits = str if name in {"contains", "starts_with"} else int | float
    if found is None or (typed and (isinstance(found, bool) or not isinstance(found, fits))):
        return False
    return {
        "at_least": lambda: found >= value,
        "after": lambda: found >= value,
        "before": lambda: found < value,
        "at_most": lambda: found <= value,
        "more_than": lambda: found > value,
        "less_than": lambda: found < value,
        "between": lambda: value[0] <= found <= value[1],
        "contains": lambda: value in found,
        "starts_with": lambda: found.startswith(value),
    }[name]()
