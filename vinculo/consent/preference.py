"""What a contact chooses: how often, in which language, on which channel, and when not."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import sqlalchemy as sa

from vinculo.db.insert import insert
from vinculo.db.tables import preference
from vinculo.errors import UsageError, did_you_mean
from vinculo.model import PREFERENCES

#: How often, in words: at most so many messages in so many days. Else it is `N per D days`, both from 1 to 999.
FREQUENCIES = {"weekly": (1, 7), "monthly": (1, 30)}
_COUNTED = re.compile(r"([1-9][0-9]{0,2}) per ([1-9][0-9]{0,2}) days?", re.ASCII)


def set_preference(db: sa.Connection, contact_id: int, name: str, value: str, at: datetime) -> None:
    """Keep a choice of the contact; "" takes it back. A newer choice stays. Raises `UsageError` for an unknown name."""
    if name not in PREFERENCES:
        raise UsageError(f"There is no preference `{name}`", did_you_mean(name, PREFERENCES))
    if name == "pause_until" and value:
        value = _instant(value)
    if name == "frequency" and value:
        often(value)
    statement = insert(db, preference).values(contact_id=contact_id, name=name, value=value, at=at)
    new = statement.excluded
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["contact_id", "name"],
            set_={"value": new.value, "at": new.at},
            where=new.at >= preference.c.at,
        )
    )


def preferences(db: sa.Connection, contact_id: int) -> dict[str, str]:
    """Return the contact's choices by name."""
    row = preference.c
    ask = sa.select(row.name, row.value).where(row.contact_id == contact_id, row.value != "").order_by(row.name)
    return {row.name: row.value for row in db.execute(ask)}


def often(text: str) -> tuple[int, int]:
    """Read the preference `frequency`: at most so many messages in so many days. Raises `UsageError`."""
    if text in FREQUENCIES:
        return FREQUENCIES[text]
    counted = _COUNTED.fullmatch(text)
    if counted is None:
        raise UsageError(
            f"`{text}` does not say how often", "Write `weekly`, `monthly`, or for example `3 per 10 days`."
        )
    return int(counted[1]), int(counted[2])


def _instant(text: str) -> str:
    """Write an instant so that texts compare as the instants do, which the audience relies on."""
    try:
        return datetime.fromtimestamp(datetime.fromisoformat(text).timestamp(), UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"`{text}` is no instant", "Write for example `2026-12-24T00:00:00+00:00`.") from None
