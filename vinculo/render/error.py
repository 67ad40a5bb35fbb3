"""Why a message cannot be rendered: the template, the line and the reason."""

from __future__ import annotations

import re
from traceback import walk_tb

import jinja2
import sqlalchemy.exc

from vinculo.errors import VinculoError, did_you_mean, nearest
from vinculo.render.jinja import local
from vinculo.render.jinja.sandbox import FILTERS
from vinculo.render.sending import NAMES


class RenderError(VinculoError):
    """A template cannot be rendered. *line* counts from 1; 0: not known, or the file as a whole."""

    exit_code = 2  # as any other file of the project that is wrong

    def __init__(self, reason: str, *, template: str = "", line: int = 0, remedy: str = "") -> None:
        self.reason, self.template, self.line = reason, template, line
        place = f"{template}:{line}: " if template and line else f"{template}: " if template else ""
        super().__init__(place + reason, remedy)


def named(error: Exception, template: str) -> Exception:
    """Return whatever *template* raised as a `RenderError` with its place."""
    if isinstance(error, RenderError):
        return error if error.template else RenderError(error.reason, template=template, remedy=error.remedy)
    if isinstance(error, jinja2.TemplateSyntaxError):
        return RenderError(
            error.message or "syntax", template=_file(error, template), line=error.lineno, remedy=_remedy(error)
        )
    if isinstance(error, jinja2.TemplateNotFound):
        return RenderError(f"There is no `{error.name}` in templates/", template=template)
    if isinstance(error, sqlalchemy.exc.DBAPIError):  # no table of links: no template's fault, nobody is left out
        return error
    file, line = _place(error)
    where = f"templates/{file}" if file else template
    if isinstance(error, jinja2.UndefinedError) and (name := re.fullmatch(r"'(\w+)' is undefined", str(error))):
        return RenderError(f"`{name[1]}` is undefined", template=where, line=line, remedy=did_you_mean(name[1], NAMES))
    words, remedy = str(error) or type(error).__name__, ""
    if isinstance(error, RecursionError):
        words, remedy = "A macro or a file calls itself without end", "Let it end, or take out the call."
    return RenderError(words, template=where, line=line, remedy=remedy)


def _place(error: Exception) -> tuple[str, int]:
    """Return the template's file and line at which *error* was raised: Jinja puts them in the traceback."""
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [(file, line) for file, line in frames if file.endswith((".html", ".txt")) and not file.startswith("/")]
    return ours[-1] if ours else ("", 0)


def _remedy(error: jinja2.TemplateSyntaxError) -> str:
    """The filter that may have been meant, else those of our own."""
    unknown = re.fullmatch(r"No filter named '(.+)'\.", error.message or "")
    if unknown is None:
        return ""
    known = {*FILTERS, *local.FILTERS}
    return did_you_mean(unknown[1], known if nearest(unknown[1], known) else local.FILTERS)


def _file(error: jinja2.TemplateSyntaxError, template: str) -> str:
    return f"templates/{error.name}" if error.name else template
