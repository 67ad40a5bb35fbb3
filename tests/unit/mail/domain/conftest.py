from __future__ import annotations

from collections.abc import Callable

import pytest

from vinculo.mail.domain import Ask, Unanswered


@pytest.fixture
def zone() -> Callable[..., Ask]:
    """A name system of the records given: `{"shop.net TXT": "v=spf1 -all"}`; several in a list; None: no answer."""

    def of(records: dict[str, str | list[str] | None]) -> Ask:
        def ask(name: str, kind: str) -> list[str]:
            found = records.get(f"{name} {kind}", [])
            if found is None:
                raise Unanswered("timed out")
            return [found] if isinstance(found, str) else found

        return ask

    return of
