"""Contacts: find one, and see everything between us, both ways."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo import consent, contacts, history, loyalty, scoring
from vinculo.db.tables import address, contact
from vinculo.errors import UsageError
from vinculo.model import Contact, storable
from vinculo.web.addressee import alive, answers
from vinculo.web.console.frame import render, whole
from vinculo.web.console.identity import inferred
from vinculo.web.place import Place, place

#: So many contacts are shown at most.
LINES = 50
_LONGEST_QUERY = 200


async def search(request: Request) -> Response:
    """Contacts with `?q=` in name, key or address; an exact key or address leads to its contact at once."""
    here, query = place(request), storable(request.query_params.get("q", "")).strip()[:_LONGEST_QUERY]
    exact = await here.off_loop(_exact, here, query) if query else None
    if exact is not None:
        return RedirectResponse(f"/contacts/{exact}", status_code=303)
    found = await here.off_loop(_search, here, query)
    return render(
        request, "contacts.html", here="contacts", query=query, contacts=found[:LINES], more=len(found) > LINES
    )


def _exact(here: Place, query: str) -> int | None:
    with here.read() as db:
        try:
            return contacts.find(db, query)
        except (UsageError, OverflowError, sa.exc.DataError):  # several have the address, or no id is that large
            return None


def _search(here: Place, query: str) -> list[Contact]:
    c, a = contact.c, address.c
    name = c.given_name.concat(" ").concat(c.family_name)
    ask = sa.select(c.id).where(c.erased_at.is_(None)).order_by(c.id).limit(LINES + 1)
    if query:
        has_address = sa.exists().where(a.contact_id == c.id, a.value.icontains(query, autoescape=True))
        # SQLite knows no case beyond ASCII: Érica is found by `érica` as the capitals stand in her name.
        named = [name.icontains(form, autoescape=True) for form in {query, query.title(), query.lower()}]
        ask = ask.where(sa.or_(*named, c.key.icontains(query, autoescape=True), has_address))
    with here.read() as db:
        ids = list(db.scalars(ask))
        loaded = contacts.load(db, ids)
    return [loaded[number] for number in ids]


async def page(request: Request) -> Response:
    """A contact: who it is, how to reach it, whether we may, what it is worth, and its history."""
    return await shown(request, request.path_params["number"])


async def shown(request: Request, number: int, *, status: int = 200, wrong: str = "") -> Response:
    """The contact's page; *wrong*: what could not be done, and why."""
    here, limit = place(request), whole(request, "limit", 100, 1, 2_000)
    found = await here.off_loop(_found, here, number, limit)
    return render(request, "contact.html", here="contacts", status=status, limit=limit, wrong=wrong, **found)


def _found(here: Place, number: int, limit: int) -> dict[str, Any]:
    with here.read() as db:
        person = alive(db, number) if number < 2**63 else None
        if person is None:
            raise HTTPException(404)
        lines, who = history.timeline(db, person.id, limit + 1), contacts.identity(db, person.id)
        return {
            "contact": person,
            "identity": who,
            "inferred": inferred(person, who),
            "addresses": _addresses(here, db, person),
            "consents": sorted(answers(db, person, here.now()).items()),
            "preferences": consent.preferences(db, person.id),
            "worth": scoring.scored(db, person.id),
            "earned": loyalty.standing_of(db, here.project.loyalty, person.id, here.now()),
            "titles": {stage.name: stage.title for stage in here.project.lifecycle.stages},
            "lines": lines[:limit],
            "more": len(lines) > limit,
            "topics": here.project.policy.topics,
        }


def _addresses(here: Place, db: sa.Connection, person: Contact) -> list[tuple[str, str, str]]:
    """Channel, address, and why it is suppressed, if it is."""
    rows = []
    for one in person.addresses:
        hashed = consent.address_hash(here.signer, one.channel, one.value)
        rows.append((one.channel, one.value, consent.suppressed(db, one.channel, [hashed]).get(hashed, "")))
    return rows
