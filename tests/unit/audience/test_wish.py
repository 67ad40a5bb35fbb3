"""What a contact says of how often means the same to the consent centre and to the caps."""

import pytest
import sqlalchemy as sa

from vinculo import consent
from vinculo.audience import cap
from vinculo.errors import UsageError
from vinculo.testing import store

SAID = {
    "weekly": (1, 7),
    "monthly": (1, 30),
    "3 per 10 days": (3, 10),
    "1 per 1 day": (1, 1),
    "2 per 1 days": (2, 1),
    "12 per 7 days": (12, 7),
    "999 per 999 days": (999, 999),
}
NONSENSE = [
    "daily",
    "0 per 3 days",
    "3 per 0 days",
    "1000 per 2 days",
    "2 per 1000 days",
    "3 per days",
    "3 per 10 days ",
]


@pytest.mark.parametrize(("text", "meaning"), SAID.items())
def test_a_wish_is_so_many_messages_in_so_many_days(text: str, meaning: tuple[int, int]) -> None:
    assert consent.often(text) == meaning


@pytest.mark.parametrize("text", NONSENSE)
def test_any_other_wish_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(UsageError, match="3 per 10 days"):
        consent.often(text)


def test_the_caps_read_every_wish_as_it_was_said_and_no_other(engine: sa.Engine) -> None:
    with engine.begin() as db:
        said = {store.add_contact(db, key=text, preferences={"frequency": text}): text for text in [*SAID, *NONSENSE]}
        wish = cap._wishes()
        rows = db.execute(sa.select(wish.c.contact_id, wish.c.number, wish.c.days).where(wish.c.number.is_not(None)))
        assert {said[row.contact_id]: (row.number, row.days) for row in rows} == SAID
