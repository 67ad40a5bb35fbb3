"""Webhooks: signed by the provider, answered 2xx only after every event in them is durable."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vinculo.connector import BadSignature, Connector
from vinculo.errors import UsageError, VinculoError
from vinculo.feedback import Webhook
from vinculo.model import Event
from vinculo.web.place import Place, place

log = logging.getLogger(__name__)
#: The largest body we read, in bytes.
LARGEST = 1_000_000


async def webhook(request: Request) -> Response:
    """Take in what the provider of a channel reports. 401 unsigned, 404 no such channel, 413 too large, 400 unreadable.

    Anything that goes wrong on our side is a 5xx: the provider will try again, and the same event counts once. What is
    genuine and cannot be read is kept as well, to be read again when its connector is mended.
    """
    here, channel = place(request), request.path_params["channel"]
    body = await request.body()
    try:
        events = await here.off_loop(_read, here, channel, dict(request.headers), body)
    except BadSignature as error:
        log.warning("a webhook for %s was refused: %s", channel, error.message)
        return JSONResponse({"error": "not signed by the provider"}, status_code=401)
    except UsageError:
        return JSONResponse({"error": "no such channel"}, status_code=404)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    except Unreadable as error:
        await here.writer.webhook(Webhook(channel, request.headers, body, None))
        if isinstance(error.__cause__, ValueError):
            return JSONResponse({"error": str(error.__cause__)}, status_code=400)
        raise error.__cause__ or error from None
    return JSONResponse({"outcomes": await here.writer.webhook(Webhook(channel, request.headers, body, events))})


class Unreadable(Exception):
    """A connector could not read what is signed by its provider."""


def _read(here: Place, channel: str, headers: Mapping[str, str], body: bytes) -> list[Event]:
    connector = here.rt.connector(channel)
    try:
        return connector.parse_webhook(headers, body)
    except VinculoError:
        raise
    except Exception as error:
        if type(connector).read_webhook is Connector.read_webhook:  # it may have failed before it checked who signed
            raise
        raise Unreadable from error


routes = [Route("/webhooks/{channel}", webhook, methods=["POST"], max_body_size=LARGEST)]
