"""Contacts that may be one person: proposed, joined with a reason, and parted again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo import contacts
from vinculo.errors import NotFound, UsageError
from vinculo.model import Contact
from vinculo.web.addressee import alive, form_of
from vinculo.web.console import people
from vinculo.web.console.frame import render
from vinculo.web.page import language_of
from vinculo.web.place import Place, place
from vinculo.web.words import wrong

#: So many values of each kind are proposed at most; who decides on them finds the next.
LINES = 50
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Proposed:
    """What several contacts share, and who they are, the oldest first: the one that would stay."""

    by: str
    value: str
    contacts: tuple[Contact, ...]


async def index(request: Request) -> Response:
    """The contacts that share an address, a number or another system's identifier."""
    here = place(request)
    return render(request, "duplicates.html", here="contacts", rows=await here.off_loop(_proposed, here))


def _proposed(here: Place) -> list[Proposed]:
    with here.read() as db:
        found = contacts.duplicates(db, LINES)
        who = contacts.load(db, sorted({number for each in found for number in each.contacts}))
    rows = [Proposed(each.by, each.value, tuple(who[n] for n in each.contacts if n in who)) for each in found]
    return [row for row in rows if len(row.contacts) > 1]


async def merge(request: Request) -> Response:
    """Let the contact `other` become part of this one."""

    def act(db: sa.Connection, kept: int, other: str, reason: str, now: datetime) -> None:
        contacts.merge(db, kept, _named(db, other), now, reason)

    return await _act(request, "other", act)


def _named(db: sa.Connection, key: str) -> int:
    try:
        found = contacts.find(db, key)
    except UsageError as error:
        raise UsageError(error.message, error.remedy, phrase="several_contacts", key=key) from None
    except (OverflowError, sa.exc.DataError):  # no id is that large
        found = None
    if found is None:
        raise NotFound(f"There is no contact `{key}`", phrase="no_contact", key=key)
    return found


async def unmerge(request: Request) -> Response:
    """Take the contact `joined` out of this one again."""

    def act(db: sa.Connection, kept: int, joined: str, reason: str, now: datetime) -> None:
        if contacts.part(db, joined, now, reason)[0] != kept:
            raise HTTPException(404)  # it is part of somebody else

    return await _act(request, "joined", act)


_Act = Callable[[sa.Connection, int, str, str, datetime], None]


async def _act(request: Request, field: str, act: _Act) -> Response:
    """Do it in one transaction, with its reason; what a person can mend is said on the contact's page."""
    here, number, form = place(request), request.path_params["number"], await form_of(request, fields=5)
    other, reason = (" ".join(form.get(name, "").split()) for name in (field, "reason"))

    def do() -> int:
        with here.rt.begin() as db:
            person = alive(db, number) if number < 2**63 else None
            if person is None:
                raise HTTPException(404)
            if not reason or len(reason) > _LONGEST_REASON:
                raise UsageError("It has no reason", "Say why.", phrase="no_reason", most=_LONGEST_REASON)
            act(db, person.id, other, reason, here.now())
            return person.id

    try:
        return RedirectResponse(f"/contacts/{await here.off_loop(do)}", status_code=303)
    except (UsageError, NotFound) as error:
        return await people.shown(request, number, status=422, wrong=wrong(error, language_of(request)))
