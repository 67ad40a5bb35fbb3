"""The parts of a template for one channel and language, compiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jinja2

from vinculo.render.inline import inline
from vinculo.render.shape import one_line, title_of
from vinculo.render.text import text_of


class Words(NamedTuple):
    """What a template says to one contact."""

    subject: str
    text: str
    html: str

    @property
    def says(self) -> bool:
        """Whether there is something to read in the text part."""
        return bool(self.text.strip())


class Late:
    """A template that is compiled when it is first rendered: where a skeleton does the work it never is."""

    def __init__(self, compiled: Callable[[], jinja2.Template]) -> None:
        self._template = cache(compiled)

    def render(self, data: dict[str, Any]) -> str:
        """Return what the template makes of *data*."""
        return self._template().render(data)


@dataclass(frozen=True, slots=True)
class Unit:
    """The compiled parts.

    `plain` is the HTML part as its author wrote it. `styled` has its CSS inlined already; where that depends on what is
    rendered there is none. `held` is the source of `styled` with its values held; none where it works with what it
    rendered.
    """

    name: str
    plain: jinja2.Template | None
    styled: Late | None
    held: str | None
    text: jinja2.Template | None
    subject: jinja2.Template | None
    text_source: str = ""
    subject_source: str = ""

    def render(self, data: dict[str, Any]) -> Words:
        """Return the words for *data*. The text is made from the HTML where the author wrote none."""
        html = self.html(data)
        text = self.text.render(data) if self.text is not None else text_of(html)
        return Words(one_line(self.subject.render(data)) if self.subject is not None else title_of(html), text, html)

    def html(self, data: dict[str, Any]) -> str:
        """Return the HTML for *data*, its CSS inlined."""
        if self.plain is None:
            return ""
        if self.styled is None:
            return inline(self.plain.render(data), jinja=False)
        try:
            return self.styled.render(data)
        except Exception:
            self.plain.render(data)  # fails in the same way, and at the author's line
            raise
