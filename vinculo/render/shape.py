"""The shape of a message: what a template made with words in place of the contact's own values.

Many contacts share a shape, which says everything but their names. So what is made of the whole HTML, its text part, is
made once a shape, and the values are put into it.
"""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from html import unescape
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from vinculo.render.mask import ATTRIBUTE, TAG, Mask, pieces
from vinculo.render.text import text_of

#: Where in the context the values of a message are collected.
VALUES = "_values"
#: Nobody can guess it: a contact's own text is never taken for a word of ours.
_SALT = f"v{secrets.token_hex(8)}n"
_WORD = re.compile(rf"{_SALT}(\d+)q")
#: A value that stands in a text as any word would: no blanks at its ends, single ones within, no controls.
_WORDS = re.compile(r"[^\s\x00-\x1f\x7f-\xa0]+(?: [^\s\x00-\x1f\x7f-\xa0]+)*")
_LONGEST = 2_000
#: Attributes that lay out a text.
_LAYOUT = frozenset({"style", "align", "valign"})
#: Statements that take what was rendered as a value again.
_TAKES_BACK = re.compile(r"\{%\s*(set\s[^=(]*%\}|call\b|macro\b|filter\s(?!_track|_check))")


def held(source: str) -> str | None:
    """Return Jinja *source* with its values held where a text shows them; None if it works with what it rendered."""
    found = list(pieces(source))
    if any(piece.kind == "statement" and _TAKES_BACK.match(piece.text) for piece in found):
        return None
    mask = Mask(source)
    expressions = {}
    text = ""
    for piece in found:
        word = piece.text if piece.kind == "data" else mask.hide(piece.text)
        if piece.kind == "expression":
            expressions[word] = piece.text
        text += word

    def hold(stretch: str) -> str:
        return mask.word.sub(lambda word: _hold(expressions[word[0]]) if word[0] in expressions else word[0], stretch)

    def attribute(one: re.Match[str]) -> str:
        filtered = "filter" in mask.show(one[2])  # the filter itself holds what it makes
        return one[0] if filtered or one[1].lower() in _LAYOUT else hold(one[0])

    parts, at = [], 0
    for tag in TAG.finditer(text):
        parts += [hold(text[at : tag.start()]), ATTRIBUTE.sub(attribute, tag[0])]
        at = tag.end()
    return mask.show("".join(parts) + hold(text[at:]))


def _hold(expression: str) -> str:
    return f"{{{{ ({expression[2:-2].strip()})|_hold }}}}"


@pass_context
def hold(context: Context, value: Any) -> Markup:
    """Return the word that stands for *value* in this message; the value itself where blanks could run together."""
    text = str(escape(value))
    values = context.get(VALUES)
    raw = unescape(text)
    # inscriptis unescapes what the parser has unescaped: `&amp;` as a name is not a word like any other.
    if values is None or len(text) > _LONGEST or not _WORDS.fullmatch(raw) or unescape(raw) != raw:
        return Markup(text)  # noqa: S704 - escaped
    values.append(text)
    return Markup(f"{_SALT}{len(values) - 1}q")  # noqa: S704 - letters and digits


def filled(shape: str, values: list[str]) -> str:
    """Return the HTML that *shape* is with *values*."""
    return _WORD.sub(lambda word: values[int(word[1])], shape)


def filled_text(shape: str, values: list[str]) -> str:
    """Return the text part of the HTML that *shape* is with *values*."""
    return _WORD.sub(lambda word: unescape(values[int(word[1])]), _text_of(shape))


@lru_cache(maxsize=256)
def _text_of(shape: str) -> str:
    return text_of(shape)
