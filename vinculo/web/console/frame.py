"""A page of the console: navigation, the reader's language kept."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from vinculo.web.page import LANGUAGE_COOKIE, show
from vinculo.web.words import LANGUAGES


def render(request: Request, name: str, *, here: str, status: int = 200, **values: Any) -> Response:
    """Answer with the console's page *name*; *here* is its place in the navigation. `?lang=` is remembered."""
    answer = show(request, f"console/{name}", status=status, here=here, **values)
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, asked, max_age=365 * 86_400, httponly=True, samesite="lax")
    return answer


def whole(request: Request, name: str, default: int, low: int, high: int) -> int:
    """The whole number in the query's *name*, between *low* and *high*; *default* if there is none."""
    given = request.query_params.get(name, "")
    return min(max(int(given), low), high) if given.isascii() and given.isdigit() and len(given) < 10 else default
