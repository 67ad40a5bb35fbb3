"""One contact: found by any of its names, exported whole, joined with its twin, and forgotten to the last byte."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import consent, contacts, history
from vinculo.cli.output import plain
from vinculo.contacts.importing.file.sheet import Row
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.drafts import write
from vinculo.db.tables import delivery, interaction, occurrence, point
from vinculo.errors import NotFound, UsageError
from vinculo.history import Interaction
from vinculo.model import Direction, Event, EventKind
from vinculo.signing import Signer

CANARY = "zyxcanary"


def _person(db: sa.Connection, signer: Signer, now: datetime, **cells: str) -> int:
    places = {name: name for name in cells}
    write(db, [Reader(places, now, "BR").draft(Row(1, cells))], signer, now, "test")
    found = contacts.find(db, cells["key"])
    assert found is not None
    return found


def _delivery(db: sa.Connection, who: int, now: datetime, campaign: str = "hello", state: str = "accepted") -> int:
    there = sa.select(occurrence.c.campaign).where(occurrence.c.campaign == campaign)
    if db.scalar(there) is None:
        row = {"campaign": campaign, "occurrence": "o", "state": "open", "due_at": now, "planned_at": now}
        db.execute(sa.insert(occurrence).values(row | {"definition": {}}))
    row = {"campaign": campaign, "occurrence": "o", "contact_id": who, "state": state, "channel": "email"}
    row |= {"address": f"{CANARY}@example.com", "due_at": now, "expires_at": now, "response": f"250 {CANARY}"}
    row |= {"topic": "service", "basis": "service", "submitted_at": now}
    return db.scalar(sa.insert(delivery).values(row).returning(delivery.c.id)) or 0


def test_a_contact_is_found_by_key_address_and_number(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        who = _person(db, signer, now, key="c1", email="ana@example.com", sms="+5511912345678")
        names = ["c1", " c1 ", "ANA@example.com", "+5511912345678", "+55 (11) 91234-5678", f"#{who}"]
        assert [contacts.find(db, name) for name in names] == [who] * 6
        assert contacts.find(db, "nobody") is None
        with pytest.raises(NotFound, match="nobody"):
            contacts.require(db, "nobody")


def test_an_address_of_two_contacts_asks_which(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        one = _person(db, signer, now, key="c1", email="house@example.com")
        two = _person(db, signer, now, key="c2", email="house@example.com")
        with pytest.raises(UsageError, match=f"#{one}.*#{two}"):
            contacts.find(db, "house@example.com")


def _whole_life(db: sa.Connection, signer: Signer, now: datetime) -> int:
    """A contact that leaves a trace of the canary in every table."""
    cells = {"key": f"key-{CANARY}", "name": f"{CANARY} Silva", "email": f"{CANARY}@example.com", "tags": CANARY}
    cells |= {"city": CANARY, "trait.note": CANARY, "consent.news": "yes", "consent_source": CANARY, "source": CANARY}
    who = _person(db, signer, now, **cells)
    sent = _delivery(db, who, now)
    _delivery(db, who, now, "later", "planned")
    consent.set_preference(db, who, "language", CANARY, now)
    bought = Interaction(
        who, now, Direction.IN, "purchased", amount=990, currency="BRL", summary=CANARY, event_id=CANARY
    )
    history.record(
        db, [bought, Interaction(who, now, Direction.IN, "replied", delivery_id=sent, data={"text": CANARY})]
    )
    event = Event(EventKind.REPLIED, "mailbox", f"<{CANARY}@example.com>", now, raw=f"From: {CANARY}".encode())
    stored = history.store(db, event, now)
    assert stored is not None
    history.settle(db, stored, "handled", contact_id=who, delivery_id=sent)
    points = {"contact_id": who, "at": now, "points": 9, "reason": "gift", "reference": CANARY}
    db.execute(sa.insert(point).values(points))
    return who


def test_nothing_of_an_erased_person_is_left_in_the_files(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    with sqlite_engine.begin() as db:
        who = _whole_life(db, signer, now)
    assert _bytes(tmp_path).count(CANARY.encode()) > 10
    with sqlite_engine.begin() as db:
        contacts.erase(db, who, now)
    contacts.scrub(sqlite_engine)
    assert CANARY.encode() not in _bytes(tmp_path)


def test_nothing_of_an_erased_person_is_left_who_was_two_contacts(
    sqlite_engine: sa.Engine, tmp_path: Path, signer: Signer, now: datetime
) -> None:
    with sqlite_engine.begin() as db:
        kept, joined = _person(db, signer, now, key="kept"), _whole_life(db, signer, now)
        _delivery(db, kept, now)
        contacts.merge(db, kept, joined, now)
        assert len(contacts.export(db, kept, now)["delivery"]) == 3
        contacts.erase(db, kept, now)
    contacts.scrub(sqlite_engine)
    assert CANARY.encode() not in _bytes(tmp_path)


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("vinculo.db*"))


def test_erasing_keeps_what_counts_and_suppresses_the_address(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        contacts.erase(db, who, now)
        assert CANARY not in json.dumps(contacts.export(db, who, now), default=plain)
        assert db.scalar(sa.select(sa.func.sum(interaction.c.amount))) == 990
        states = db.execute(sa.select(delivery.c.state, delivery.c.reason).order_by(delivery.c.id)).all()
        assert [tuple(each) for each in states] == [("accepted", ""), ("cancelled", "erased")]
        assert contacts.load(db, [who])[who].name == ""
        assert contacts.find(db, f"{CANARY}@example.com") is None
        hashed = consent.address_hash(signer, "email", f"{CANARY}@example.com")
        assert consent.suppressed(db, "email", [hashed]) == {hashed: "erasure"}
    contacts.scrub(engine)


def test_an_export_holds_every_row_about_the_contact_and_nobody_elses(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        who = _whole_life(db, signer, now)
        _person(db, signer, now, key="other", name="Somebody Else", email="else@example.com")
        found = contacts.export(db, who, now)
        again = json.loads(json.dumps(found, default=plain))
    assert again["contact"]["key"] == f"key-{CANARY}"
    assert again["inbound"][0]["raw"] == f"From: {CANARY}"
    filled = {"address", "tag", "preference", "consent", "permission", "interaction", "delivery", "point", "inbound"}
    assert filled <= {name for name, rows in again.items() if rows}
    assert "else" not in json.dumps(again).lower()


def test_joining_moves_everything_and_keeps_both_names(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        one = _person(db, signer, now, key="a", email="a@example.com", city="Natal")
        two = _person(db, signer, now, key="b", email="b@example.com", city="Recife", region="PE", tags="vip")
        _delivery(db, one, now)
        _delivery(db, two, now)
        _delivery(db, two, now, "only-b")
        history.record(db, [Interaction(two, now, Direction.IN, "purchased", amount=5, currency="BRL")])
        contacts.merge(db, one, two, now)
        joined = contacts.load(db, [one])[one]
        assert [each.value for each in joined.addresses] == ["a@example.com", "b@example.com"]
        assert (joined.city, joined.region, joined.tags) == ("Natal", "PE", {"vip"})
        assert [contacts.find(db, name) for name in ("a", "b", f"#{two}", "b@example.com")] == [one] * 4
        assert {line.kind for line in history.timeline(db, one)} == {"purchased", "merged"}
        owners = dict(db.execute(sa.select(delivery.c.campaign, delivery.c.contact_id).where(delivery.c.id > 1)).all())
        assert owners == {"hello": two, "only-b": one}
        assert CANARY not in json.dumps(contacts.export(db, two, now)["contact"], default=plain)


@pytest.mark.parametrize(("one", "other"), [("yes", "no"), ("no", "yes")])
def test_of_two_answers_the_stricter_holds_whichever_is_newer(
    engine: sa.Engine, signer: Signer, now: datetime, one: str, other: str
) -> None:
    with engine.begin() as db:
        kept = _person(db, signer, now - timedelta(days=9), key="a", email="a@example.com", **{"consent.news": one})
        two = _person(db, signer, now - timedelta(days=5), key="b", email="b@example.com", **{"consent.news": other})
        consent.grant(db, two, "email", "offers", now, source="page")
        contacts.merge(db, kept, two, now)
        assert consent.live(db, kept, now) == {("email", "news"): False, ("email", "offers"): True}
        consent.grant(db, kept, "email", "other", now + timedelta(days=1), source="page")
        assert consent.live(db, kept, now + timedelta(days=2))["email", "news"] is False


def test_a_contact_is_not_joined_with_itself_or_the_erased(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        one, two = (_person(db, signer, now, key=key) for key in "ab")
        with pytest.raises(UsageError, match="itself"):
            contacts.merge(db, one, one, now)
        contacts.erase(db, two, now)
        with pytest.raises(UsageError, match="erased"):
            contacts.merge(db, one, two, now)
