"""Opens and clicks. Every answer comes after the event is durable; no answer tells a good token from a bad one.

HEAD is answered as GET is, and recorded: feedback takes it for a machine's. A message whose campaign says
`open_tracking: aggregate` or `off` carries no pixel; if its campaign was changed since, what comes is not recorded.
"""

from __future__ import annotations

import base64
import binascii
import secrets

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from vinculo.db.tables import delivery, link, occurrence
from vinculo.model import Event, EventKind
from vinculo.web.addressee import number_in
from vinculo.web.page import not_found
from vinculo.web.place import Place, place

#: The smallest transparent GIF.
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_FRESH = {"Cache-Control": "no-store, max-age=0", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


async def opened(request: Request) -> Response:
    """The pixel: the same image for every token, right or wrong."""
    here = place(request)
    number = number_in(here, "open", request.path_params["token"])
    if number is not None and await here.off_loop(_counts, here, number):
        await here.writer.store(_hit(request, here, EventKind.OPENED, number))
    return _pixel()


async def clicked(request: Request) -> Response:
    """A link that is the same for everybody: its address is in our table, so it can lead nowhere else."""
    here = place(request)
    url = await here.off_loop(_link, here, request.path_params["link"])
    return await _go(request, here, url)


async def clicked_own(request: Request) -> Response:
    """A link that differs by contact: its address is in the URL, under our signature."""
    here, given = place(request), request.path_params
    try:
        url = base64.urlsafe_b64decode(given["url"] + "=" * (-len(given["url"]) % 4)).decode()
    except (binascii.Error, ValueError):
        return not_found(request)
    signed = here.signer.verify("url", f"{given['token']} {url}", given["mac"])
    return await _go(request, here, url if signed else "")


async def _go(request: Request, here: Place, url: str) -> Response:
    number = number_in(here, "click", request.path_params["token"])
    if number is None or not url:
        return not_found(request)
    await here.writer.store(_hit(request, here, EventKind.CLICKED, number, url))
    return RedirectResponse(url, status_code=302, headers=_FRESH)


def _hit(request: Request, here: Place, kind: EventKind, number: int, url: str = "") -> Event:
    agent = request.headers.get("user-agent", "")[:500]
    features = {"user_agent": agent, "method": request.method, "ip": request.client.host if request.client else ""}
    return Event(
        kind, "web", secrets.token_hex(16), here.now(), channel="email", delivery=number, url=url, data=features
    )


def _pixel() -> Response:
    return Response(PIXEL, media_type="image/gif", headers=_FRESH)


def _counts(here: Place, number: int) -> bool:
    """Whether the campaign, as it was sent, asks who opened; a delivery that we do not know counts nothing."""
    o, d = occurrence.c, delivery.c
    same = sa.and_(o.campaign == d.campaign, o.occurrence == d.occurrence)
    ask = sa.select(o.definition["open_tracking"].as_string()).join_from(delivery, occurrence, same)
    with here.read() as db:
        return db.scalar(ask.where(d.id == number)) == "individual"


def _link(here: Place, number: int) -> str:
    """The address of a link, or nothing. What is known is remembered: a link never changes once it is made."""
    if number not in here.links:
        with here.read() as db:
            url = db.scalar(sa.select(link.c.url).where(link.c.id == number))
        if url is None:
            return ""
        here.links[number] = url
    return here.links[number]


routes = [
    Route("/o/{token}.gif", opened, methods=["GET"], name="opened"),
    Route("/c/{token}/{link:int}", clicked, methods=["GET"], name="clicked"),
    Route("/c/{token}/u/{mac}/{url}", clicked_own, methods=["GET"], name="clicked_own"),
]
