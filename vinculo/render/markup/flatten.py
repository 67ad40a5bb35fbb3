"""A template with its layout and its included files made one source, so that all of its CSS and HTML is seen at once.

Jinja itself does it: every tag but those of inheritance is held out of the way, what is left is rendered, and the tags
are put back.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import jinja2

from vinculo.render.markup.mask import Mask, Piece, pieces
from vinculo.render.markup.structure import Dynamic

_STRUCTURE = frozenset({"extends", "block", "endblock", "include"})
_NAMED = re.compile(r"""\{%\s*(extends|include)\s+("[^"]*"|'[^']*')\s*%\}""")
_SUPER = re.compile(r"\{\{\s*super\(\)\s*\}\}")
_OTHER = re.compile(r"\b(super|self)\b")


def flatten(name: str, read: Callable[[str], str]) -> str:
    """Return template *name* as one source that renders the same; *read* gives the source of a file.

    Raises `Dynamic` for what cannot be made one: imports, names of files known only when rendered.
    """
    mask = Mask("")

    def skeleton(file: str) -> str:
        source = list(pieces(read(file)))
        _check_child(source)
        return "".join(_kept(piece, mask) for piece in source)

    environment = jinja2.Environment(  # noqa: S701 - nothing is rendered but the files' own text
        loader=jinja2.FunctionLoader(skeleton), keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    try:
        return mask.show(environment.get_template(name).render())
    except RecursionError:
        raise Dynamic(f"{name} includes itself") from None


def _kept(piece: Piece, mask: Mask) -> str:
    """Return *piece* if it is of inheritance, else a word in its place."""
    if piece.kind == "data":
        if mask.word.search(piece.text):
            raise Dynamic("the text holds one of our own placeholders", piece.line)
        return piece.text
    if piece.kind == "statement":
        return _kept_statement(piece, mask)
    if piece.kind != "expression":
        return "" if piece.kind == "comment" else mask.hide(piece.text)
    if _SUPER.fullmatch(piece.text):
        return piece.text
    if _OTHER.search(piece.text):
        raise Dynamic("`super` and `self` are more than put in place", piece.line)
    return mask.hide(piece.text)


def _kept_statement(piece: Piece, mask: Mask) -> str:
    if piece.word in {"import", "from", "macro", "call"}:
        raise Dynamic(f"`{piece.word}` brings elements from elsewhere", piece.line)
    if piece.word in {"extends", "include"} and not _NAMED.fullmatch(piece.text):
        raise Dynamic(f"`{piece.word}` names a file that is known only when rendered", piece.line)
    return piece.text if piece.word in _STRUCTURE else mask.hide(piece.text)


def _check_child(source: list[Piece]) -> None:
    """Raise `Dynamic` if a template that extends another does something outside its blocks: Jinja runs that first."""
    if not any(piece.word == "extends" for piece in source):
        return
    depth = 0
    for piece in source:
        depth += (piece.word == "block") - (piece.word == "endblock")
        if piece.kind == "statement" and not depth and piece.word not in {"extends", "endblock"}:
            raise Dynamic(f"`{piece.word}` stands outside the blocks of a template that extends another", piece.line)
