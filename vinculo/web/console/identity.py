"""Who looks after a contact, and in what words its page tells what was only inferred."""

from __future__ import annotations

import sqlalchemy as sa
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from vinculo.contacts import Identity
from vinculo.db.tables import contact
from vinculo.model import Contact
from vinculo.web.addressee import alive, form_of
from vinculo.web.place import place

#: What may be inferred and from what, with the phrases for it.
_INFERRED = {
    "country": "contacts.inferred_country",
    "language": "contacts.inferred_language",
    "timezone": "contacts.inferred_timezone",
}
_FROM = {"phone": "contacts.inferred_by_phone", "country": "contacts.inferred_by_country"}
_LONGEST = 100


def inferred(person: Contact, who: Identity) -> list[tuple[str, str, str]]:
    """What nobody said, as the phrase for what it is, the value, and the phrase for what told us."""
    return [(_INFERRED[name], getattr(person, name), _FROM[source]) for name, source in who.inferred.items()]


async def set_owner(request: Request) -> Response:
    """Say who looks after the contact; an empty name: nobody."""
    here, number = place(request), request.path_params["number"]
    owner = " ".join((await form_of(request, fields=5)).get("owner", "").split())[:_LONGEST]

    def write() -> int | None:
        with here.rt.begin() as db:
            person = alive(db, number) if number < 2**63 else None
            if person is None:
                return None
            db.execute(sa.update(contact).where(contact.c.id == person.id).values(owner=owner, updated_at=here.now()))
            return person.id

    found = await here.off_loop(write)
    if found is None:
        raise HTTPException(404)
    return RedirectResponse(f"/contacts/{found}", status_code=303)
