"""Into the console and out again."""

from __future__ import annotations

import hmac
import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo.web.addressee import form_of
from vinculo.web.console import gate
from vinculo.web.console.frame import render
from vinculo.web.place import Place, place

#: A path of ours: `//host` and `/\\host` lead to another's.
_OURS = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


async def page(request: Request) -> Response:
    """Ask for the password."""
    return render(request, "login.html", here="login", next=_next(request.query_params.get("next", "")), wrong=False)


async def enter(request: Request) -> Response:
    """Give the cookie for the right password; 403 for a wrong one, 429 while the caller must wait."""
    here, form = place(request), await form_of(request, fields=10)
    who, wanted = request.client.host if request.client else "", _next(form.get("next", ""))
    if wait := here.failures.wait(who, here.now()):
        answer = render(request, "login.html", here="login", status=429, next=wanted, wrong=True, wait=wait)
        answer.headers["Retry-After"] = str(wait)
        return answer
    if not _right(here, form.get("password", "")):
        here.failures.add(who, here.now())
        return render(request, "login.html", here="login", status=403, next=wanted, wrong=True)
    here.failures.forget(who)
    welcome = RedirectResponse(wanted, status_code=303)
    secure = here.project.settings.web.url.startswith("https:")
    cookie = gate.session(here, here.now())
    welcome.set_cookie(
        gate.COOKIE, cookie, max_age=int(gate.SESSION.total_seconds()), httponly=True, samesite="lax", secure=secure
    )
    return welcome


async def leave(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    """Take the cookie back."""
    farewell = RedirectResponse("/login", status_code=303)
    farewell.delete_cookie(gate.COOKIE, httponly=True, samesite="lax")
    return farewell


def _right(here: Place, password: str) -> bool:
    """Compared by keyed hash, in constant time: neither length nor content shows."""
    wanted = here.project.settings.web.password
    given, known = (here.signer.hash("console", each) for each in (password, wanted))
    return bool(wanted) and hmac.compare_digest(given, known)


def _next(path: str) -> str:
    return path if _OURS.fullmatch(path) else "/"
