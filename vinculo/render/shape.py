"""The shape of a message: what a template made with words in place of the contact's own values.

Many contacts share a shape, which says everything but their names. So what is made of the whole HTML, its text part, is
made once a shape, and the values are put into it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from vinculo.mail.compose import LONGEST_LINE, dotted, lines, part_end, part_start
from vinculo.render.form import Form, bytes_form, form, gap, room
from vinculo.render.mask import ATTRIBUTE, TAG, Mask, pieces
from vinculo.render.own import Own
from vinculo.render.text import text_of

#: Where in the context the values of a message are collected.
VALUES = "_values"
#: A value that stands in a text as any word would: no blanks at its ends, single ones within, no controls.
_WORDS = re.compile(r"[^\s\x00-\x1f\x7f-\xa0\ud800-\udfff]+(?:[ \xa0][^\s\x00-\x1f\x7f-\xa0\ud800-\udfff]+)*")
#: Such a value, and nothing in it that HTML would spell otherwise.
_SIMPLE = re.compile(
    r"[^\s\x00-\x1f\x7f-\xa0\ud800-\udfff<>&'\"]+(?:[ \xa0][^\s\x00-\x1f\x7f-\xa0\ud800-\udfff<>&'\"]+)*"
)
#: Where a text keeps its blanks: elsewhere one that does not break becomes one that does.
_KEEPS_BLANKS = re.compile(r"<(pre|textarea|listing|xmp)\b|white-space", re.IGNORECASE)
_LONGEST = 2_000
_GAPS = [Markup(gap(number)) for number in range(200)]  # noqa: S704 - letters and digits
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
#: An unfinished character reference: with what follows it, it may be one.
_REFERENCE = re.compile(r"&#?\w*$")
#: Attributes that lay out a text.
_LAYOUT = frozenset({"style", "align", "valign"})
#: Statements that take what was rendered as a value again.
_TAKES_BACK = re.compile(r"\{%\s*(set\s[^=(]*%\}|call\b|macro\b|filter\s(?!_track|_check))")


def held(source: str) -> str | None:
    """Return Jinja *source* with its values held where a text shows them; None if it works with what it rendered."""
    found = list(pieces(source))
    if any(piece.kind == "statement" and _TAKES_BACK.match(piece.text) for piece in found):
        return None
    filter_ = "_hold(exact=true)" if _KEEPS_BLANKS.search(source) else "_hold"
    mask = Mask(source)
    expressions = {}
    text = ""
    for piece in found:
        word = piece.text if piece.kind == "data" else mask.hide(piece.text)
        if piece.kind == "expression":
            expressions[word] = piece.text
        text += word

    def hold(stretch: str) -> str:
        return mask.word.sub(lambda word: held_word(word, stretch), stretch)

    def held_word(word: re.Match[str], stretch: str) -> str:
        free = word[0] in expressions and not _REFERENCE.search(stretch, 0, word.start())
        return _held(expressions[word[0]], filter_) if free else word[0]

    def attribute(one: re.Match[str]) -> str:
        filtered = "filter" in mask.show(one[2])  # the filter itself holds what it makes
        return one[0] if filtered or one[1].lower() in _LAYOUT else hold(one[0])

    parts, at = [], 0
    for tag in TAG.finditer(text):
        parts += [hold(text[at : tag.start()]), ATTRIBUTE.sub(attribute, tag[0])]
        at = tag.end()
    return mask.show("".join(parts) + hold(text[at:]))


def _held(expression: str, filter_: str) -> str:
    return f"{{{{ ({expression[2:-2].strip()})|{filter_} }}}}"


@pass_context
def hold(context: Context, value: Any, *, exact: bool = False) -> Markup:
    """Return the word that stands for *value* in this message; the value itself where blanks could run together.

    *exact*: a text would keep its blanks, so that `text_values` must not change them.
    """
    values = context.parent.get(VALUES)
    if values is not None and type(value) is str and len(value) <= _LONGEST and _SIMPLE.fullmatch(value):
        text = raw = value
    else:
        text = str(escape(value))
        raw = unescape(text)
        # inscriptis unescapes what the parser has unescaped: `&amp;` as a name is not a word like any other. A value
        # that is HTML itself (`|safe`) says something else in a text.
        odd = len(text) > _LONGEST or "<" in text or not _WORDS.fullmatch(raw) or unescape(raw) != raw
        if values is None or odd:
            return Markup(text)  # noqa: S704 - escaped
    if exact and "\xa0" in raw:
        return Markup(text)  # noqa: S704 - escaped
    values.append(text)
    return _GAPS[len(values) - 1] if len(values) <= len(_GAPS) else Markup(gap(len(values) - 1))  # noqa: S704


def text_values(raw: list[str]) -> list[str]:
    """Return *raw* values as a text shows them: a blank is a blank."""
    return [each.replace("\xa0", " ") for each in raw]


@dataclass(frozen=True, slots=True)
class Shape:
    """What all messages of one shape say. The forms of HTML take values as HTML spells them, the others as they are.

    `start` and `rest` are the content of the MIME message, the text part and what follows it, where `plain` says that
    it may go as it is if no value has more than `room` bytes. `wide`: there is more than ASCII in it; `dotted`: a line
    begins with a dot.
    """

    subject: Form[str]
    text: Form[str]
    html: Form[str]
    start: Form[bytes]
    rest: Form[bytes]
    room: int
    wide: bool
    dotted: bool


def shape_of(html: str, pixel: str, *, with_text: bool) -> Shape:
    """Return the shape of which *html* is an example, with gaps for its values. *pixel* is put at its end."""
    text = text_of(html) if with_text else None
    title = title_of(html)
    html = with_pixel(html, pixel)
    boundary = f"=_{gap(Own.MESSAGE)}"
    start, rest = (part_start(boundary, kind, gap(Own.ENCODING)).encode() for kind in ("plain", "html"))
    start += lines(text) if text is not None else b""
    rest += lines(html) + part_end(boundary).encode()
    return Shape(
        form(title),
        form(text or ""),
        form(html),
        bytes_form(start),
        bytes_form(rest),
        -1 if b"\0" in start + rest else min(room(start, LONGEST_LINE), room(rest, LONGEST_LINE)),
        not (start + rest).isascii(),
        dotted(start) or dotted(rest),
    )


def with_pixel(html: str, pixel: str) -> str:
    """Return *html* with *pixel* at the end of its body."""
    before, end, after = html.rpartition("</body>")
    return f"{before}{pixel}{end}{after}" if end else html + pixel


def title_of(html: str) -> str:
    """Return what the title of *html* says, on one line."""
    title = _TITLE.search(html)
    return one_line(unescape(title[1])) if title else ""


def one_line(text: str) -> str:
    """Return *text* on one line, with single spaces. Control characters other than line ends are left to the guard."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
