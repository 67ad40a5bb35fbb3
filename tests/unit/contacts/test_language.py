"""The language we write in is the one that the contact chose, else the one we were told."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from vinculo import consent, contacts
from vinculo.testing.store import add_contact


def test_the_chosen_language_beats_the_one_we_were_told_until_it_is_taken_back(
    engine: sa.Engine, now: datetime
) -> None:
    with engine.begin() as db:
        ana, rui = (add_contact(db, key=key, language="pt") for key in ("ana", "rui"))
        consent.set_preference(db, ana, "language", "es", now)
        consent.set_preference(db, ana, "frequency", "weekly", now)
        assert [each.language for each in contacts.load(db, [ana, rui]).values()] == ["es", "pt"]
        consent.set_preference(db, ana, "language", "", now)
        assert contacts.load(db, [ana])[ana].language == "pt"
