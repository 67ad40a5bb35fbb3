"""Jinja's tags taken out of a source and put back: what reads HTML sees words in their place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import jinja2

Kind = Literal["data", "expression", "statement", "comment", "raw"]
_BEGINS: dict[str, Kind] = {
    "variable_begin": "expression",
    "block_begin": "statement",
    "comment_begin": "comment",
    "raw_begin": "raw",
}
_ENDS = {"variable_end", "block_end", "comment_end", "raw_end"}
#: What tells Jinja to strip blanks. The lexer has done it; told again, it would strip blanks of a neighbouring file.
_SIGN = re.compile(r"^(\{[%{#])[-+]|[-+]([%}#]\})\s*$")
#: An element's start, and one attribute with a value in it.
TAG = re.compile(r"<([a-zA-Z][\w:.-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>")
ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'=<>`]+)""")
_lexer = jinja2.Environment(keep_trailing_newline=True)  # noqa: S701 - reads only, renders nothing


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a template's source; *word* is a statement's first (`for`, `endif`), *line* counts from 1."""

    kind: Kind
    text: str
    word: str = ""
    line: int = 1


@lru_cache(maxsize=8)  # a layout is cut with every template that extends it
def pieces(source: str) -> Sequence[Piece]:
    """Cut *source* where Jinja does. Raises `jinja2.TemplateSyntaxError`."""
    return tuple(_pieces(source))


def _pieces(source: str) -> Iterator[Piece]:
    kind: Kind = "data"
    text, word, start = "", "", 1
    for line, part, value in _lexer.lex(source):
        if part == "data" and kind == "data":
            yield Piece("data", value, "", line)
            continue
        if part in _BEGINS and kind == "data":
            kind, text, word, start = _BEGINS[part], "", "", line
        text += value
        word = word or (value if part == "name" else "")
        if part in _ENDS:
            yield Piece(kind, _SIGN.sub(r"\1\2", text), word, start)
            kind = "data"


class Mask:
    """Stands for stretches of a text by words of letters and digits, which any parser leaves alone."""

    def __init__(self, text: str) -> None:
        self.salt = next(salt for salt in map("vz{:x}z".format, range(7, 10**6)) if salt not in text.lower())
        self.word = re.compile(rf"{self.salt}(\d+)q")
        self.held: list[str] = []

    def hide(self, text: str) -> str:
        """Return the word that stands for *text*."""
        self.held.append(text)
        return f"{self.salt}{len(self.held) - 1}q"

    def show(self, text: str) -> str:
        """Put back what the words of *text* stand for, also within what is put back."""
        while self.word.search(text):
            text = self.word.sub(lambda found: self.held[int(found[1])], text)
        return text
