"""What the demo's people do with what they get: most do nothing, some read, a few click, write, buy or leave.

`acts` decides and is pure; `perform` does it through the real doors. Each message has dice of its own, made of the
seed and the recipient, so that the order of arrival changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random

from vinculo.demo.act import Act, Caught, Fetch, Mail, Purchase
from vinculo.demo.letter import HARD, SOFT, Letter, away, bounce, complaint, reply
from vinculo.demo.people import PRODUCTS
from vinculo.demo.perform import perform
from vinculo.demo.phrase import APPLE, GMAIL, READERS, SCANNERS

__all__ = ["CHANCES", "Act", "Caught", "Fetch", "Mail", "Purchase", "acts", "perform"]

#: How likely each thing is. Those after `reads` are of people who read; `buys` of people who clicked.
CHANCES: Mapping[str, float] = {
    "hard_bounce": 0.012,
    "soft_bounce": 0.008,
    "away": 0.012,
    "scanned": 0.06,
    "prefetched": 0.22,
    "reads": 0.46,
    "clicks": 0.24,
    "answers_survey": 0.4,
    "replies": 0.03,
    "unsubscribes": 0.014,
    "complains": 0.003,
    "buys": 0.14,
}
#: Links that are not about the content.
_HOUSEKEEPING = ("/unsubscribe/", "/preferences/", "/view/", "/survey/")
#: How people answer "0 to 10", by weight: a good shop with some unhappy customers.
_SCORES = (1, 1, 1, 1, 2, 4, 5, 12, 22, 24, 27)


def acts(received: Iterable[Caught], *, seed: int, now: datetime) -> list[Act]:
    """Return what the recipients of *received* do, in the order in which each of them does it."""
    return [act for caught in received for act in _of(Letter.of(caught), seed, now)]


def _of(letter: Letter, seed: int, now: datetime) -> Iterator[Act]:
    dice = Random(f"{seed}/{letter.to}/{letter.header('Subject')}")  # noqa: S311 - play, no secrets
    if _lands(dice, "hard_bounce"):
        yield bounce(letter, HARD, now)
        return
    if _lands(dice, "soft_bounce"):
        yield bounce(letter, SOFT, now)
        return
    yield from _machines(letter, dice, now)
    if _lands(dice, "reads"):
        yield from _reader(letter, dice, now)


def _lands(dice: Random, name: str) -> bool:
    return dice.random() < CHANCES[name]


def _machines(letter: Letter, dice: Random, now: datetime) -> Iterator[Act]:
    if _lands(dice, "scanned"):
        scanner = dice.choice(SCANNERS)
        yield from (Fetch(letter.to, url, scanner) for url in dict.fromkeys(letter.links))
    if _lands(dice, "prefetched") and letter.pixel:
        yield Fetch(letter.to, letter.pixel, APPLE)
    if _lands(dice, "away"):
        yield away(letter, now)


def _reader(letter: Letter, dice: Random, now: datetime) -> Iterator[Act]:
    program = dice.choices(list(READERS), list(READERS.values()))[0]
    if letter.pixel:
        yield Fetch(letter.to, letter.pixel, GMAIL if dice.random() < 0.45 else program)
    if _lands(dice, "complains"):
        yield complaint(letter, now)
        return
    if _lands(dice, "unsubscribes"):
        yield from _leaves(letter, dice, program)
        return
    yield from _clicks(letter, dice, program, now)
    if _lands(dice, "replies"):
        yield reply(letter, dice, now)


def _clicks(letter: Letter, dice: Random, program: str, now: datetime) -> Iterator[Act]:
    if _lands(dice, "answers_survey") and (scores := _scores(letter)):
        score = dice.choices(range(11), _SCORES)[0]
        for url in (one for one in scores if one.endswith(f"/{score}")):  # the link shows, the button stores
            yield Fetch(letter.to, url, program)
            yield Fetch(letter.to, url, program, "POST", f"score={score}")
    links = [url for url in letter.links if not any(mark in url for mark in _HOUSEKEEPING)]
    if links and _lands(dice, "clicks"):
        for url in dice.sample(links, min(len(links), dice.choice((1, 1, 1, 2)))):
            yield Fetch(letter.to, url, program)
        if _lands(dice, "buys"):
            yield _buys(letter, dice, now)


def _scores(letter: Letter) -> list[str]:
    return [url for url in letter.links if "/survey/" in url]


def _leaves(letter: Letter, dice: Random, program: str) -> Iterator[Act]:
    """By the mail program's own button (RFC 8058), or on our page: look first, then confirm."""
    page = next((url for url in letter.links if "/unsubscribe/" in url), letter.one_click)
    if letter.one_click and dice.random() < 0.6:
        yield Fetch(letter.to, letter.one_click, GMAIL, "POST", "List-Unsubscribe=One-Click")
    elif page:
        yield Fetch(letter.to, page, program)
        yield Fetch(letter.to, page, program, "POST", dice.choice(("", "", "everything=yes")))


def _buys(letter: Letter, dice: Random, now: datetime) -> Purchase:
    product, _, price, weight = dice.choices(PRODUCTS, [weight for *_, weight in PRODUCTS])[0]
    pieces = 1 + (dice.random() < 0.3 and weight > 5)
    order = f"demo-{dice.getrandbits(48):012x}"
    return Purchase(letter.to, order, now + timedelta(seconds=dice.randrange(1, 60)), product, price * pieces)
