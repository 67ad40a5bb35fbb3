"""The folders of templates: which parts each has, and whether Jinja can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vinculo.errors import Problem
from vinculo.fields import LANGUAGE
from vinculo.model import NOTHING

_PART = re.compile(rf"^(?P<channel>[a-z0-9_-]+)(\.(?P<language>{LANGUAGE}))?\.(?P<form>html|txt)$")


@dataclass(frozen=True, slots=True)
class Template:
    """The words of a message. `parts` by (channel, form, language); the language "" is for every other language."""

    name: str
    folder: Path
    parts: Mapping[tuple[str, str, str], Path]
    sample: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def part(self, channel: str, form: str, language: str, fallback: str) -> Path | None:
        """Return the file for *language*: pt-BR, then pt, then the company's (*fallback*), then the one for all."""
        for tongue in _tongues(language, fallback):
            if (path := self.parts.get((channel, form, tongue))) is not None:
                return path
        return None

    def spoken(self, channel: str, language: str, fallback: str) -> str:
        """Return the language of what a contact of *language* reads: the company's (*fallback*), if only that is there.

        Else its dates would be of another language than the words around them. A part for all languages may speak any.
        """
        written = {tongue for of, _, tongue in self.parts if of == channel}
        return language if written.isdisjoint(_tags(fallback)) or not written.isdisjoint(_tags(language)) else fallback

    def serves(self, channel: str, fallback: str) -> bool:
        """Say whether every contact can be given a part for *channel*, whatever the contact's language."""
        return any(self.part(channel, form, "", fallback) for form in ("html", "txt"))


def _tongues(*languages: str) -> Iterator[str]:
    for language in languages:
        yield from _tags(language)
    yield ""


def _tags(language: str) -> tuple[str, str]:
    tag = language.replace("_", "-").lower()
    return tag, tag.partition("-")[0]


def parts_of(folder: Path) -> dict[tuple[str, str, str], Path]:
    """Find the parts in *folder*; other files (pictures, notes) are nobody's business."""
    parts = {}
    for path in sorted(folder.iterdir()):
        if found := _PART.match(path.name):
            language = (found["language"] or "").replace("_", "-").lower()
            parts[found["channel"], found["form"], language] = path
    return parts


def syntax_problem(file: str, text: str) -> Problem | None:
    """Return what keeps Jinja from reading *text*."""
    from jinja2 import Environment, TemplateSyntaxError

    try:
        # As the sandbox that renders it does: `{% break %}` and `{% continue %}` are statements.
        Environment(autoescape=True, extensions=["jinja2.ext.loopcontrols"]).parse(text)
    except TemplateSyntaxError as error:
        message = (error.message or "Jinja cannot read this").rstrip(".")
        return Problem(
            file, error.lineno, 1, f"the template is broken: {message}", "Mend or close the tag on this line."
        )
    return None
