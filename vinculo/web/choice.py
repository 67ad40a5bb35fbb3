"""The contact decides: unsubscribe, preference centre, the message in the browser, surveys.

GET shows and changes nothing, whoever follows the link: scanners do. POST acts, without login: the token is the proof.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any

import sqlalchemy as sa
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from vinculo import consent, contacts, run
from vinculo.db.tables import delivery
from vinculo.model import Contact, Event, EventKind
from vinculo.signing import BadToken
from vinculo.web.page import not_found, show
from vinculo.web.place import Place, place

#: How long "a pause" is, in days, as the preference centre offers it.
PAUSES = (30, 90)
FREQUENCIES = ("", "weekly", "monthly")
SCORES = range(11)


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a token speaks of: the delivery it was sent with, and its contact."""

    delivery: int
    campaign: str
    occurrence: str
    channel: str
    topic: str
    contact: Contact


def _addressee(here: Place, purpose: str, token: str) -> Addressee | None:
    try:
        (number,) = here.signer.read(purpose, token)
    except (BadToken, ValueError):
        return None
    d = delivery.c
    columns = (d.id, d.campaign, d.occurrence, d.channel, d.topic, d.contact_id)
    with here.read() as db:
        row = db.execute(sa.select(*columns).where(d.id == number)).first()
        found = contacts.load(db, [row.contact_id]) if row else {}
    if row is None or row.contact_id not in found:  # erased since
        return None
    return Addressee(row.id, row.campaign, row.occurrence, row.channel, row.topic, found[row.contact_id])


# ── unsubscribe ──────────────────────────────────────────────────────────────────────────────────────────────────
async def unsubscribe_page(request: Request) -> Response:
    """Show what a click on the button will do."""
    here = place(request)
    who = await here.off_loop(_addressee, here, "unsubscribe", request.path_params["token"])
    if who is None:
        return not_found(request)
    return show(
        request, "unsubscribe.html", wish=who.contact.language, who=who, title=_title(here, who.topic), done=False
    )


async def unsubscribe(request: Request) -> Response:
    """Withdraw consent for the message's topic: by the button, or by one click in the mail program (RFC 8058 §3.2).

    The mail program's post carries `List-Unsubscribe=One-Click` as a form of either kind, and no cookie; its answer
    must be no redirect.
    """
    here = place(request)
    who = await here.off_loop(_addressee, here, "unsubscribe", request.path_params["token"])
    if who is None:
        return not_found(request)
    form = await request.form(max_files=0, max_fields=10)
    everything = form.get("everything") == "yes"
    await here.writer.store(_left(here, who, "" if everything else who.topic))
    return show(
        request, "unsubscribe.html", wish=who.contact.language, who=who, title=_title(here, who.topic), done=True
    )


def _left(here: Place, who: Addressee, topic: str) -> Event:
    # The same leave twice is one event: a mail program that repeats its post changes nothing.
    number = f"unsubscribe/{who.delivery}/{topic or '*'}"
    return Event(
        EventKind.UNSUBSCRIBED, "web", number, here.now(), channel=who.channel, delivery=who.delivery, topic=topic
    )


def _title(here: Place, topic: str) -> Mapping[str, str]:
    known = here.project.policy.topics.get(topic)
    return known.title if known else {}


# ── preference centre ────────────────────────────────────────────────────────────────────────────────────────────
async def preferences_page(request: Request) -> Response:
    """Show the contact's choices."""
    here = place(request)
    state = await here.off_loop(_choices, here, request.path_params["token"])
    if state is None:
        return not_found(request)
    return show(
        request, "preferences.html", wish=state["contact"].language, saved="saved" in request.query_params, **state
    )


def _choices(here: Place, token: str) -> dict[str, Any] | None:
    try:
        (number,) = here.signer.read("preferences", token)
    except (BadToken, ValueError):
        return None
    with here.read() as db:
        found = contacts.load(db, [number]).get(number)
        if found is None:
            return None
        live = consent.live(db, number, here.now())
        chosen = consent.preferences(db, number)
    channels = sorted({one.channel for one in found.addresses} & set(here.project.settings.channels))
    return {
        "contact": found,
        "token": token,
        "channels": channels,
        "topics": here.project.policy.topics,
        "live": live,
        "chosen": chosen,
        "pauses": PAUSES,
        "frequencies": FREQUENCIES,
    }


async def save_preferences(request: Request) -> Response:
    """Keep what the contact chose; consents become events, so that the history has them."""
    here, token = place(request), request.path_params["token"]
    state = await here.off_loop(_choices, here, token)
    if state is None:
        return not_found(request)
    form = {key: str(value) for key, value in (await request.form(max_files=0, max_fields=200)).items()}
    await here.writer.store(*_changes(here, state, form))
    await here.off_loop(_keep, here, state["contact"].id, form)
    language = form.get("language", "")
    return RedirectResponse(f"/preferences/{token}?saved=1&lang={language}", status_code=303)


def _changes(here: Place, state: Mapping[str, Any], form: Mapping[str, str]) -> list[Event]:
    """One event for each box that is not as it was."""
    nothing = form.get("everything") == "no"
    events = []
    for channel in state["channels"]:
        for topic in state["topics"]:
            wanted = not nothing and form.get(f"{channel}/{topic}") == "yes"
            if wanted != state["live"].get((channel, topic), False):
                kind = EventKind.SUBSCRIBED if wanted else EventKind.UNSUBSCRIBED
                events.append(_choice(here, state["contact"], kind, channel, topic))
    return events


def _choice(here: Place, contact: Contact, kind: EventKind, channel: str, topic: str) -> Event:
    number = secrets.token_hex(16)
    return Event(kind, "preferences", number, here.now(), channel=channel, contact=f"#{contact.id}", topic=topic)


def _keep(here: Place, number: int, form: Mapping[str, str]) -> None:
    pause = form.get("pause", "")
    values = {
        "language": form.get("language", ""),
        "frequency": form.get("frequency", "") if form.get("frequency") in FREQUENCIES else "",
        "channel": form.get("channel", ""),
        "pause_until": _until(here.now(), pause),
    }
    with here.rt.begin() as db:
        for name, value in values.items():
            consent.set_preference(db, number, name, value, here.now())


def _until(now: datetime, pause: str) -> str:
    return (now + timedelta(days=int(pause))).isoformat() if pause in {str(days) for days in PAUSES} else ""


# ── the message in the browser, surveys ──────────────────────────────────────────────────────────────────────────
async def view(request: Request) -> Response:
    """Show the message as it was sent, to whoever has its link; scripts and forms in it are dead."""
    here = place(request)
    try:
        (number,) = here.signer.read("view", request.path_params["token"])
    except (BadToken, ValueError):
        return not_found(request)
    message = await here.off_loop(run.sent_message, here.rt, number)
    if message is None:
        return not_found(request)
    policy = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src * data:"
    return HTMLResponse(
        message.html or f"<pre>{escape(message.text)}</pre>", headers={"Content-Security-Policy": policy}
    )


async def survey_page(request: Request) -> Response:
    """Show the score that a link in the message stands for, and ask to confirm it."""
    here = place(request)
    who = await here.off_loop(_addressee, here, "survey", request.path_params["token"])
    score = request.path_params["score"]
    if who is None or score not in SCORES:
        return not_found(request)
    return show(request, "survey.html", wish=who.contact.language, score=score, scores=SCORES, done=False)


async def survey(request: Request) -> Response:
    """Keep the score, and the words that came with it. The last answer counts."""
    here = place(request)
    who = await here.off_loop(_addressee, here, "survey", request.path_params["token"])
    form = await request.form(max_files=0, max_fields=10)
    score = str(form.get("score", ""))
    if who is None or score not in {str(one) for one in SCORES}:
        return not_found(request)
    event = Event(
        EventKind.SURVEYED,
        "web",
        secrets.token_hex(16),
        here.now(),
        channel=who.channel,
        delivery=who.delivery,
        text=str(form.get("words", ""))[:2000],
        data={"score": int(score)},
    )
    await here.writer.store(event)
    return show(request, "survey.html", wish=who.contact.language, score=int(score), scores=SCORES, done=True)


routes = [
    Route("/unsubscribe/{token}", unsubscribe_page, methods=["GET"]),
    Route("/unsubscribe/{token}", unsubscribe, methods=["POST"]),
    Route("/preferences/{token}", preferences_page, methods=["GET"]),
    Route("/preferences/{token}", save_preferences, methods=["POST"]),
    Route("/view/{token}", view, methods=["GET"]),
    Route("/survey/{token}/{score:int}", survey_page, methods=["GET"]),
    Route("/survey/{token}/{score:int}", survey, methods=["POST"]),
]
