"""Some contacts of an audience, who are asked for apart from the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

#: From which number of a contact on, and below which.
Ends = tuple[sa.ColumnElement[int], sa.ColumnElement[int]]


@dataclass(frozen=True, slots=True)
class Part:
    """Who they are, and what is known of all of them. As it is: everybody."""

    #: What holds of their own rows, and of nobody else's.
    held: sa.ColumnElement[bool] | None = None
    #: Whether they share addresses, and all who have one in common are among them; or none does. None: some may.
    shares: bool | None = None
    #: Where their numbers lie, if it helps to say so of each table: from a join PostgreSQL does not conclude it, and
    #: would read all of the other table.
    ends: Ends | None = None

    def about(self, contact_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """What is true of a row of another table that is joined with one of them by *contact_id*."""
        if self.ends is None:
            return sa.true()
        return sa.and_(contact_id >= self.ends[0], contact_id < self.ends[1])
