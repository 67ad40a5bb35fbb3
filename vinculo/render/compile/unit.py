"""The parts of a template for one channel and language, compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jinja2

from vinculo.render.compile.environment import Environment
from vinculo.render.compile.shape import held, one_line, title_of
from vinculo.render.markup.flatten import flatten
from vinculo.render.markup.inline import inline
from vinculo.render.markup.structure import Dynamic
from vinculo.render.markup.text import text_of

log = logging.getLogger(__name__)


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

    def __init__(self, name: str, compiled: Callable[[], jinja2.Template]) -> None:
        self.name, self._template = name, cache(compiled)

    def check(self) -> None:
        """Compile it. Raises what is wrong with it."""
        self._template()

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
    plain: Late | None
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

    def check(self) -> None:
        """Compile the HTML part as its author wrote it. Raises what is wrong with it, with its place."""
        if self.plain is not None:
            self.plain.check()

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


def made_of(environment: Environment, name: str, html: str, text: str, subject: str) -> Unit:
    """Return the unit of the files *html* and *text*, none where it is "", and the source of a *subject* of its own."""
    plain = styled = kept = None
    if html:
        plain = Late(html, partial(environment.get_template, html))
        try:
            source = _styled(environment, html)
            kept = held(source) if source else None
        except Exception:
            plain.check()  # fails in the same way, and at the author's line
            raise
        if source:
            styled = Late(html, partial(environment.template, source, html, f"{html} (inlined)"))
    return Unit(
        name,
        plain,
        styled,
        kept,
        environment.get_template(text) if text else None,
        environment.from_string(subject) if subject else None,
        environment.folder.source(text) if text else "",
        subject,
    )


def _styled(environment: Environment, name: str) -> str | None:
    """Return the source of file *name* with its CSS inlined, or nothing if that must wait until it is rendered."""
    try:
        return inline(flatten(name, environment.folder.source))
    except Dynamic as reason:
        log.info("templates/%s is inlined anew for each message: %s", name, reason)
        return None
