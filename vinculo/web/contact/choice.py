"""The contact decides: unsubscribe, and the message in the browser.

GET shows and changes nothing, whoever follows the link: scanners do. POST acts, without login: the token is the proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vinculo import consent, run
from vinculo.db import tables
from vinculo.model import Event, EventKind
from vinculo.render import RenderError
from vinculo.web.addressee import Addressee, addressee, form_of, number_in
from vinculo.web.page import not_found, show
from vinculo.web.place import Place, place

#: A message may style itself and show pictures. It may run nothing, send nothing, and is nobody to us.
MESSAGE_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src http: https: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


# ── unsubscribe ──────────────────────────────────────────────────────────────────────────────────────────────────
async def unsubscribe_page(request: Request) -> Response:
    """Show what a click on the button will do, or that it has been done."""
    here = place(request)
    who = await here.off_loop(addressee, here, "unsubscribe", request.path_params["token"])
    return _unsubscribe_page(request, here, who, _left(who)) if who else not_found(request)


async def unsubscribe(request: Request) -> Response:
    """Withdraw consent for the message's topic: by the button, or by one click in the mail program (RFC 8058 §3.2).

    The mail program's post carries `List-Unsubscribe=One-Click` as a form of either kind, and no cookie; its answer
    must be no redirect. `everything=yes` withdraws from every topic on every channel.
    """
    here = place(request)
    who = await here.off_loop(addressee, here, "unsubscribe", request.path_params["token"])
    if who is None:
        return not_found(request)
    everything = (await form_of(request, fields=10)).get("everything") == "yes"
    await here.writer.store(*await here.off_loop(_leaving, here, who, everything))
    return _unsubscribe_page(request, here, who, "everything" if everything else "topic")


def _unsubscribe_page(request: Request, here: Place, who: Addressee, left: str) -> Response:
    known = here.project.policy.topics.get(who.topic)
    title: Mapping[str, str] = known.title if known else {}
    token = here.signer.token("preferences", who.contact.id)
    return show(
        request, "unsubscribe.html", wish=who.contact.language, who=who, topic=title, left=left, preferences=token
    )


def _left(who: Addressee) -> str:
    """What the contact has left already: `topic`, `everything`, or nothing."""
    if who.live and not any(who.live.values()):
        return "everything"
    return "topic" if who.live.get((who.channel, who.topic)) is False else ""


def _leaving(here: Place, who: Addressee, everything: bool) -> list[Event]:  # noqa: FBT001 - the contact's choice
    """The events of leaving. The same leave twice is one: a mail program that repeats its post changes nothing."""
    c = tables.consent.c
    ask = sa.select(sa.func.max(c.id)).where(c.contact_id == who.contact.id, c.granted)
    with here.read() as db:
        # A yes given since makes the next leave a new one, also from the same old message.
        yes = db.scalar(ask) or 0
        others = set(consent.channels(db, who.contact.id)) - {who.channel} if everything else set()
    topic = "" if everything else who.topic
    number = f"unsubscribe/{who.delivery}/{topic or '*'}/{yes}"
    first = Event(
        EventKind.UNSUBSCRIBED, "web", number, here.now(), channel=who.channel, delivery=who.delivery, topic=topic
    )
    contact = f"#{who.contact.id}"
    return [first] + [
        Event(EventKind.UNSUBSCRIBED, "web", f"{number}/{channel}", here.now(), channel=channel, contact=contact)
        for channel in sorted(others)
    ]


# ── the message in the browser ───────────────────────────────────────────────────────────────────────────────────
async def view(request: Request) -> Response:
    """Show the message as it was sent, to whoever has its link; scripts and forms in it are dead."""
    here = place(request)
    number = number_in(here, "view", request.path_params["token"])
    html = await here.off_loop(_message, here, number) if number is not None else ""
    return HTMLResponse(html, headers={"Content-Security-Policy": MESSAGE_POLICY}) if html else not_found(request)


def _message(here: Place, number: int) -> str:
    try:
        message = run.sent_message(here.rt, number)
    except RenderError:  # its template has changed since, and suits this contact no more
        return ""
    if message is None:
        return ""
    return message.html or f"<!doctype html><meta charset=utf-8><pre>{escape(message.text)}</pre>"


routes = [
    Route("/unsubscribe/{token}", unsubscribe_page, methods=["GET"]),
    Route("/unsubscribe/{token}", unsubscribe, methods=["POST"]),
    Route("/view/{token}", view, methods=["GET"]),
]
