"""Double opt-in: the page that a request leads to. GET shows what a click would confirm; POST confirms it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vinculo import optin
from vinculo.model import Event, EventKind
from vinculo.web.addressee import Addressee, addressee
from vinculo.web.page import not_found, show
from vinculo.web.place import Place, place


@dataclass(frozen=True, slots=True)
class Asking:
    """A request and who made it.

    *state*: `open`, `done`, `over` when it can no longer be confirmed, or `left`: it was, and the yes holds no more.
    """

    who: Addressee
    request: optin.Request
    state: str


async def confirm_page(request: Request) -> Response:
    """Show what is to be confirmed. Nothing changes: programs follow links, too."""
    here = place(request)
    asking = await here.off_loop(_asking, here, request.path_params["token"])
    return _page(request, here, asking, asking.state) if asking else not_found(request)


async def confirm(request: Request) -> Response:
    """Confirm: from now on it is a yes, with the words that were shown as its proof. Repeated, it changes nothing."""
    here = place(request)
    asking = await here.off_loop(_asking, here, request.path_params["token"])
    if asking is None:
        return not_found(request)
    if asking.state == "open":
        # The yes first: noted alone, a request would count as confirmed and never be a consent. Twice it is once.
        await here.writer.store(_yes(here, asking.request))
        await here.off_loop(_note, here, asking.request)
    return _page(request, here, asking, "done" if asking.state == "open" else asking.state)


routes = [
    Route("/confirm/{token}", confirm_page, methods=["GET"]),
    Route("/confirm/{token}", confirm, methods=["POST"]),
]


def _asking(here: Place, token: str) -> Asking | None:
    who = addressee(here, "confirm", token)
    if who is None:
        return None
    with here.read() as db:
        found = optin.request(db, who.delivery)
    if found is None:
        return None
    if found.confirmed_at is None:
        return Asking(who, found, "over" if found.expires_at <= here.now() else "open")
    return Asking(who, found, "done" if who.live.get((found.channel, found.topic)) else "left")


def _note(here: Place, asked: optin.Request) -> None:
    with here.rt.begin() as db:
        optin.confirmed(db, asked.id, here.now())


def _yes(here: Place, asked: optin.Request) -> Event:
    proof = {"legal_basis": "consent", "text_hash": asked.text_hash, "confirmation": str(asked.id)}
    return Event(
        EventKind.SUBSCRIBED,
        "confirmation",
        f"confirm/{asked.id}",
        here.now(),
        channel=asked.channel,
        contact=f"#{asked.contact_id}",
        topic=asked.topic,
        data=proof,
    )


def _page(request: Request, here: Place, asking: Asking, state: str) -> Response:
    topic = here.project.policy.topics.get(asking.request.topic)
    token = here.signer.token("preferences", asking.who.contact.id)
    wish = asking.who.contact.language
    title = topic.title if topic else {}
    return show(request, "confirm.html", wish=wish, who=asking.who, topic=title, state=state, preferences=token)
