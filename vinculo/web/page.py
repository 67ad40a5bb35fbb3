"""Pages: Jinja templates of our own in pages/, words in words.toml, in the reader's language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vinculo.web.place import place

HERE = Path(__file__).parent
LANGUAGES = ("pt", "en", "es")

#: Nothing from elsewhere, no script that is not our own file, no frame around us (GUARANTEES: XSS, clickjacking).
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex",
}


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Every phrase on our pages, by language."""
    return tomllib.loads((HERE / "words.toml").read_text(encoding="utf-8"))


@cache
def pages() -> Environment:
    """Our own pages: trusted, autoescaped, with no undefined name."""
    return Environment(loader=FileSystemLoader(HERE / "pages"), autoescape=True, undefined=StrictUndefined)


def language_of(request: Request, wish: str = "") -> str:
    """The first of these that we speak: `?lang=`, the contact's language, the browser's, the company's, Portuguese."""
    browser = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    company = place(request).project.settings.company.language
    for candidate in (request.query_params.get("lang", ""), wish, *browser, company):
        if candidate[:2].lower() in LANGUAGES:
            return candidate[:2].lower()
    return LANGUAGES[0]


def show(request: Request, name: str, *, wish: str = "", status: int = 200, **values: Any) -> Response:
    """Answer with the page *name* in the reader's language."""
    language = language_of(request, wish)
    company = place(request).project.settings.company
    html = (
        pages()
        .get_template(name)
        .render(
            t=words()[language],
            language=language,
            languages=LANGUAGES,
            company=company,
            path=request.url.path,
            **values,
        )
    )
    return HTMLResponse(html, status_code=status, headers=HEADERS)


def not_found(request: Request) -> Response:
    """The same answer for a wrong token, a forged one and a page that was never there."""
    return show(request, "not_found.html", status=404)
