"""What a person wrote, less what we had written: for mail programs that quote without any mark."""

from __future__ import annotations

import re

#: A line of so many words, or letters, that stands in what we sent is ours; a shorter one only beside such a line.
_WORDS, _LETTERS = 5, 30
_MOST_LINES, _LONGEST = 2_000, 100_000
_URL = re.compile(r"<?https?://\S{1,2000}|\[[^\]\n]{0,200}\]")
_APART = re.compile(r"[\W_]+")


def without(text: str, sent: str) -> str:
    """Return *text* without the lines of *sent* in it, however they are wrapped, marked or indented.

    What is the contact's own stays, also between our lines; where nothing is, nothing was said. Linear in both.
    """
    ours = f" {_plain(sent[:_LONGEST])} "
    lines = text.split("\n")[:_MOST_LINES]
    if len(ours) < _LETTERS or not lines:
        return text
    said = [_plain(line) for line in lines]
    there = [bool(line) and f" {line} " in ours for line in said]
    cut = [
        found and (len(line) >= _LETTERS or line.count(" ") >= _WORDS - 1)
        for found, line in zip(there, said, strict=True)
    ]
    if not any(cut):
        return text
    whole = {_plain(line) for line in sent[:_LONGEST].split("\n")}
    _spread(cut, there, said, range(len(lines)))  # the rest of a line that was wrapped
    _spread(cut, [line in whole for line in said], said, range(len(lines) - 1, -1, -1))  # a greeting above it
    return "\n".join(line for line, gone in zip(lines, cut, strict=True) if not gone).strip()


def _spread(cut: list[bool], there: list[bool], said: list[str], places: range) -> None:
    """A short line of ours, or an empty one, goes with the line of ours before it."""
    before = False
    for place in places:
        cut[place] = before = cut[place] or (before and (there[place] or not said[place]))


def _plain(line: str) -> str:
    return _APART.sub(" ", _URL.sub(" ", line).casefold()).strip()
