"""policy.yaml's `confirm` and `implied`: which yes must be confirmed, and what counts as a yes for a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any, Literal

from pydantic import Field

from vinculo.fields import Duration, Name, Strict

#: A place in the file, what is wrong, and what to write instead.
Wrong = tuple[tuple[Any, ...], str, str]


class Confirm(Strict):
    """Double opt-in: a yes to these topics counts once the contact has confirmed it by a message to its address."""

    topics: list[Name] = Field(min_length=1)
    #: The message that asks; it links to `links.confirm`.
    template: Name = "confirm"
    #: How long the contact may confirm.
    expires: Duration = timedelta(days=7)
    #: At most so many messages that ask, for a contact and channel, in a rolling window; and one a day and topic.
    at_most: int = Field(3, ge=1)
    within: Duration = timedelta(days=30)

    @property
    def campaigns(self) -> dict[str, str]:
        """Under which names the ledger keeps the messages that ask, and the topic that each asks about."""
        return {asking(topic): topic for topic in self.topics}


def asking(topic: str) -> str:
    """Under which name the ledger keeps the messages that ask about *topic*."""
    return f"confirm-{topic}"


class Implied(Strict):
    """What a contact did is a yes for some months (CASL s. 10(9): 24 after a purchase, 6 after an inquiry)."""

    after: Literal["purchased", "inbound", "replied", "visited", "surveyed"]
    months: int = Field(ge=1, le=120)
    topics: list[Name] = Field(min_length=1)
    channels: list[Name] = Field(min_length=1)
    #: Only contacts of these countries; of all, when empty.
    countries: list[str] = []


def confirm_problems(confirm: Confirm) -> Iterator[Wrong]:
    """What cannot be meant."""
    if confirm.expires <= timedelta(0):
        yield ("expires",), "nobody can confirm in no time", "Write for example `7 days`."
    if "service" in confirm.topics:
        place = ("topics", confirm.topics.index("service"))
        yield place, "`service` needs no consent, and none can be confirmed", "Leave it out."


def implied_problems(rules: list[Implied]) -> Iterator[Wrong]:
    """Two rules that say different things of the same."""
    told: dict[tuple[str, str, str, str], int] = {}
    for number, rule in enumerate(rules):
        for topic, channel, country in product(rule.topics, rule.channels, rule.countries or [""]):
            first = told.setdefault((rule.after, country, topic, channel), number)
            if first != number:
                message = f"`{rule.after}` implies `{topic}` on `{channel}` twice, here and in rule {first + 1}"
                yield (number,), message, "Leave it in one of them."
        for index, country in enumerate(rule.countries):
            if not (len(country) == 2 and country.isalpha() and country.isupper()):
                yield (number, "countries", index), f"`{country}` is no country", "Write its two-letter code: `CA`."
