"""A dry run of several batches: the import itself, into copies of the tables, so that each batch sees those before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from vinculo.contacts.importing.batch import TABLES, Batch, Way
from vinculo.contacts.importing.writing.tally import Written
from vinculo.db.shadow import shadowed
from vinculo.db.tables import contact


@contextmanager
def rehearsal(engine: sa.Engine, way: Way) -> Iterator[Callable[[Batch], Written]]:
    """What writes a batch into copies that nobody else sees. To make them takes time and room as there are contacts."""
    with shadowed(engine, (contact, *TABLES)) as db:

        def write(batch: Batch) -> Written:
            written = way.write(db, batch)
            db.commit()  # what it has locked is free again
            return written

        yield write
