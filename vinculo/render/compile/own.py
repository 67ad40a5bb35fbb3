"""What Vinculo itself puts into a message, and where it stands among the values of a form."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from functools import cache, partial
from itertools import chain
from operator import itemgetter

from vinculo.render.compile.form import gap
from vinculo.signing import Mint, Signer


class Own(IntEnum):
    """The place of each value of ours. The contact's own values follow."""

    CLICK = 0
    PIXEL = 1
    UNSUBSCRIBE = 2
    PREFERENCES = 3
    VIEW = 4
    SURVEY = 5
    REPLY = 6
    BOUNCE = 7
    MESSAGE = 8
    TO = 9
    SUBJECT = 10
    DATE = 11
    ENCODING = 12
    #: The text part where it has a template of its own.
    TEXT = 13
    CONFIRM = 14


#: What a template calls `links`.
LINKS = {each.name.lower(): each for each in (Own.UNSUBSCRIBE, Own.PREFERENCES, Own.VIEW, Own.SURVEY, Own.CONFIRM)}
#: The context's names for a message's click token and for the start of its tracked links.
TOKEN, CLICK = "_token", "_click"
#: Tokens for URLs: the web app's path, what stands after, the purpose, and whether it names the contact.
_URLS = {
    Own.CLICK: ("c", "/", "click", 0),
    Own.PIXEL: ("o", ".gif", "open", 0),
    Own.UNSUBSCRIBE: ("unsubscribe", "", "unsubscribe", 0),
    Own.PREFERENCES: ("preferences", "", "preferences", 1),
    Own.VIEW: ("view", "", "view", 0),
    Own.SURVEY: ("survey", "", "survey", 0),
    Own.CONFIRM: ("confirm", "", "confirm", 0),
}
#: Letters of a token in a link, and in an address. The pixel that names nobody has another.
LINK_TOKEN, LONGEST_TOKEN = 34, 40
_MAIL = {Own.REPLY: "reply", Own.BOUNCE: "bounce", Own.MESSAGE: "message"}
#: The tokens of so many messages are made at once; of more, none would be made faster.
_TOGETHER = 16
#: In a test, links to leave do nothing.
NOWHERE = b"test"


class OwnLinks:
    """Our own links: their tokens stand within addresses that are the same in every message."""

    def __init__(self, web: str) -> None:
        self._around = {place: (f"{web}/{path}/", after) for place, (path, after, _, _) in _URLS.items()}

    def link(self, place: Own, token: str) -> str:
        """Return the link at *place* with *token* in it."""
        before, after = self._around[place]
        return f"{before}{token}{after}"

    def write(self, text: str) -> str:
        """Return *text* with the gap of each link cut down to that of its token."""
        for place in self._around:
            text = text.replace(gap(place), self.link(place, gap(place)))
        return text

    def links(self, own: Sequence[bytes]) -> dict[str, str]:
        """Return what a template calls `links`."""
        return {name: self.link(place, own[place].decode()) for name, place in LINKS.items()}


class Marks:
    """Makes our own values for each message of an edition, those that it *needs*: of a link only the token."""

    def __init__(self, signer: Signer, needs: Collection[Own]) -> None:
        self._signer, self._needs = signer, needs
        self._alone, self._together = self._mint(1), cache(partial(self._mint, _TOGETHER))

    def __call__(self, delivery: int, contact: int) -> list[bytes]:
        """Return the values in the order of `Own`; what is not ours to make here is empty."""
        mint, (pick,) = self._alone
        return list(pick((*mint(delivery, contact), b"")))

    def many(self, pairs: Sequence[tuple[int, int]]) -> list[list[bytes]]:
        """Return what a call with each of *pairs* does: many at once take half the time."""
        made: list[list[bytes]] = []
        for at in range(0, len(pairs), _TOGETHER):
            some = pairs[at : at + _TOGETHER]
            mint, picks = self._together()
            tokens = *mint(*chain.from_iterable([*some, *[some[-1]] * (_TOGETHER - len(some))])), b""
            made += [list(pick(tokens)) for pick in picks[: len(some)]]
        return made

    def _mint(self, number: int) -> tuple[Mint, list[Callable[[Sequence[bytes]], Sequence[bytes]]]]:
        """Return what makes the tokens of so many messages, and what takes out those of each."""
        urls = [place for place in _URLS if place in self._needs]
        mail = [place for place in _MAIL if place in self._needs]
        of_url = [(_URLS[place][2], 2 * one + _URLS[place][3]) for one in range(number) for place in urls]
        of_mail = [(_MAIL[place], 2 * one) for one in range(number) for place in mail]
        picks: list[Callable[[Sequence[bytes]], Sequence[bytes]]] = []
        for one in range(number):
            places = {place: one * len(urls) + at for at, place in enumerate(urls)}
            places |= {place: len(of_url) + one * len(mail) + at for at, place in enumerate(mail)}
            picks.append(itemgetter(*(places.get(place, -1) for place in Own)))
        return self._signer.mint(of_url, of_mail), picks
