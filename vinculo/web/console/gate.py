"""The console's gate: who may come in, from where, and by which name we are called.

- Bound to this machine alone, the console answers only to this machine's names and to `web.url`'s: a page of another
  site that makes its own name point here (DNS rebinding) gets nothing.
- What changes something must come from a page of ours: `Sec-Fetch-Site`, else `Origin`, must say so. Neither: refused.
- With `web.password` set, nobody comes in without the cookie that `/login` gives.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from vinculo.errors import NotReady
from vinculo.project.schema import Web
from vinculo.web.page import trouble
from vinculo.web.place import Place, place

LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})
COOKIE = "vinculo_console"
#: How long a login lasts.
SESSION = timedelta(hours=12)
_READS = frozenset({"GET", "HEAD"})


def require_password(web: Web) -> None:
    """Raise `NotReady` if people elsewhere could reach the console and nothing would stop them."""
    names = {web.host, urlsplit(web.url).hostname or ""}
    if not web.password and not names <= LOCAL:
        raise NotReady(
            f"The console would be open to everybody on {', '.join(sorted(names - LOCAL))}",
            "Set web.password (VINCULO__WEB__PASSWORD_FILE), or keep web.host and web.url at 127.0.0.1.",
        )


class Gate:
    """Stands before every route of the console. *open_*: the login itself, which needs no login."""

    def __init__(self, app: ASGIApp, *, open_: bool = False) -> None:
        self.app, self.open = app, open_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        refusal = _misnamed(request) or _from_elsewhere(request) or (None if self.open else _stranger(request))
        await (refusal or self.app)(scope, receive, send)


def _misnamed(request: Request) -> Response | None:
    web = place(request).project.settings.web
    known = {*LOCAL, urlsplit(web.url).hostname}
    return trouble(request, 421, "host") if web.host in LOCAL and request.url.hostname not in known else None


def _from_elsewhere(request: Request) -> Response | None:
    if request.method in _READS:
        return None
    site = request.headers.get("sec-fetch-site")
    ours = site == "same-origin" if site is not None else _same_origin(request)
    return None if ours else trouble(request, 403, "elsewhere")


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin", "")
    web = urlsplit(place(request).project.settings.web.url)
    return origin in {f"{request.url.scheme}://{request.url.netloc}", f"{web.scheme}://{web.netloc}"}


def _stranger(request: Request) -> Response | None:
    here = place(request)
    if not here.project.settings.web.password or is_session(here, request.cookies.get(COOKIE, "")):
        return None
    if request.method not in _READS:
        return trouble(request, 403, "login")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)


# ── the cookie ───────────────────────────────────────────────────────────────────────────────────────────────────
def session(here: Place, now: datetime) -> str:
    """Make the cookie of a login: until when, and our signature."""
    until = f"{(now + SESSION).timestamp():.0f}"
    return f"{until}.{here.signer.mac('console', _signed(here, until))}"


def is_session(here: Place, cookie: str) -> bool:
    """Tell whether *cookie* is ours, of this password, and not over."""
    until, _, mac = cookie.partition(".")
    genuine = here.signer.verify("console", _signed(here, until), mac)
    return genuine and float(until) > here.now().timestamp()


def _signed(here: Place, until: str) -> str:
    """A new password ends every login: what is signed names it."""
    return f"{until} {here.signer.hash('console', here.project.settings.web.password)}"
