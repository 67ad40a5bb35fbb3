"""What Vinculo itself puts into a message, and where it stands among the values of a form."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

from vinculo.signing import Signer


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


#: What a template calls `links`.
LINKS = {each.name.lower(): each for each in (Own.UNSUBSCRIBE, Own.PREFERENCES, Own.VIEW, Own.SURVEY)}
#: The context's names for a message's click token and for the start of its tracked links.
TOKEN, CLICK = "_token", "_click"
#: Tokens for URLs: the web app's path, the purpose, what stands after, and whether it names the contact.
_URLS = {
    Own.CLICK: ("c", "click", "/", 0),
    Own.PIXEL: ("o", "open", ".gif", 0),
    Own.UNSUBSCRIBE: ("unsubscribe", "unsubscribe", "", 0),
    Own.PREFERENCES: ("preferences", "preferences", "", 1),
    Own.VIEW: ("view", "view", "", 0),
    Own.SURVEY: ("survey", "survey", "", 0),
}
_MAIL = {Own.REPLY: "reply", Own.BOUNCE: "bounce", Own.MESSAGE: "message"}
_SIZE = len(Own)


class Marks:
    """Makes our own values for each message of an edition, those that it *needs*."""

    def __init__(self, web: str, signer: Signer, needs: Collection[Own]) -> None:
        urls = {place: _URLS[place] for place in _URLS if place in needs}
        mail = [place for place in _MAIL if place in needs]
        self._mint = signer.mint(
            [(purpose, which) for _, purpose, _, which in urls.values()], [(_MAIL[place], 0) for place in mail]
        )
        self._around = [(int(place), f"{web}/{path}/", after) for place, (path, _, after, _) in urls.items()]
        self._around += [(int(place), "", "") for place in mail]
        #: Where the token is in `Own.CLICK`.
        self.click_token = slice(len(f"{web}/c/"), -1)

    def __call__(self, delivery: int, contact: int) -> list[str]:
        """Return the values in the order of `Own`; what is not ours to make here is empty."""
        values = [""] * _SIZE
        for (place, before, after), token in zip(self._around, self._mint(delivery, contact), strict=True):
            values[place] = before + token.decode() + after
        return values


def test_links(web: str) -> dict[Own, str]:
    """Return the links of a test: they do nothing."""
    return {place: f"{web}/{name}/test" for name, place in LINKS.items()}
