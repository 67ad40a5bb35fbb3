"""The inbox: what contacts wrote that wants an answer; the thread, both ways; the answer."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote

import sqlalchemy as sa
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo import contacts, conversation, run
from vinculo.conversation import Turn
from vinculo.errors import NotFound, UsageError, VinculoError
from vinculo.model import Message, storable
from vinculo.project.answers import BY_HAND
from vinculo.web.addressee import form_of
from vinculo.web.console.frame import render, whole
from vinculo.web.page import language_of
from vinculo.web.place import Place, place
from vinculo.web.words import wrong

log = logging.getLogger(__name__)
#: So many conversations on a page.
LINES = 50
#: The name under which somebody answers, remembered by the browser.
NAME_COOKIE = "vinculo_name"
STATES = ("open", "waiting", "closed", "all")
_FORM = re.compile(r"[0-9a-f]{32}")


async def index(request: Request) -> Response:
    """The conversations in `?state=`, all owners' or `?owner=`'s."""
    here, first = place(request), whole(request, "from", 0, 0, 1_000_000)
    asked = request.query_params.get("state", "")
    state = asked if asked in STATES else "open"
    owner = storable(request.query_params.get("owner", ""))[:80]
    found = await here.off_loop(_listed, here, state, owner, first)
    more = len(found) > LINES
    return render(
        request, "inbox.html", here="inbox", rows=found[:LINES], state=state, states=STATES, owner=owner, first=first,
        more=more, lines=LINES, owners=await here.off_loop(_owners, here), query=f"state={state}&owner={quote(owner)}",
    )  # fmt: skip


def _listed(here: Place, state: str, owner: str, first: int) -> list[conversation.Line]:
    states = STATES[:3] if state == "all" else (state,)
    with here.read() as db:
        return conversation.inbox(
            db, here.project, here.now(), states=states, owner=owner, limit=LINES + 1, first=first
        )


def _owners(here: Place) -> list[str]:
    with here.read() as db:
        return conversation.owners(db, here.project)


async def times(request: Request) -> Response:
    """How soon each owner answered, week by week."""
    here, weeks = place(request), whole(request, "weeks", 12, 1, 104)

    def found() -> list[conversation.Week]:
        with here.read() as db:
            return conversation.pace(db, here.project, here.now(), weeks=weeks)

    answers = here.project.answers
    return render(request, "times.html", here="inbox", rows=await here.off_loop(found), answers=answers)


async def page(request: Request) -> Response:
    """One conversation: what was said, both ways, and a form to answer."""
    return await _shown(request, request.path_params["number"])


async def _shown(request: Request, number: int, *, status: int = 200, **said: Any) -> Response:
    here = place(request)
    found = await here.off_loop(_found, here, number)
    name = unquote(request.cookies.get(NAME_COOKIE, ""))[:80]
    words = {"wrong": "", "text": "", "form": uuid.uuid4().hex, "longest": conversation.LONGEST} | said
    return render(request, "conversation.html", here="inbox", status=status, me=name, **found, **words)


def _found(here: Place, number: int) -> dict[str, Any]:
    try:
        with here.read() as db:
            line, turns = conversation.thread(db, here.project, number, here.now())
    except NotFound:
        raise HTTPException(404) from None
    first = next((turn.delivery_id for turn in turns if turn.kind == "received" and turn.delivery_id), None)
    ours = _sent(here, first) if first else None
    words = [(turn, _words(here, turn)) for turn in turns]
    return {"line": line, "turns": words, "answers": ours, "known": _addresses(here, line.contact_id)}


def _addresses(here: Place, number: int) -> set[str]:
    """The contact's addresses: what comes from another was written by somebody else, or from a new one."""
    with here.read() as db:
        owner = contacts.living(db, number)
        return {each.value.lower() for one in contacts.load(db, [owner or number]).values() for each in one.addresses}


def _words(here: Place, turn: Turn) -> str:
    """What was said: an answer that was given at once is read where its template has it."""
    if turn.kind == "automatic" and turn.delivery_id:
        sent = _sent(here, turn.delivery_id)
        return sent.text if sent else ""
    return turn.text


def _sent(here: Place, number: int) -> Message | None:
    try:
        return here.rt.sent(number)
    except VinculoError:  # its template is gone, or fails
        return None


# ── doing ────────────────────────────────────────────────────────────────────────────────────────────────────────
async def answer(request: Request) -> Response:
    """Send the answer. The same form again sends nothing: a double click, a reload."""
    here, number, form = place(request), request.path_params["number"], await form_of(request, fields=10)
    name = form.get("form", "")
    if not _FORM.fullmatch(name):
        raise HTTPException(400)

    def write(db: sa.Connection, now: datetime) -> conversation.Answered:
        return conversation.answer(
            db, here.project, number, form.get("text", ""), who=form.get("who", ""), now=now, form=name,
            most=here.rt.renderer.max_text,
        )  # fmt: skip

    done = await _try(request, number, form, write)
    if isinstance(done, Response):
        return done
    sending = None if done.again else BackgroundTask(_send, here, done.occurrence)
    return _named(RedirectResponse(f"/inbox/{number}", status_code=303, background=sending), form)


def _send(here: Place, occurrence: str) -> None:
    """Hand it over now; what cannot be handed over now is by the next run of `deliver`."""
    try:
        run.drain(here.rt, worker=f"console/{uuid.uuid4().hex}", campaign=BY_HAND, occurrence=occurrence)
        run.finish(here.rt, BY_HAND, occurrence)
    except VinculoError as error:
        log.warning("an answer waits in the ledger: %s", error)


async def take(request: Request) -> Response:
    """Answer it oneself from now on."""
    return await _act(request, lambda db, number, form, now: conversation.take(db, number, form.get("who", ""), now))


async def hand_over(request: Request) -> Response:
    """Let somebody else answer."""

    def act(db: sa.Connection, number: int, form: Mapping[str, str], now: datetime) -> None:
        conversation.hand_over(db, number, form.get("to", ""), form.get("who", ""), now, form.get("note", "")[:2000])

    return await _act(request, act)


async def close(request: Request) -> Response:
    """Nothing more is owed."""

    def act(db: sa.Connection, number: int, form: Mapping[str, str], now: datetime) -> None:
        conversation.close(db, number, form.get("who", ""), now, form.get("note", "")[:2000])

    return await _act(request, act)


async def reopen(request: Request) -> Response:
    """Owe an answer again."""
    return await _act(request, lambda db, number, form, now: conversation.reopen(db, number, form.get("who", ""), now))


_Act = Callable[[sa.Connection, int, Mapping[str, str], datetime], None]


async def _act(request: Request, act: _Act) -> Response:
    number, form = request.path_params["number"], await form_of(request, fields=10)
    done = await _try(request, number, form, lambda db, now: act(db, number, form, now))
    return done or _named(RedirectResponse(f"/inbox/{number}", status_code=303), form)


async def _try(
    request: Request, number: int, form: Mapping[str, str], write: Callable[[sa.Connection, datetime], Any]
) -> Any:
    """Do it in one transaction; what a person can mend is said on the page, with the text still in its place."""
    here = place(request)

    def do() -> Any:
        with here.rt.begin() as db:
            return write(db, here.now())

    try:
        return await here.off_loop(do)
    except NotFound:
        raise HTTPException(404) from None
    except UsageError as error:
        kept = {"text": form.get("text", ""), "form": form.get("form", "") or uuid.uuid4().hex}
        return await _shown(request, number, status=422, wrong=wrong(error, language_of(request)), **kept)


def _named(answer: Response, form: Mapping[str, str]) -> Response:
    answer.set_cookie(NAME_COOKIE, quote(form.get("who", "")[:80]), max_age=365 * 86_400, httponly=True, samesite="lax")
    return answer
