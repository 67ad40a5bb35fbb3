"""Attributes that a template chooses: `<td {% if wide %}colspan="2"{% endif %}>`.

A parser takes such a stretch for one attribute without a value, if it is one word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from vinculo.render.markup.mask import ATTRIBUTE, Mask, Piece
from vinculo.render.markup.structure import Dynamic

_TOKEN = re.compile(rf"{ATTRIBUTE.pattern}|[^\s=]+")
_VALUE = r"\"[^\"]*\"|'[^']*'|=\s*[^\s\"'=<>`]+"
#: What is written again as it was read.
_PLAIN = re.compile(r"[^\"'<>&]*")


class Choices:
    """The attributes of one element. *attribute* makes `name="value"` of a match of ATTRIBUTE fit for a parser."""

    def __init__(self, mask: Mask, jinja: Mapping[str, Piece], attribute: Callable[[re.Match[str]], str]) -> None:
        self.mask, self.jinja, self.attribute = mask, jinja, attribute
        #: The words that stand for stretches. Their texts bring their own blanks.
        self.words: list[str] = []
        #: The names of attributes that may or may not be there.
        self.names: set[str] = set()
        self._sure: set[str] = set()
        #: Those of the stretch, and of its branch.
        self._stretch: set[str] = set()
        self._branch: set[str] = set()

    def fold(self, attributes: str) -> str:
        """Return *attributes* with every stretch that Jinja decides on made a word. Raises `Dynamic`."""
        done: list[str] = []
        stretch: list[str] = []
        for token in _TOKEN.finditer(self._apart(attributes)):
            piece = self.jinja.get(token[0])
            if not token[0].strip("/"):
                continue
            if piece is None:
                (stretch or done).append(self._attribute(token, chosen=bool(stretch)))
            elif piece.kind != "comment":
                stretch.append(self._statement(piece, begun=bool(stretch)))
                if piece.word == "endif":
                    done.append(self._end(stretch))
                    stretch = []
        if stretch:
            raise Dynamic("a condition begins within a tag and ends outside")
        return "".join(f" {each.lstrip()}" for each in done)

    def _apart(self, attributes: str) -> str:
        """Put blanks around Jinja's tags that stand between attributes, not within values."""
        token = re.compile(f"{_VALUE}|{self.mask.word.pattern}")
        return token.sub(lambda found: f" {found[0]} " if found[0] in self.jinja else found[0], attributes)

    def _statement(self, piece: Piece, *, begun: bool) -> str:
        allowed = {"elif", "else", "endif"} if begun else {"if"}
        if piece.kind != "statement" or piece.word not in allowed:
            raise Dynamic(f"`{piece.word or piece.text}` decides on attributes", piece.line)
        self._stretch |= self._branch
        self._branch = set()
        return piece.text

    def _attribute(self, token: re.Match[str], *, chosen: bool) -> str:
        """Return one attribute. A parser keeps the first of those with one name: only one may ever be there."""
        name = (token[1] or token[0]).lower()
        if any(word[0] in self.jinja for word in self.mask.word.finditer(name)):
            raise Dynamic("an attribute's name is known only when rendered")
        if name in self.names or (chosen and name in {"style"} | self._sure | self._branch):
            raise Dynamic(f"which `{name}` is there is known only when rendered")
        (self._branch if chosen else self._sure).add(name)
        text = self.attribute(token) if token[1] else token[0]
        if not chosen:
            return text
        value = text.partition("=")[2]
        if not _PLAIN.fullmatch(value[1:-1]):
            raise Dynamic(f"the {name} is chosen, and would be spelt otherwise")
        return f' {name}="{value[1:-1]}"' if value else f" {name}"

    def _end(self, stretch: list[str]) -> str:
        self.names |= self._stretch
        self._stretch = set()
        self.words.append(self.mask.hide("".join(stretch)))
        return self.words[-1]
