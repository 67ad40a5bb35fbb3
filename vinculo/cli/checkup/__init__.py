"""What `vinculo doctor` looks at. A check says what it found and, when that is not well, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import sqlalchemy as sa

from vinculo.cli.checkup import database, door, machine, prefect, sending
from vinculo.db.failure import not_ready
from vinculo.errors import Finding
from vinculo.mail.domain import Ask, Resolver
from vinculo.runtime import Runtime


def examine(rt: Runtime, ask: Ask | None = None) -> list[Finding]:
    """Run every check. *ask*: the name system, else that of this machine."""
    checks: Iterable[Callable[[Runtime], Iterator[Finding]]] = (
        *(
            machine.secret,
            machine.files,
            database.reachable,
            database.durable,
            database.closed,
            database.original,
            database.sound,
            machine.clock,
            machine.zones,
            machine.disk,
        ),
        *(prefect.server, sending.connectors, sending.dkim_key),
        lambda rt: sending.sender_domain(rt, ask or Resolver()),
        *(sending.waiting, sending.stopped, door.web, door.doors),
    )
    return list(dict.fromkeys(finding for check in checks for finding in _found(check, rt)))


def _found(check: Callable[[Runtime], Iterator[Finding]], rt: Runtime) -> Iterator[Finding]:
    """What *check* finds. A database that fails under it, e.g. because its file is damaged, is a finding as well."""
    try:
        yield from check(rt)
    except sa.exc.DBAPIError as error:
        said = not_ready(error)
        yield Finding("fail", "database", said.message, said.remedy)
