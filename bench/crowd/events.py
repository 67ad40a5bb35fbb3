"""What the crowd did, week by week in the order of time, as it lies in a history that has grown.

Few do much and many do little: the contact of an event is drawn by rank, rank times chance squared; six in a hundred
never do anything. Openings and clicks come soon after what they answer, and a quarter of the openings are machines'.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

from bench.crowd.calendar import Sent, Week
from vinculo.db.tables import micros

COLUMNS = (
    "contact_id", "at", "direction", "kind", "channel", "campaign", "occurrence", "amount", "currency", "data",
    "source",
)  # fmt: skip
Row = tuple[Any, ...]

#: Of a hundred events, how many are of each kind.
_ANSWERS = {
    "delivered": 12.0, "opened": 27.0, "clicked": 7.0, "replied": 0.5, "auto_replied": 0.3, "bounced": 0.7,
    "complained": 0.05, "unsubscribed": 0.25, "surveyed": 0.7,
}  # fmt: skip
_ELSEWHERE = {"purchased": 9.0, "visited": 13.5, "subscribed": 0.5, "inbound": 0.5}
_SENT = 28.0
_WEEK = int(timedelta(weeks=1).total_seconds() * 1e6)
_DAY, _MINUTE = _WEEK // 7, _WEEK // 10080
_MACHINE, _HUMAN, _NONE = '{"class":"machine"}', '{"class":"human"}', "{}"
_CURRENCIES = (("BRL", "EUR", "USD"), (85, 10, 5))


def happened(dice: Random, week: Week, contacts: int) -> list[Row]:
    """The rows of `interaction` of a week, in the order of their time."""
    rows = list(_rows(dice, week, _Ranks(dice, contacts)))
    rows.sort(key=lambda row: row[1])
    return rows


class _Ranks:
    """Who does something: ranks are scattered over the ids, so that who does much does not stand together."""

    def __init__(self, dice: Random, contacts: int) -> None:
        self._dice, self._contacts = dice, contacts
        self._step = next(n for n in range(int(contacts * 0.618) + 1, 3 * contacts + 2) if math.gcd(n, contacts) == 1)

    def anyone(self) -> int:
        return 1 + int(self._contacts * self._dice.random())

    def active(self) -> int:
        rank = int(self._contacts * 0.94 * self._dice.random() ** 2)
        return 1 + rank * self._step % self._contacts


def _rows(dice: Random, week: Week, ranks: _Ranks) -> Iterator[Row]:
    names = ["sent", *_ANSWERS, *_ELSEWHERE]
    kinds = dice.choices(names, [_SENT, *_ANSWERS.values(), *_ELSEWHERE.values()], k=week.events)
    sent = dice.choices(week.sent, [each.share for each in week.sent], k=week.events)
    begins = micros(week.begins)
    for kind, of in zip(kinds, sent, strict=True):
        if kind == "sent":
            at = micros(of.due) + int(20 * _MINUTE * dice.random())
            yield (ranks.anyone(), at, "out", kind, "email", of.campaign, of.key, None, "", _NONE, "")
        elif kind in _ANSWERS:
            yield _answer(dice, kind, of, begins + _WEEK, ranks.active())
        elif kind == "purchased":
            yield _bought(dice, begins + int(_WEEK * dice.random()), ranks.active())
        else:
            yield (ranks.active(), begins + int(_WEEK * dice.random()), "in", kind, "", "", "", None, "", _NONE, "shop")


def _answer(dice: Random, kind: str, of: Sent, before: int, contact: int) -> Row:
    """Soon after the message: half of all within a day."""
    due = micros(of.due)
    at = due + 20 * _MINUTE + int(dice.expovariate(0.7) * _DAY)
    if at >= before:
        at = due + 20 * _MINUTE + int((before - due - 20 * _MINUTE) * dice.random())
    data = _NONE
    if kind in {"opened", "clicked"}:
        data = _MACHINE if dice.random() < (0.25 if kind == "opened" else 0.1) else _HUMAN
    return (contact, at, "in", kind, "email", of.campaign, of.key, None, "", data, "web")


def _bought(dice: Random, at: int, contact: int) -> Row:
    """Amounts are log-normal; one in a hundred is given back."""
    amount = int(dice.lognormvariate(9.1, 0.7))
    if dice.random() < 0.01:
        amount = -amount
    return (contact, at, "in", "purchased", "", "", "", amount, dice.choices(*_CURRENCIES)[0], _NONE, "shop")
