"""`POST /events`: what our own systems tell us of a contact - purchases, visits, consents - as JSON, under a token.

Answered once every event is durable; the same id again is a duplicate and changes nothing, so that whoever is not sure
of an answer sends the same request again.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import PydanticSerializationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from vinculo import contacts, optin
from vinculo.errors import did_you_mean
from vinculo.fields import Strict
from vinculo.model import Event, EventKind, Money, json_number
from vinculo.web.place import Place, place

#: The largest body we read, in bytes, and the most events in it.
LARGEST, MOST = 1_000_000, 1_000
#: The character NUL, which PostgreSQL keeps in no text; not a backslash that is followed by `u0000`.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
#: The source that our events carry: an id is one of its own there, whatever an import or a provider calls its events.
SOURCE = "api"


class Posted(Strict):
    """One event as it is sent to us."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    kind: EventKind
    #: The contact's key, alias or address.
    contact: Annotated[str, Field(min_length=1, max_length=320)]
    #: When it happened, with its zone; without it: now.
    at: AwareDatetime | None = None
    #: Exact: `"129.90"`. *currency*: ISO 4217; without it the company's.
    amount: str = ""
    currency: Annotated[str, Field(pattern=r"^([A-Za-z]{3})?$")] = ""
    channel: str = ""
    topic: str = ""
    url: str = ""
    text: Annotated[str, Field(max_length=100_000)] = ""
    data: dict[str, Any] = {}

    @model_validator(mode="after")
    def _bought_for_something(self) -> Posted:
        if self.kind is EventKind.PURCHASED and not self.amount:
            raise ValueError('a purchase needs an amount: "amount": "129.90"')
        return self


_MANY: TypeAdapter[list[Posted]] = TypeAdapter(Annotated[list[Posted], Field(min_length=1, max_length=MOST)])


async def receive(request: Request) -> Response:
    """Take in one event, or several as a list. 401 without the token, 422 with every problem and nothing stored."""
    here = place(request)
    wanted, given = here.project.settings.web.events_token, request.headers.get("authorization", "")
    if not (wanted and hmac.compare_digest(given.encode(), f"Bearer {wanted}".encode())):
        remedy = (
            "Send `Authorization: Bearer` and the value of VINCULO__WEB__EVENTS_TOKEN; without it no event is taken."
        )
        return JSONResponse({"error": "no valid token", "remedy": remedy}, status_code=401)
    try:
        told = _read(await request.body())
        posted = _MANY.validate_python(told if isinstance(told, list) else [told])
    except ValidationError as error:
        return _refused([_problem(each) for each in error.errors()])
    except (ValueError, RecursionError) as error:
        return _refused([{"at": "", "message": f"not JSON that can be kept: {error}"}])
    events, problems = _events(posted, here)
    if problems:
        return _refused(problems)
    outcomes = await here.writer.store(*events)
    taken = (one for one, told in zip(events, outcomes, strict=True) if told in {"handled", "duplicate"})
    await here.off_loop(_ask, here, list(taken))
    return JSONResponse({"outcomes": outcomes})


def _ask(here: Place, events: list[Event]) -> None:
    """Double opt-in: whoever said yes to a topic that must be confirmed is asked by a message."""
    wanted = [event for event in events if event.data.get("unconfirmed")]
    if wanted:
        with here.rt.begin() as db:
            for event in wanted:
                contact = contacts.find(db, event.contact)
                if contact is not None and event.channel:
                    text = str(event.data.get("text_hash", ""))
                    optin.ask(
                        db, here.project, contact, event.channel, event.topic, here.now(), source=SOURCE, text_hash=text
                    )


def _read(body: bytes) -> Any:
    """Read JSON that every database can keep. Raises `ValueError`; `RecursionError` for lists without end in lists."""
    if _NUL.search(body):
        raise ValueError("a text holds the character NUL")
    return json.loads(body, parse_constant=json_number, parse_float=json_number, parse_int=json_number)


def _events(posted: list[Posted], here: Place) -> tuple[list[Event], list[dict[str, str]]]:
    """The events, and what is wrong with an amount or a moment that has the right form."""
    events, problems = [], []
    for number, each in enumerate(posted):
        try:
            events.append(_event(each, here))
        except OverflowError:
            problems.append({"at": f"{number}.at", "message": "no calendar has this moment"})
        except PydanticSerializationError:
            told = "nests too deep, or holds half of a character (a lone `\\ud83d`): write less, or the whole of it"
            problems.append({"at": f"{number}.data", "message": told})
        except ValueError as error:
            problems.append({"at": f"{number}.amount", "message": str(error)})
    return events, problems


def _refused(problems: list[dict[str, str]]) -> Response:
    return JSONResponse({"error": "nothing was stored", "problems": problems}, status_code=422)


def _problem(error: Mapping[str, Any]) -> dict[str, str]:
    """Where it is wrong, and what to write instead. What was sent is not repeated: it is a contact's."""
    where, message = [str(each) for each in error["loc"]], re.sub(r"^Value error, ", "", str(error["msg"]))
    if error["type"] == "extra_forbidden":
        message = f"there is no such field. {did_you_mean(where[-1], Posted.model_fields)}"
    return {"at": ".".join(where), "message": message}


def _event(posted: Posted, here: Place) -> Event:
    company = here.project.settings.company
    currency = (posted.currency or company.currency).upper()
    return Event(
        posted.kind,
        SOURCE,
        posted.id,
        (posted.at or here.now()).astimezone(UTC),
        channel=posted.channel,
        contact=posted.contact,
        topic=posted.topic,
        url=posted.url,
        text=posted.text,
        amount=Money(contacts.minor_units(posted.amount, currency), currency) if posted.amount else None,
        data=_data(posted, here),
        raw=_kept(posted, here.now()),
    )


def _data(posted: Posted, here: Place) -> dict[str, Any]:
    """What came with it; a yes that must be confirmed is marked, whatever the sender says."""
    data = {name: value for name, value in posted.data.items() if name != "unconfirmed"}
    to_confirm = posted.kind is EventKind.SUBSCRIBED and optin.needed(here.project, posted.topic)
    return data | ({"unconfirmed": True} if to_confirm else {})


def _kept(posted: Posted, now: datetime) -> bytes:
    """What is kept of it as it came; without a moment of its own it has ours."""
    return (posted.model_copy(update={"at": posted.at or now})).model_dump_json(exclude_defaults=True).encode()


routes = [Route("/events", receive, methods=["POST"], max_body_size=LARGEST)]
