"""The shape of a message: what a template made with words in place of the contact's own values.

Many contacts share a shape, which says everything but their names. So what is made of the whole HTML, its text part, is
made once a shape, and the values are put into it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from vinculo.mail.compose import LONGEST_LINE, dotted, lines, part_end, part_start
from vinculo.render.compile.form import Form, bytes_form, form, gap, gapless, room
from vinculo.render.compile.own import Own
from vinculo.render.markup.mask import ATTRIBUTE, TAG, Mask, pieces
from vinculo.render.markup.text import text_of

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
#: The values of ours come first in every form.
_FIRST = len(Own)
_NONE = [""] * _FIRST
_GAPS = [Markup(gap(number)) for number in range(_FIRST, 200)]  # noqa: S704 - letters and digits
#: Names and places come again and again: of those that are no longer than this, so many are known by heart.
_SHORT, _KNOWN = 64, 4_096
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
    if values is not None and type(value) is str and len(value) <= _SHORT and _is_simple(value):
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
    number = len(values)
    values.append(text)
    return _GAPS[number] if number < len(_GAPS) else Markup(gap(_FIRST + number))  # noqa: S704 - letters and digits


@lru_cache(maxsize=_KNOWN)
def _is_simple(value: str) -> bool:
    return _SIMPLE.fullmatch(value) is not None


def text_values(raw: list[str]) -> list[str]:
    """Return *raw* values as a text shows them: a blank is a blank."""
    return [each.replace("\xa0", " ") for each in raw]


@dataclass(frozen=True, slots=True)
class Shape:
    """What all messages of one shape say. The forms of HTML take values as HTML spells them, the others as they are.

    `whole` is the MIME message: `head`, then the text part `start`, and `rest`. It may go as it is where no value has
    more than `room` bytes. `wide`: there is more than ASCII in a part; `rough`: a line begins with a dot, or there is
    more than ASCII in the headers. `says`: the text is more than values; `ours`: the subject has values of ours.
    """

    subject: Form[str]
    text: Form[str]
    html: Form[str]
    whole: Form[bytes]
    head: Form[bytes]
    start: Form[bytes]
    rest: Form[bytes]
    room: int
    wide: bool
    rough: bool
    says: bool
    ours: bool

    def title(self, raw: Sequence[str], own: Sequence[bytes]) -> str:
        """Return the subject with *raw* values, and *own* where it shows one of them."""
        return self.subject.fill([*([each.decode() for each in own] if self.ours else _NONE), *raw])


def shape_of(html: str, end: str, write: Callable[[str], str] = str, *, with_text: bool, head: bytes = b"") -> Shape:
    """Return the shape of which *html* is an example, with gaps for its values.

    *end* is put at its end; *write* cuts the gaps of our links down to those of their tokens.
    """
    text = write(text_of(html)) if with_text else gap(Own.TEXT)
    title = write(title_of(html))
    html = write(with_pixel(html, end))
    boundary = f"=_{gap(Own.MESSAGE)}"
    start, rest = (part_start(boundary, kind, gap(Own.ENCODING)).encode() for kind in ("plain", "html"))
    start += lines(text) if with_text else text.encode()
    rest += lines(html) + part_end(boundary).encode()
    whole, above, first, second = map(bytes_form, (head + start + rest, head, start, rest))
    return Shape(
        form(title),
        form(text),
        form(html),
        whole,
        above,
        first,
        second,
        -1 if b"\0" in start + rest else min(room(start, LONGEST_LINE), room(rest, LONGEST_LINE)),
        not (start + rest).isascii(),
        dotted(start) or dotted(rest) or not head.isascii(),
        bool(gapless(text).strip()),
        any(gap(place) in title for place in Own),
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
