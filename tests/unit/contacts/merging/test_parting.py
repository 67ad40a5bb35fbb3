"""Two contacts joined by mistake come apart again: each has what it had, to the row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import consent, contacts, history
from vinculo.contacts.belongings import BELONGINGS, uncovered
from vinculo.contacts.importing.file.sheet import Row
from vinculo.contacts.importing.row.reader import Reader
from vinculo.contacts.importing.writing.drafts import write
from vinculo.db.tables import (
    confirmation,
    contact,
    conversation,
    delivery,
    identifier,
    inbound,
    interaction,
    journey,
    merging,
    occurrence,
    permission,
    point,
    score,
    turn,
)
from vinculo.errors import NotFound, UsageError
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.signing import Signer

#: What a merge and its undoing tell of themselves stays in the history.
NOTES = ("merged", "parted")


def _person(db: sa.Connection, signer: Signer, now: datetime, **cells: str) -> int:
    places = {name: name for name in cells}
    write(db, [Reader(places, now, "BR").draft(Row(1, cells))], signer, now, "test")
    found = contacts.find(db, cells["key"])
    assert found is not None
    return found


def _pair(db: sa.Connection, signer: Signer, now: datetime) -> tuple[int, int]:
    """Two contacts with rows in every table, some of which only one of them can keep."""
    before = now - timedelta(days=30)
    one = {
        "key": "a",
        "email": "a@example.com;both@example.com",
        "city": "Natal",
        "tags": "vip;shop",
        "trait.size": "4",
    }
    two = {
        "key": "b",
        "email": "b@example.com;both@example.com",
        "country": "PT",
        "region": "PE",
        "birthdate": "1980-02-03",
    }
    two |= {"tags": "vip;web", "trait.size": "5", "trait.brew": "filter", "owner": "maria", "sms": "+5511912345678"}
    yes, no = {"consent.email.news": "yes", "consent.email.offers": "yes"}, {"consent.email.news": "no"}
    a, b = _person(db, signer, before, **one, **yes), _person(db, signer, before + timedelta(days=1), **two, **no)
    for who in (a, b):
        _rows(db, who, before)
    db.execute(sa.insert(journey), {"name": "welcome", "contact_id": b, "entered_at": now, "step": 1, "state": "done"})
    consent.set_preference(db, a, "language", "pt", before)
    consent.set_preference(db, b, "language", "en", before)
    consent.set_preference(db, b, "frequency", "weekly", before)
    consent.grant(db, b, "sms", "offers", before, source="page", legal_basis="consent", text_hash="ff")
    for who, channel, topic in ((a, "email", "news"), (b, "sms", "offers")):
        _waiting(db, who, channel, topic, now)
    return a, b


def _waiting(db: sa.Connection, who: int, channel: str, topic: str, at: datetime) -> None:
    """A delivery that rests on the contact's consent."""
    p = permission.c
    rests = sa.select(p.consent_id).where(p.contact_id == who, p.channel == channel, p.topic == topic)
    row = {"campaign": f"{topic}-{who}", "occurrence": "o", "state": "open", "due_at": at, "planned_at": at}
    db.execute(sa.insert(occurrence).values(row | {"definition": {"kind": "newsletter"}}))
    row = {"campaign": f"{topic}-{who}", "occurrence": "o", "contact_id": who, "channel": channel, "topic": topic}
    row |= {"state": "planned", "due_at": at, "expires_at": at, "basis": "consent", "consent_id": db.scalar(rests)}
    db.execute(sa.insert(delivery).values(row))


def _rows(db: sa.Connection, who: int, at: datetime) -> None:
    for campaign in ("hello", "sent", f"own-{who}"):
        if db.scalar(sa.select(occurrence.c.state).where(occurrence.c.campaign == campaign)) is None:
            row = {"campaign": campaign, "occurrence": "o", "state": "open", "due_at": at, "planned_at": at}
            db.execute(sa.insert(occurrence).values(row | {"definition": {"kind": "service"}}))
        row = {"campaign": campaign, "occurrence": "o", "contact_id": who, "channel": "email", "topic": "service"}
        row |= {"state": "planned", "due_at": at, "expires_at": at}
        row |= {"state": "accepted", "submitted_at": at} if campaign == "sent" else {}
        row |= {"basis": "service"} if "basis" in delivery.c else {}
        sent = db.scalar(sa.insert(delivery).values(row).returning(delivery.c.id))
    history.record(db, [Interaction(who, at, Direction.IN, "purchased", amount=5, currency="BRL", event_id=f"e{who}")])
    db.execute(sa.insert(identifier), {"contact_id": who, "system": "shop", "value": "7"})
    db.execute(sa.insert(identifier), {"contact_id": who, "system": "crm", "value": str(who)})
    db.execute(sa.insert(point), {"contact_id": who, "at": at, "points": 9, "reason": "gift", "reference": "welcome"})
    db.execute(sa.insert(journey), {"name": "w", "contact_id": who, "entered_at": at, "step": who, "state": "walking"})
    db.execute(sa.insert(score), {"contact_id": who, "frequency": who, "value": 5, "stage": "new", "at": at})
    raw = {"source": "mailbox", "event_id": f"m{who}", "received_at": at, "kind": "replied", "raw": b"x"}
    db.execute(sa.insert(inbound), raw | {"contact_id": who, "delivery_id": sent})
    asked = {"contact_id": who, "channel": "email", "topic": "news", "asked_at": at, "expires_at": at}
    db.execute(sa.insert(confirmation), asked)
    talk = {"contact_id": who, "state": "open", "opened_at": at, "changed_at": at}
    number = db.scalar(sa.insert(conversation).values(talk).returning(conversation.c.id))
    said = {"contact_id": who, "conversation_id": number, "at": at, "kind": "received", "said_in": f"m{who}"}
    db.execute(sa.insert(turn), said)


def _all(db: sa.Connection, *who: int) -> dict[str, Any]:
    """Every row about the contacts, but for what tells of merges, and the locks of the ledger."""
    found: dict[str, Any] = {}
    tables = [each.table for each in BELONGINGS if each.table is not merging]
    for table in tables:
        columns = [column for column in table.c if column.name not in {"fence", "lease_until"}]
        ask = sa.select(*columns).where(table.c.contact_id.in_(who)).order_by(*table.primary_key)
        if table is interaction:
            ask = ask.where(interaction.c.kind.not_in(NOTES))
        found[table.name] = [tuple(row) for row in db.execute(ask)]
    found["contact"] = [
        tuple(row) for row in db.execute(sa.select(contact).where(contact.c.id.in_(who)).order_by(contact.c.id))
    ]
    return found


def test_every_table_with_rows_about_contacts_is_known_to_merge_part_export_and_erase() -> None:
    assert uncovered() == set()


def test_what_was_joined_comes_apart_exactly_as_before(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        before = _all(db, a, b)
        assert [name for name, rows in before.items() if not rows and name != "alias"] == []
        contacts.merge(db, a, b, now, "one person, by the shop's word")
        assert _all(db, a, b) != before
        assert contacts.part(db, "b", now, "two sisters") == (a, b)
        after = _all(db, a, b)
    for name, rows in before.items():
        assert after[name] == rows, name
    with engine.connect() as db:
        row = db.execute(sa.select(merging)).one()
    assert (row.reason, row.undone_reason, row.undone_at, row.before) == (
        "one person, by the shop's word",
        "two sisters",
        now,
        {},
    )


@pytest.mark.parametrize("mine", [None, "", "2026-06-10T00:00:00+00:00"])
def test_the_longer_pause_holds_while_two_are_one(
    engine: sa.Engine, signer: Signer, now: datetime, mine: str | None
) -> None:
    """Somebody who asked for quiet gets none the less of it for being the same person as another."""
    until, earlier = "2026-12-24T00:00:00+00:00", now - timedelta(days=3)
    with engine.begin() as db:
        a, b = (_person(db, signer, earlier, key=key) for key in "ab")
        if mine is not None:
            consent.set_preference(db, a, "pause_until", mine, earlier + timedelta(days=1))
        consent.set_preference(db, b, "pause_until", until, earlier)
        before = _all(db, a, b)
        contacts.merge(db, a, b, now)
        assert consent.preferences(db, a) == {"pause_until": until}
        contacts.part(db, "b", now)
        assert _all(db, a, b)["preference"] == before["preference"]
        contacts.merge(db, b, a, now)
        assert consent.preferences(db, b) == {"pause_until": until}


def test_what_one_took_back_and_the_other_chose_is_no_answer_of_two(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    """Of what both have the first one's stays; a choice that was taken back is not had."""
    with engine.begin() as db:
        a, b = (_person(db, signer, now, key=key) for key in "ab")
        for who, name, value in ((a, "frequency", ""), (a, "language", "pt")):
            consent.set_preference(db, who, name, value, now)
        for name, value in (("frequency", "weekly"), ("language", "en"), ("channel", "sms")):
            consent.set_preference(db, b, name, value, now)
        contacts.merge(db, a, b, now)
        assert consent.preferences(db, a) == {"channel": "sms", "frequency": "weekly", "language": "pt"}


def test_a_merge_of_an_earlier_version_gives_back_the_rows_that_it_moved(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    """It had no wishes in its note: what only the second one wished for had moved, and the rest was put away."""
    with engine.begin() as db:
        a, b = (_person(db, signer, now, key=key) for key in "ab")
        for who, name, value in ((a, "language", "pt"), (b, "language", "en"), (b, "channel", "sms")):
            consent.set_preference(db, who, name, value, now)
        before = _all(db, a, b)
        contacts.merge(db, a, b, now)
        told = dict(db.scalar(sa.select(merging.c.before)) or {})
        del told["wishes"]
        away = [row for row in told["dropped"]["preference"] if row["name"] == "language"]
        told["dropped"] = told["dropped"] | {"preference": away}
        told["moved"] = told["moved"] | {"preference": [["channel"]]}
        db.execute(sa.update(merging).values(before=told))
        contacts.part(db, "b", now)
        assert _all(db, a, b)["preference"] == before["preference"]


@pytest.mark.parametrize("chosen", ["2027-03-01T00:00:00+00:00", "2026-12-01T00:00:00+00:00", ""])
def test_a_pause_chosen_since_stays_and_ends_nobodys_earlier_than_asked(
    engine: sa.Engine, signer: Signer, now: datetime, chosen: str
) -> None:
    until, later = "2026-12-24T00:00:00+00:00", now + timedelta(days=1)
    with engine.begin() as db:
        a, b = (_person(db, signer, now, key=key) for key in "ab")
        consent.set_preference(db, a, "frequency", "weekly", now)
        consent.set_preference(db, b, "pause_until", until, now)
        contacts.merge(db, a, b, now + timedelta(hours=1))
        consent.set_preference(db, a, "pause_until", chosen, later)
        contacts.part(db, "b", later + timedelta(days=1))
        assert consent.preferences(db, a) == {"frequency": "weekly"} | ({"pause_until": chosen} if chosen else {})
        assert consent.preferences(db, b) == {"pause_until": max(until, chosen)}


def test_what_came_since_stays_with_the_one_that_stayed(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now)
        later = now + timedelta(days=1)
        _person(db, signer, later, key="a", city="Recife", tags="new", **{"trait.size": "9", "email": "c@example.com"})
        consent.grant(db, a, "email", "later", later, source="page")
        consent.withdraw(db, a, "sms", "offers", later, source="page")
        contacts.part(db, f"#{b}", later)
        one, two = (contacts.load(db, [who])[who] for who in (a, b))
        assert (one.city, one.traits, one.owner) == ("Recife", {"size": 9}, "")
        assert [each.value for each in one.addresses] == ["c@example.com", "a@example.com", "both@example.com"]
        assert (two.owner, two.traits) == ("maria", {"size": 5, "brew": "filter"})
        assert consent.live(db, a, later)["email", "later"] is True
        # Nobody knows which of the two persons left: neither is written to.
        assert [consent.live(db, who, later)["sms", "offers"] for who in (a, b)] == [False, False]


@pytest.mark.parametrize(("yes", "no"), ["ab", "ba"])
def test_a_no_holds_for_both_also_against_a_yes_of_a_clock_that_was_ahead(
    engine: sa.Engine, signer: Signer, now: datetime, yes: str, no: str
) -> None:
    """Whichever of the two the other becomes part of."""
    with engine.begin() as db:
        ids = {key: _person(db, signer, now, key=key, email=f"{key}@example.com") for key in "ab"}
        consent.grant(db, ids[yes], "email", "news", now + timedelta(hours=1), source="form")
        consent.withdraw(db, ids[no], "email", "news", now - timedelta(days=1), source="web")
        contacts.merge(db, ids["a"], ids["b"], now)
        assert not consent.live(db, ids["a"], now)["email", "news"]
        contacts.part(db, "b", now)
        assert consent.live(db, ids[yes], now)["email", "news"]
        assert not consent.live(db, ids[no], now)["email", "news"]


def test_a_no_told_since_of_an_earlier_day_holds_for_both(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    """An import dates a withdrawal as its file does: before the merge, though it came after it."""
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now)
        later = now + timedelta(days=1)
        said = {"email": "b@example.com", "sms": "+5511912345678", "consent.sms.offers": "no"}
        _person(db, signer, later, key="b", consent_date=f"{now - timedelta(days=2):%Y-%m-%d}", **said)
        contacts.part(db, "b", later)
        assert [consent.live(db, who, later).get(("sms", "offers"), False) for who in (a, b)] == [False, False]


def test_what_was_planned_since_rests_on_nothing_when_its_consent_goes_with_the_other(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now)
        d = delivery.c
        db.execute(sa.delete(delivery).where(d.contact_id == a, d.topic == "offers"))
        db.execute(sa.delete(occurrence).where(occurrence.c.campaign == f"offers-{b}"))
        _waiting(db, a, "sms", "offers", now)
        later = now + timedelta(hours=1)
        contacts.part(db, "b", later)
        mine = (d.contact_id == a) & (d.topic == "offers")
        assert db.scalar(sa.select(d.state).where(mine)) == "planned"
        with pytest.raises(sa.exc.IntegrityError), db.begin_nested():
            db.execute(sa.update(delivery).where(mine).values(state="submitting", submitted_at=later))


def test_merges_are_undone_last_first(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        c = _person(db, signer, now, key="c", email="b@example.com")
        before = _all(db, a, b, c)
        contacts.merge(db, b, c, now)
        contacts.merge(db, a, b, now)
        with pytest.raises(UsageError, match=f"(?s)`a` is the contact that stayed.*#{b}"):
            contacts.part(db, "a", now)
        with pytest.raises(NotFound, match="nobody"):
            contacts.part(db, "nobody", now)
        contacts.part(db, "b", now)
        contacts.part(db, "c", now)
        assert _all(db, a, b, c) == before
        contacts.merge(db, a, b, now)
        contacts.merge(db, a, c, now)
        with pytest.raises(UsageError, match=f"#{c} became part of #{a} later"):
            contacts.part(db, "b", now)


def test_a_delivery_of_an_occurrence_that_is_over_is_not_opened_again(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now)
        db.execute(sa.update(occurrence).values(state="finished"))
        contacts.part(db, "b", now)
        mine = sa.select(delivery.c.campaign, delivery.c.state).where(delivery.c.contact_id == b)
        assert dict(db.execute(mine).tuples().all())["hello"] == "cancelled"


def test_an_erased_merge_cannot_be_undone_and_leaves_no_word(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now, "maria says so")
        contacts.erase(db, a, now)
        row = db.execute(sa.select(merging)).one()
        assert (row.reason, row.before) == ("", {})
        with pytest.raises(UsageError, match="erased"):
            contacts.part(db, f"#{a}", now)
