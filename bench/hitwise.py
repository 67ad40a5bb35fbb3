"""What a tracking server is at first: a framework's request, the event as any other, and a commit of its own.

python -m bench.hitwise PORT: as `python -m vinculo.web` serves: the same image, the same tokens, the same lines.
"""

from __future__ import annotations

import secrets
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vinculo import feedback
from vinculo.model import Event, EventKind
from vinculo.runtime import Runtime, open_runtime
from vinculo.web.incoming.track import PIXEL


def app(rt: Runtime) -> Starlette:
    """One route over an open runtime."""

    def opened(request: Request) -> Response:
        (number,) = rt.signer.read("open", request.path_params["token"])
        said = {"user_agent": request.headers.get("user-agent", ""), "method": request.method}
        event = Event(
            EventKind.OPENED, "web", secrets.token_hex(16), rt.now(), channel="email", delivery=number, data=said
        )
        with rt.begin() as db:
            feedback.receive(db, event, signer=rt.signer, now=rt.now())
        return Response(PIXEL, media_type="image/gif")

    return Starlette(routes=[Route("/o/{token}.gif", opened)])


if __name__ == "__main__":
    with open_runtime() as rt:
        uvicorn.run(app(rt), port=int(sys.argv[1]), log_level="warning", access_log=False)
