"""Setting what we know of one contact, by the names and rules that an import has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from vinculo.consent import Hasher
from vinculo.contacts.importing.contacts import Options
from vinculo.contacts.importing.file.sheet import Row
from vinculo.contacts.importing.row.columns import assign
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.row.wrong import RowError
from vinculo.contacts.importing.writing.drafts import write
from vinculo.db.tables import contact
from vinculo.errors import NotFound, UsageError

#: What can be emptied, and what goes with it.
_EMPTIED = {name: (name,) for name in ("given_name", "family_name", "region", "city", "owner")} | {
    name: (name, f"{name}_from") for name in ("language", "country", "timezone")
}


def amend(
    db: sa.Connection, contact_id: int, said: Mapping[str, str], *, signer: Hasher, now: datetime, options: Options
) -> int:
    """Set what *said* says, place by place, of the contact; an empty value empties the field.

    An address that is named goes before the others on its channel. Returns how many yeses were not taken over because
    the contact had left. Raises `UsageError` for a place or value that is wrong, `NotFound` for an erased contact.
    """
    found = db.execute(sa.select(contact.c.key, contact.c.erased_at).where(contact.c.id == contact_id)).one()
    if found.erased_at is not None:
        raise NotFound(f"There is no contact #{contact_id} any more", "It was erased, or became part of another.")
    _empty(db, contact_id, [name for name, value in said.items() if not value.strip()], now)
    cells = {name: value for name, value in said.items() if value.strip()}
    if not cells:
        return 0
    places = assign(list(cells), {name: name for name in cells}, options.topics, options.channels)
    if "key" in places.values():
        raise UsageError("A key stays what it is", "Give another system's number as `id.SYSTEM=VALUE`.")
    reader = Reader(places | {"key": "key"}, now, options.country, options.zone, options.currency)
    try:
        draft = reader.draft(Row(1, cells | {"key": found.key}))
    except RowError as error:
        raise UsageError(error.reason, "Nothing was changed.") from None
    return write(db, [draft], signer, now, "set by hand")


def _empty(db: sa.Connection, contact_id: int, names: list[str], now: datetime) -> None:
    for name in names:
        if name not in _EMPTIED:
            raise UsageError(f"`{name}` cannot be emptied", f"These can: {', '.join(sorted(_EMPTIED))}.")
        gone = dict.fromkeys(_EMPTIED[name], "")
        db.execute(sa.update(contact).where(contact.c.id == contact_id).values(gone | {"updated_at": now}))
