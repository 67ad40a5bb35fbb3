"""A template compiled for one channel and language: what does not depend on the contact is done once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

import jinja2

from vinculo.render.inline import inline
from vinculo.render.text import text_of

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unit:
    """The compiled parts. `html` has its CSS inlined already unless *late*: there it depends on what is rendered.

    `plain` is the HTML part as its author wrote it, to name the line when something goes wrong.
    """

    name: str
    plain: jinja2.Template | None
    html: jinja2.Template | None
    text: jinja2.Template | None
    subject: jinja2.Template | None
    late: bool = False

    def render_html(self, data: dict[str, Any]) -> str:
        """Return the HTML for *data*, CSS inlined."""
        if self.plain is None or self.html is None:
            return ""
        if self.late:
            return inline(self.plain.render(data), jinja=False)
        try:
            return self.html.render(data)
        except Exception:
            self.plain.render(data)  # fails in the same way, and at the author's line
            raise

    def render_text(self, data: dict[str, Any], html: str) -> str:
        """Return the text for *data*: from the template's own text part, else from *html*."""
        if self.text is not None:
            return self.text.render(data)
        return text_of(html)

    def render_subject(self, data: dict[str, Any], html: str) -> str:
        """Return the subject: the variant's, else the title of *html*."""
        if self.subject is not None:
            return one_line(self.subject.render(data))
        title = _TITLE.search(html)
        return one_line(unescape(title[1])) if title else ""


def one_line(text: str) -> str:
    """Return *text* on one line, with single spaces. Control characters other than line ends are left to the guard."""
    return re.sub(r"[ \t\r\n]+", " ", text).strip(" ")
