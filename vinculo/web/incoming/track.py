"""Opens and clicks. Every answer comes after the hit is durable; no answer tells a good token from a bad one.

They are the most of what the web app is asked for, so they are answered before Starlette's router and its requests,
which cost more than the commit does; most of them before there is a request at all (`wire`). What is not answered here
goes on to the router: a page that is not there.

HEAD is answered as GET is, and recorded: feedback takes it for a machine's. A message of a campaign with
`open_tracking: off` carries no pixel; with `aggregate`, one that names nobody (`vinculo.tracking`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from vinculo import tracking
from vinculo.db.tables import link
from vinculo.feedback import TRAP, Glance, Hit
from vinculo.model import EventKind
from vinculo.web.addressee import number_in
from vinculo.web.page import not_found
from vinculo.web.place import Place

#: The smallest transparent GIF.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_PATH = re.compile(r"/(?:o/([^/]+)(?:/([^/]+))?\.gif|c/([^/]+)/(?:([0-9]{1,18})|u/([^/]+)/([^/]+)))")
#: How a browser says that it fetches a page before anybody asks for it, under names old and new.
_ADVANCE = frozenset({b"sec-purpose", b"purpose", b"x-purpose", b"x-moz"})
#: So much of what a program says of itself is kept, in characters.
_LONGEST, _SHORT = 500, 40
#: What of `guard.HEADERS` means something on an image, or on the way to another page.
_HEADERS = {
    "Cache-Control": "no-store, max-age=0",
    "Content-Security-Policy": "default-src 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
#: In a request's scope: why what it asks for could not be kept.
FAILED = "vinculo.failed"

Headers = Sequence[tuple[bytes, bytes]]
#: Status, headers, body.
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Tracked(Starlette):
    """An app that answers `/o/…` and `/c/…` by itself, before any of its middleware. *secure* as for `Guard`."""

    def __init__(self, *, secure: bool, **options: Any) -> None:
        super().__init__(**options)
        strict = {"Strict-Transport-Security": "max-age=31536000"} if secure else {}
        self.fixed = [(name.lower().encode(), value.encode()) for name, value in (_HEADERS | strict).items()]
        size = (b"content-length", str(len(PIXEL)).encode())
        self.pixel: Answer = 200, [(b"content-type", b"image/gif"), size, *self.fixed], PIXEL
        #: The same as `wire` has last spelled it, and with which headers of the server.
        self.image: tuple[Headers, bytes] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = None
        if scope["type"] == "http" and scope["path"][:3] in ("/o/", "/c/") and scope["method"] in ("GET", "HEAD"):
            try:
                answer = None if FAILED in scope else await self._answer(scope)
            except Exception as error:  # noqa: BLE001 - the router knows the page for it
                scope[FAILED] = error
        if answer is None:
            await super().__call__(scope, receive, send)
            return
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body if scope["method"] == "GET" else b""})

    async def _answer(self, scope: Scope) -> Answer | None:
        here: Place = self.state.place
        path, client = scope["path"], scope.get("client")
        await _learn(here, path)
        given = asked(here, path, scope["method"], client[0] if client else "", scope["headers"])
        if given is None:
            return self.pixel if path[1] == "o" and _PATH.fullmatch(path) else None
        return self.answer(given, await here.writer.take(given))

    def answer(self, given: Hit | Glance, leads: str) -> Answer:
        """What is answered to *given* once it is kept; a click goes where it *leads*."""
        if isinstance(given, Glance) or given.kind is EventKind.OPENED:
            return self.pixel
        if given.url == TRAP:
            return 204, self.fixed, b""
        to = tracking.location(leads).encode("ascii")
        return 302, [(b"location", to), (b"content-length", b"0"), *self.fixed], b""


def asked(here: Place, path: str, method: str, ip: str, headers: Headers) -> Hit | Glance | None:
    """What a request for *path* asks to be kept; None if no token in it is ours, or its link not yet learnt."""
    parts = _PATH.fullmatch(path)
    if parts is None:
        return None
    token, packed, click, link_id, mac, url = parts.groups()
    if packed:
        named = tracking.read_nameless(here.signer, token, packed)
        return None if named is None else Glance(*named, here.now(), _features(method, ip, headers))
    number = number_in(here, "click" if click else "open", click or token)
    if number is None:
        return None
    features = _features(method, ip, headers)
    if not click:
        return Hit(EventKind.OPENED, number, here.now(), features)
    to = _static(here, int(link_id)) if link_id else _signed(here, click, mac, url)
    if to == TRAP:
        features["trap"] = TRAP
    return Hit(EventKind.CLICKED, number, here.now(), features, to) if to else None


def _signed(here: Place, token: str, mac: str, packed: str) -> str:
    """The address of a link that differs by contact: it is in the URL, under our signature for this message."""
    try:
        url = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
    return url if here.signer.verify("url", f"{token} {url}", mac) else ""


def _static(here: Place, number: int) -> str:
    """The address of a link that is the same for everybody: in our table, so that it can lead nowhere else."""
    return TRAP if number == tracking.HONEYPOT else here.links.get(number, "")


async def _learn(here: Place, path: str) -> None:
    """Look up where a link leads when first it is followed from a message of ours: it never changes."""
    parts = _PATH.fullmatch(path)
    number = int(parts[4] or 0) if parts else 0
    if parts and number and number not in here.links and number_in(here, "click", parts[3]) is not None:
        url = await here.off_loop(_link, here, number)
        if url:
            here.links[number] = url


def _link(here: Place, number: int) -> str:
    with here.read() as db:
        return db.scalar(sa.select(link.c.url).where(link.c.id == number)) or ""


def _features(method: str, ip: str, headers: Headers) -> dict[str, str]:
    """What whoever asks says of itself, as it is kept."""
    found = {"user_agent": "", "method": method, "ip": ip}
    for name, value in headers:
        if name == b"user-agent":
            found["user_agent"] = value.decode("latin-1")[:_LONGEST]
        elif name in _ADVANCE:
            found["purpose"] = value.decode("latin-1")[:_SHORT]
    return found


async def _elsewhere(request: Request) -> Response:
    """The page for what was not answered: it is not there, or the database is away."""
    error = request.scope.get(FAILED)
    if error is not None:
        raise error
    return not_found(request)


routes = [
    Route("/o/{token}.gif", _elsewhere, methods=["GET"]),
    Route("/o/{mac}/{occurrence}.gif", _elsewhere, methods=["GET"]),
    Route("/c/{token}/{link:int}", _elsewhere, methods=["GET"]),
    Route("/c/{token}/u/{mac}/{url}", _elsewhere, methods=["GET"]),
]
