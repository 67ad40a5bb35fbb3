"""Whether Jinja's blocks and HTML's elements stand within each other as they should: if not, nobody can tell, before
rendering, which element is inside of which.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vinculo.render.markup.mask import Piece

_PAIRED = frozenset({"if", "for", "with", "block"})
_MIDDLE = frozenset({"elif", "else"})
_SINGLE = frozenset({"set", "break", "continue"})
_ASSIGNMENT = re.compile(r"\{%[-+]?\s*set\s[^=(]*=")
#: Expressions that may make elements: what is marked as safe, the result of a call.
_ELEMENTS = re.compile(r"\|\s*safe\b|\b(?!range\b)[a-z_]\w*\s*\(")
_PLAIN_CALL = re.compile(r"\.(get|upper|lower|title|capitalize|strip|isoformat|weekday)\s*\(|\|\s*\w+\s*\(")


class Dynamic(Exception):
    """Which CSS applies depends on what is rendered: *reason*, and the *line* of the source where there is one."""

    def __init__(self, reason: str, line: int = 0) -> None:
        self.reason, self.line = reason, line
        super().__init__(f"{reason} (line {line})" if line else reason)


def check_balance(found: Sequence[Piece]) -> None:
    """Raise `Dynamic` unless each block of *found* ends among them, and none that began outside does."""
    depth = 0
    for piece in (each for each in found if each.kind == "statement"):
        depth += (piece.word in _PAIRED) - piece.word.startswith("end")
        if depth < 0 or (piece.word in _MIDDLE and not depth):
            raise Dynamic(f"`{piece.word}` stands in a comment, its beginning outside", piece.line)
    if depth:
        raise Dynamic("a block begins in a comment and ends outside", found[0].line)


def check_places(root: Any, jinja: Mapping[str, Piece]) -> None:
    """Raise `Dynamic` unless every block begins and ends within the same element, and no expression makes elements."""
    open_blocks: list[tuple[str, Any]] = []
    for comment in root.iter(tag=_comment()):
        piece = jinja.get(comment.text or "")
        if piece is not None and piece.kind == "statement":
            _step(piece, comment, open_blocks)
    for piece in jinja.values():
        if piece.kind == "expression" and _ELEMENTS.search(_PLAIN_CALL.sub("", piece.text)):
            raise Dynamic("an expression may make elements", piece.line)


def _step(piece: Piece, comment: Any, open_blocks: list[tuple[str, Any]]) -> None:
    parent = comment.getparent()
    if piece.word in _PAIRED:
        open_blocks.append((piece.word, parent))
    elif piece.word in _MIDDLE or piece.word.startswith("end"):
        if not open_blocks or open_blocks[-1][1] is not parent:
            raise Dynamic(f"`{piece.word}` stands in another element than its beginning", piece.line)
        if piece.word not in _MIDDLE:
            open_blocks.pop()
    elif piece.word not in _SINGLE or (piece.word == "set" and not _ASSIGNMENT.match(piece.text)):
        raise Dynamic(f"`{piece.word}` may make elements", piece.line)


def _comment() -> Any:
    from lxml import etree

    return etree.Comment
