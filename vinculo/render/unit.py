"""A template compiled for one channel and language: what does not depend on the contact is done once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import jinja2

from vinculo.render.inline import inline
from vinculo.render.shape import VALUES, filled, filled_text
from vinculo.render.text import text_of

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Words:
    """What a template says to one contact."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Unit:
    """The compiled parts.

    `plain` is the HTML part as its author wrote it. `styled` has its CSS inlined already; where that depends on what is
    rendered there is none. `shaped` is like it with its values held, for a template without a text part of its own.
    """

    name: str
    plain: jinja2.Template | None
    styled: jinja2.Template | None
    shaped: jinja2.Template | None
    text: jinja2.Template | None
    subject: jinja2.Template | None

    def render(self, data: dict[str, Any]) -> Words:
        """Return the words for *data*. The text is made from the HTML where the author wrote none."""
        if self.text is None and self.shaped is not None:
            html, text = self._from_shape(self.shaped, data)
        else:
            html = self._html(data)
            text = self.text.render(data) if self.text is not None else text_of(html)
        return Words(self._subject(data, html), text, html)

    def _html(self, data: dict[str, Any]) -> str:
        if self.plain is None:
            return ""
        if self.styled is None:
            return inline(self.plain.render(data), jinja=False)
        return self._rendered(self.styled, data)

    def _from_shape(self, shaped: jinja2.Template, data: dict[str, Any]) -> tuple[str, str]:
        values: list[str] = []
        shape = self._rendered(shaped, {**data, VALUES: values})
        return filled(shape, values), filled_text(shape, values)

    def _rendered(self, template: jinja2.Template, data: dict[str, Any]) -> str:
        try:
            return template.render(data)
        except Exception:
            if self.plain is not None:
                self.plain.render(data)  # fails in the same way, and at the author's line
            raise

    def _subject(self, data: dict[str, Any], html: str) -> str:
        """Return the subject: the variant's, else the title of *html*."""
        if self.subject is not None:
            return one_line(self.subject.render(data))
        title = _TITLE.search(html)
        return one_line(unescape(title[1])) if title else ""


def one_line(text: str) -> str:
    """Return *text* on one line, with single spaces. Control characters other than line ends are left to the guard."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
