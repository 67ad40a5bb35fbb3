"""Pages: Jinja templates of our own in pages/, in the reader's language."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vinculo.web import format as forms
from vinculo.web.place import place
from vinculo.web.words import LANGUAGES, NAMES, speaker

HERE = Path(__file__).parent
#: The reader's choice on the console. Contacts' pages set no cookie.
LANGUAGE_COOKIE = "vinculo_language"


@cache
def pages() -> Environment:
    """Our own pages: trusted, autoescaped, with no undefined name."""
    found = Environment(
        loader=FileSystemLoader(HERE / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(forms.FILTERS)
    return found


def asked_language(request: Request) -> str:
    """The language that the reader chose on the page by `?lang=`, if we speak it: it goes on with each step."""
    asked = request.query_params.get("lang", "")[:2].lower()
    return asked if asked in LANGUAGES else ""


def language_of(request: Request, wish: str = "") -> str:
    """The first of these that we speak: `?lang=`, the contact's language, the reader's choice, the browser's, ours."""
    asked, chosen = request.query_params.get("lang", ""), request.cookies.get(LANGUAGE_COOKIE, "")
    browser = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    company = place(request).project.settings.company.language
    for candidate in (asked, wish, chosen, *browser, company):
        if candidate[:2].lower() in LANGUAGES:
            return candidate[:2].lower()
    return LANGUAGES[0]


def show(request: Request, name: str, *, wish: str = "", status: int = 200, **values: Any) -> Response:
    """Answer with the page *name* in the reader's language; *wish* is the language that the contact asked for."""
    settings = place(request).project.settings
    language = language_of(request, wish)
    html = (
        pages()
        .get_template(name)
        .render(
            t=speaker(language),
            language=language,
            spoken=f"?lang={asked_language(request)}" if asked_language(request) else "",
            languages={code: NAMES[code] for code in LANGUAGES},
            company=settings.company,
            zone=settings.company.timezone,
            locked=bool(settings.web.password),
            wrong_files=sorted({each.file for each in place(request).project.problems}),
            stopped=bool(place(request).project.obstacles),
            **values,
        )
    )
    return HTMLResponse(html, status_code=status)


def not_found(request: Request) -> Response:
    """The same answer for a wrong token, a forged one and a page that was never there."""
    return trouble(request, 404, "missing")


def trouble(request: Request, status: int, what: str, **values: Any) -> Response:
    """A plain page that says what went wrong; *what* names the phrase in words.toml."""
    return show(request, "trouble.html", status=status, what=what, values=values)
