"""What went wrong, on a plain page: never a traceback, never a word of what is inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from vinculo.errors import NotReady
from vinculo.web.guard import HEADERS
from vinculo.web.page import trouble

_PHRASES = {404: "missing", 405: "method", 413: "large"}
#: When to try again after the database was away, in seconds.
_AGAIN = "5"


async def refused(request: Request, error: Exception) -> Response:
    """What Starlette and our pages refuse: 404, 405, 413, 400."""
    assert isinstance(error, HTTPException)
    answer = trouble(request, error.status_code, _PHRASES.get(error.status_code, "unreadable"))
    answer.headers.update(error.headers or {})
    return answer


async def unreadable(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """The database takes no such value: a NUL in a name, a number beyond all numbers."""
    return trouble(request, 400, "unreadable")


async def away(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """The database does not answer, or is busy for too long."""
    answer = trouble(request, 503, "away")
    answer.headers["Retry-After"] = _AGAIN
    return answer


async def broken(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """A fault of ours; the server logs it. This answer passes no middleware: it brings the headers itself."""
    answer = trouble(request, 500, "broken")
    answer.headers.update(HEADERS)
    return answer


HANDLERS: Mapping[Any, Any] = {
    HTTPException: refused,
    sa.exc.DataError: unreadable,
    NotReady: away,
    sa.exc.OperationalError: away,
    sa.exc.InterfaceError: away,
    sa.exc.TimeoutError: away,
    Exception: broken,
}
