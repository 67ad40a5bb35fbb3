"""A row that waits again, or is another's now, leaves if the answer of that moment permits it, and else does not.

`test_walk` sees to it that nothing leaves which rests on nothing. Here also what may leave does: else who said yes, and
whose message is tried again or follows a merge, would get nothing, and nobody would be told.
"""

from __future__ import annotations

from datetime import datetime
from itertools import product

import pytest
import sqlalchemy as sa

from vinculo.db import micros
from vinculo.testing import store

#: The contacts: ana's yes has no end, carl's ends; dora has said no, bia nothing. Fay has asked for the news to be
#: confirmed, as gil has at another time; eve has said yes to all there is, on both channels.
ANA, BIA, CARL, DORA, EVE, FAY, GIL = range(1, 8)
#: Hours after the beginning: carl's yes, fay's request and gil's end.
CARL_ENDS, FAY_ENDS, GIL_ENDS = 20, 40, 44
OVER = ("submitting", "in_doubt", "accepted", "rejected", "cancelled", "expired")
WAITS = ("planned", "deferred", "claimed")
#: On what a row may rest: whose it is, of which occurrence, channel and topic, its basis, and when that ends.
YES = (ANA, "letter", "email", "news", "consent", None)
ENDING = (CARL, "letter", "email", "news", "consent", CARL_ENDS)
BY_KIND = (BIA, "receipt", "email", "news", "service", None)
BY_TOPIC = (BIA, "letter", "email", "service", "service", None)
REQUEST = (FAY, "letter", "email", "news", "request", FAY_ENDS)
_SAID = "UPDATE permission SET granted = {}, at = :now + 2 * :h, expires_at = NULL WHERE contact_id = 1"


class Books:
    """The contacts with their answers, a letter and a receipt. What is tried is taken back."""

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now = engine, micros(now)
        with engine.begin() as self.db:
            for key in ("ana", "bia", "carl", "dora", "eve", "fay", "gil"):
                store.add_contact(self.db, key=key)
            for who, ends, granted in ((ANA, None, True), (CARL, CARL_ENDS, True), (DORA, None, False)):
                self._say(who, "email", "news", ends, granted=granted)
            for channel, topic in product(("email", "sms"), ("news", "offers")):
                self._say(EVE, channel, topic, None, granted=True)
            place = "INSERT INTO occurrence (campaign, occurrence, state, due_at, planned_at, definition) VALUES "
            for name, kind in (("letter", "newsletter"), ("receipt", "service")):
                self.run(f"{place} ('weekly', '{name}', 'open', :now, :now, '{{\"kind\": \"{kind}\"}}')")
            for name in ("letter", "receipt"):  # of the same names, and both newsletters
                self.run(f"{place} ('other', '{name}', 'open', :now, :now, '{{\"kind\": \"newsletter\"}}')")
            for who, ends in ((FAY, FAY_ENDS), (GIL, GIL_ENDS)):
                columns = "contact_id, channel, topic, asked_at, expires_at"
                self.run(f"INSERT INTO confirmation ({columns}) VALUES ({who}, 'email', 'news', :now, {_hour(ends)})")

    def _say(self, who: int, channel: str, topic: str, ends: int | None, *, granted: bool) -> None:
        columns = "contact_id, channel, topic, granted, at, expires_at"
        values = f"{who}, '{channel}', '{topic}', {granted}, :now, {_hour(ends)}"
        self.run(f"INSERT INTO consent ({columns}) VALUES ({values})")
        self.run(f"INSERT INTO permission ({columns}, consent_id) SELECT {values}, max(id) FROM consent")

    def run(self, sql: str) -> None:
        values = {name: value for name, value in (("now", self.now), ("h", 3_600_000_000)) if f":{name}" in sql}
        self.db.execute(sa.text(sql.replace('{"kind": ', '{"kind"\\: ')), values)

    def leaves(self, rests: tuple[object, ...], state: str, steps: tuple[str, ...], hour: int) -> bool:
        """Whether a row that comes in so may be handed over after *steps*, none of which is refused, at the *hour*."""
        who, place, channel, topic, basis, ends = rests
        handed = "NULL" if state in WAITS else ":now"
        line = f"(SELECT consent_id FROM permission WHERE contact_id = {who} AND channel = '{channel}' AND topic = '{topic}')"
        columns = "campaign, occurrence, contact_id, channel, topic, due_at, expires_at, state, submitted_at, basis, consent_id, lapses_at"
        row = (
            f"'weekly', '{place}', {who}, '{channel}', '{topic}', :now, :now + 99 * :h, '{state}', {handed}, '{basis}', "
            f"{line if basis == 'consent' else 'NULL'}, {_hour(ends)}"  # type: ignore[arg-type]
        )
        with self.engine.connect() as self.db, self.db.begin() as tried:
            self.run(f"INSERT INTO delivery ({columns}) VALUES ({row})")
            for step in steps:
                self.run(step)
            try:
                self.run(f"UPDATE delivery SET state = 'submitting', submitted_at = {_hour(hour)}")
            except sa.exc.IntegrityError:
                return False
            finally:
                tried.rollback()
        return True


def _hour(hour: int | None) -> str:
    return "NULL" if hour is None else f":now + {hour} * :h"


@pytest.fixture
def books(engine: sa.Engine, now: datetime) -> Books:
    return Books(engine, now)


#: What becomes of a row that is over, or in somebody's hands, before it waits again.
_MEANWHILE = (
    (YES, "", {10: True, 90: True}),
    (YES, _SAID.format("false"), {10: False}),
    (YES, "UPDATE permission SET topic = 'offers' WHERE contact_id = 1", {10: False}),
    (YES, "UPDATE permission SET channel = 'sms' WHERE contact_id = 1", {10: False}),
    (YES, "DELETE FROM permission WHERE contact_id = 1", {10: False}),
    (YES, "UPDATE permission SET expires_at = :now + 20 * :h WHERE contact_id = 1", {10: True, 20: False, 30: False}),
    (YES, "UPDATE permission SET expires_at = :now - 1 * :h WHERE contact_id = 1", {10: False}),  # before it was handed
    (ENDING, "", {10: True, CARL_ENDS: False, 30: False}),
    (BY_KIND, "", {10: True}),
    (BY_KIND, "UPDATE delivery SET occurrence = 'letter'", {10: False}),
    (BY_TOPIC, "", {10: True}),
    (BY_TOPIC, "UPDATE delivery SET topic = 'news'", {10: False}),
    (REQUEST, "", {10: True, FAY_ENDS: False}),
)
#: On SQLite a request counts until it ends: nobody takes one back.
_OTHER_REQUESTS = (
    "DELETE FROM confirmation WHERE contact_id = 6",
    *(f"UPDATE confirmation SET {change} WHERE contact_id = 6" for change in (
        "topic = 'offers'", "channel = 'sms'", "contact_id = 2", "expires_at = expires_at + 1")),
)  # fmt: skip
_BACK = (*((over, "planned") for over in OVER), ("accepted", "deferred"), ("accepted", "claimed"), ("cancelled", ""))


def test_a_row_that_waits_again_leaves_if_its_basis_still_holds(books: Books) -> None:
    meanwhile = _MEANWHILE
    if books.engine.dialect.name == "postgresql":
        meanwhile += tuple((REQUEST, change, {10: False}) for change in _OTHER_REQUESTS)
    for (rests, change, leaves), (over, waits) in product(meanwhile, _BACK):
        steps = *([change] if change else []), *([f"UPDATE delivery SET state = '{waits}'"] if waits else [])
        for hour, wanted in leaves.items():
            assert books.leaves(rests, over, steps, hour) is wanted, (rests, over, steps, hour)


#: What is changed of a row that waits, and whether it leaves then, at which hour.
_MOVES = (
    (YES, {f"contact_id = {BIA}": {10: False}, f"contact_id = {DORA}": {10: False}, "channel = 'sms'": {10: False},
           "topic = 'offers'": {10: False}, "topic = 'service'": {10: False}, "occurrence = 'receipt'": {10: True},
           f"contact_id = {CARL}": {10: True, CARL_ENDS: False}, f"contact_id = {EVE}": {10: True, 90: True},
           "campaign = 'other'": {10: True}}),
    (ENDING, {f"contact_id = {ANA}": {10: True, 90: True}, f"contact_id = {EVE}": {90: True}}),
    ((EVE, *YES[1:]), {"channel = 'sms'": {10: True}, "topic = 'offers'": {10: True}}),
    (BY_KIND, {"occurrence = 'letter'": {10: False}, f"contact_id = {DORA}": {10: True},
               "campaign = 'other'": {10: False}, "topic = 'offers'": {10: True}}),
    (BY_TOPIC, {"topic = 'news'": {10: False}, "occurrence = 'receipt'": {10: True}, f"contact_id = {DORA}": {10: True}}),
    (REQUEST, {f"contact_id = {ANA}": {10: False}, f"contact_id = {GIL}": {10: False}, "channel = 'sms'": {10: False},
               "topic = 'offers'": {10: False}, "occurrence = 'receipt'": {10: True}}),
)  # fmt: skip


def test_a_row_that_becomes_anothers_leaves_if_that_ones_answer_permits_it(books: Books) -> None:
    for rests, moves in _MOVES:
        for (change, leaves), waits in product(moves.items(), WAITS):
            for hour, wanted in leaves.items():
                steps = (f"UPDATE delivery SET {change}",)
                assert books.leaves(rests, waits, steps, hour) is wanted, (rests, waits, steps, hour)


@pytest.mark.parametrize(("state", "whose"), [("planned", CARL), ("accepted", ANA)])
def test_it_names_the_answer_of_whose_it_is_now_or_on_which_it_was_sent(books: Books, state: str, whose: int) -> None:
    columns = (
        "campaign, occurrence, contact_id, channel, topic, due_at, expires_at, state, submitted_at, basis, consent_id"
    )
    handed = "NULL" if state in WAITS else ":now"
    row = f"'weekly', 'letter', {ANA}, 'email', 'news', :now, :now, '{state}', {handed}, 'consent', 1"
    with books.engine.begin() as books.db:
        books.run(f"INSERT INTO delivery ({columns}) VALUES ({row})")
        books.run(f"UPDATE delivery SET contact_id = {CARL}")
        found = "SELECT c.contact_id FROM delivery d JOIN consent c ON c.id = d.consent_id"
        assert books.db.scalar(sa.text(found)) == whose


def test_what_was_handed_over_after_the_answer_of_its_new_contact_had_ended_can_move_all_the_same(books: Books) -> None:
    """Else two contacts could not be merged."""
    for waits in WAITS:
        handed = f"UPDATE delivery SET submitted_at = {_hour(CARL_ENDS + 5)}"
        moved = f"UPDATE delivery SET contact_id = {CARL}"
        assert not books.leaves(YES, waits, (handed, moved), CARL_ENDS + 9)
