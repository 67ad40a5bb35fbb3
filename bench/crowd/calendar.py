"""Three years of campaigns: a newsletter a week, an offer a month, a survey a quarter, an evening twice a year."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

#: The moment at which every bench asks: nothing of the crowd lies after it.
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
WEEKS = 156
#: Campaign, kind, topic, every so many weeks, days after the week's beginning, share of the week's mail.
_CAMPAIGNS = (
    ("weekly-news", "newsletter", "news", 1, 0, 6),
    ("monthly-offer", "promotion", "offers", 4, 2, 4),
    ("opinion", "survey", "surveys", 13, 3, 1),
    ("tasting", "event", "events", 26, 1, 1),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """An occurrence of a campaign."""

    campaign: str
    kind: str
    topic: str
    due: datetime
    share: int

    @property
    def key(self) -> str:
        return f"{self.due - timedelta(hours=3):%Y-%m-%dT%H:%M}[America/Sao_Paulo]"


@dataclass(frozen=True, slots=True)
class Week:
    """What was sent in a week, and how many events fall into it."""

    begins: datetime
    sent: tuple[Sent, ...]
    events: int


def weeks(events: int) -> Iterator[Week]:
    """The weeks up to `NOW`, oldest first; a growing company has *events* in them."""
    ends = list(accumulate(0.6 + 0.8 * number / WEEKS for number in range(WEEKS)))
    before = 0
    for number, end in enumerate(ends):
        begins = NOW - timedelta(weeks=WEEKS - number)
        until = round(events * end / ends[-1])
        yield Week(begins, tuple(_sent(number, begins)), until - before)
        before = until


def _sent(number: int, begins: datetime) -> Iterator[Sent]:
    for campaign, kind, topic, every, days, share in _CAMPAIGNS:
        if (WEEKS - number) % every == 0 or every == 1:
            yield Sent(campaign, kind, topic, begins + timedelta(days=days), share)
