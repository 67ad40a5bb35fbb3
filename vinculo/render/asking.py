"""What of a contact a template may ask for, so that nothing else is looked up for thousands of them.

Jinja has no other way to a contact than its name: whatever is not plainly one field of it counts as all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import jinja2

from vinculo.contacts import EVERYTHING
from vinculo.render.markup.mask import Piece, pieces
from vinculo.render.sending import FIELDS

_CONTACT = re.compile(r"\bcontact\b(?:\s*\.\s*(\w+))?")
_SCORE = re.compile(r"\bscore\b")
_BRINGS = frozenset({"extends", "include", "import", "from"})
_FILE = re.compile(r"""\{%\s*\w+\s+(?:"([^"\\]+)"|'([^'\\]+)')(?!.*\b(?:if|and)\b)[\w\s,]*%\}""", re.DOTALL)
#: What is looked up with the score.
_SCORED = frozenset({"stage"})


def asked(files: Iterable[str], subjects: Iterable[str], read: Callable[[str], str]) -> frozenset[str]:
    """Return what of `EVERYTHING` the templates *files*, and those that they bring in, or *subjects* may ask for.

    *read* gives the source of a file.
    """
    found: set[str] = set()
    left, seen = [*files], set[str]()
    try:
        for source in subjects:
            found |= _in(pieces(source), left)
        while left and not found >= EVERYTHING:
            name = left.pop()
            if name not in seen:
                seen.add(name)
                found |= _in(pieces(read(name)), left)
    except (jinja2.TemplateError, OSError, UnicodeError):  # it says so, with its place, when it is rendered
        return EVERYTHING
    return EVERYTHING & found


def _in(source: Iterable[Piece], files: list[str]) -> set[str]:
    """Return what *source* asks for, and add to *files* what it brings in."""
    found: set[str] = set()
    for piece in source:
        if piece.kind not in {"expression", "statement"}:
            continue
        if piece.word in _BRINGS:
            file = _FILE.fullmatch(piece.text)
            if file is None:  # known only when rendered
                return {*EVERYTHING}
            files.append(file[1] or file[2])
        for field in _CONTACT.findall(piece.text):
            if field not in FIELDS:
                return {*EVERYTHING}
            found |= {field, "score"} if field in _SCORED else {field}
        if _SCORE.search(piece.text):
            found.add("score")
    return found
