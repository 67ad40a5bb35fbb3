"""The web app: tracking, the contact's choices, webhooks, the console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from vinculo.web import console, page, trouble
from vinculo.web.contact import choice, confirm, preferences, survey
from vinculo.web.guard import Guard
from vinculo.web.incoming import events, track, webhook
from vinculo.web.incoming.writer import Writer
from vinculo.web.place import Place

if TYPE_CHECKING:
    from vinculo.runtime import Runtime

#: The largest form that anybody sends, in bytes. A webhook may be larger.
LARGEST_FORM = 65_536

__all__ = ["create_app"]


def create_app(rt: Runtime) -> Starlette:
    """The app over an open runtime."""

    @asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        writer = Writer(rt)
        app.state.place = Place(rt, writer)
        writer.start()
        try:
            yield
        finally:
            writer.stop()

    secure = rt.project.settings.web.url.startswith("https:")
    return track.Tracked(
        secure=secure,
        lifespan=life,
        max_body_size=LARGEST_FORM,
        middleware=[Middleware(Guard, secure=secure)],
        routes=[
            *track.routes,
            *choice.routes,
            *confirm.routes,
            *survey.routes,
            *preferences.routes,
            *webhook.routes,
            *events.routes,
            *console.routes,
            Route("/healthz", _healthy, methods=["GET"]),
            Mount("/static", StaticFiles(directory=page.HERE / "static"), name="static"),
        ],
        exception_handlers=trouble.HANDLERS,
    )


async def _healthy(request: Request) -> Response:
    """True while the database answers."""
    with request.app.state.place.read() as db:
        db.exec_driver_sql("SELECT 1")
    return PlainTextResponse("ok")
