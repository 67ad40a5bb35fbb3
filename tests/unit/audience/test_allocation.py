"""Every contact of the segment once, with its channel or the first reason against it."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from vinculo import audience, ledger
from vinculo.db.tables import contact
from vinculo.model import Moment, SkipReason
from vinculo.project.schema import Policy
from vinculo.segment import bucket_of
from vinculo.testing import store

from .oracle import WISHES, Person
from .oracle import audience as expected


def test_the_preferred_channel_wins_over_the_campaigns_order_if_it_is_usable(hall) -> None:
    file = store.campaign(channels=["email", "sms"])
    first = hall.add(key="a", email="a@e.org", phone="+551")
    wish = hall.add(key="b", email="b@e.org", phone="+552", preferences={"channel": "sms"})
    other = hall.add(key="c", email="c@e.org", preferences={"channel": "sms"})
    rows = hall.ask(file)
    assert [rows[one].channel for one in (first, wish, other)] == ["email", "sms", "email"]
    assert rows[wish].address == "+552"


def test_a_suppressed_address_gives_way_to_the_next_of_the_contact(hall) -> None:
    one = hall.add(key="a", addresses=[("email", "old@e.org"), ("email", "new@e.org")])
    with hall.engine.begin() as db:
        store.suppress(db, "email", "old@e.org")
    assert hall.ask(store.campaign())[one].address == "new@e.org"


def test_the_lowest_contact_gets_what_is_sent_to_a_shared_address(hall) -> None:
    left_out = hall.add(key="a", email="home@e.org", kind="staff")
    first, second = (hall.add(key=key, email="home@e.org") for key in "bc")
    rows = hall.ask(store.campaign(exclude=["staff"]))
    assert [rows[one].reason for one in (left_out, first, second)] == ["excluded", "", "duplicate_address"]


def test_a_wish_for_fewer_messages_is_kept(hall) -> None:
    ids = {wish: hall.add(key=wish, email=f"{n}@e.org", preferences={"frequency": wish}) for n, wish in enumerate(
        ["weekly", "monthly", "2 per 10 days", "1 per 1 day", "whenever", "0 per 3 days"])}  # fmt: skip
    for one in ids.values():
        hall.had(one, 8)
    rows = hall.ask(store.campaign())
    assert {wish for wish, one in ids.items() if rows[one].reason == "frequency_cap"} == {"monthly"}


@pytest.mark.parametrize(("state", "reason"), [("in_doubt", "frequency_cap"), ("skipped", ""), ("rejected", "")])
def test_a_cap_counts_what_the_contact_had_or_may_still_get(hall, state, reason) -> None:
    one = hall.add(key="a", email="a@e.org")
    hall.had(one, 1, state=state)
    assert hall.ask(store.campaign(), caps=[{"at_most": 1, "within": "2 days"}])[one].reason == reason
    assert hall.ask(store.campaign(kind="service"), caps=[{"at_most": 1, "within": "2 days"}])[one].reason == ""


def test_quiet_hours_move_the_message_to_their_end_on_the_contacts_clock(hall) -> None:
    quiet = {"quiet_hours": [{"from": "08:30", "to": "10:00", "channels": ["email"]}, {"from": "10:00", "to": "11:00"}]}
    here = hall.add(key="a", email="a@e.org")
    lisbon = hall.add(key="b", email="b@e.org", timezone="Europe/Lisbon")
    text = hall.add(key="c", phone="+55")
    rows = hall.ask(store.campaign(channels=["email", "sms"]), zones={"Europe/Lisbon": hall.now}, **quiet)
    assert rows[here].due_at == hall.now + timedelta(hours=2)
    assert rows[lisbon].due_at == rows[text].due_at == hall.now
    assert hall.ask(store.campaign(expires="1h"), **quiet)[here].reason == "quiet_hours"


def test_quiet_hours_over_midnight_end_where_the_clocks_say(hall) -> None:
    from vinculo.audience.hour import end_of_quiet

    quiet = Policy.model_validate({"topics": {}, "quiet_hours": [{"from": "21:00", "to": "01:30"}]}).quiet_hours
    spring, autumn = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
    far = timedelta(days=2)
    # Lisbon skips 01:00 to 02:00 on 29 March 2026: the first valid instant after 01:30 is 01:00 UTC.
    assert end_of_quiet(spring, quiet, "Europe/Lisbon", spring + far) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    # New York has 01:30 twice on 1 November 2026: the first is 05:30 UTC.
    assert end_of_quiet(autumn + timedelta(hours=3), quiet, "America/New_York", autumn + far) == datetime(
        2026, 11, 1, 5, 30, tzinfo=UTC
    )


def test_an_occurrence_that_comes_too_late_is_missed_unless_it_says_send(hall) -> None:
    one = hall.add(key="a", email="a@e.org")
    late = hall.now + timedelta(hours=2, seconds=1)
    assert hall.ask(store.campaign(), at=late)[one].reason == SkipReason.MISSED
    row = hall.ask(store.campaign(late={"else": "send"}), at=late)[one]
    assert (row.reason, row.due_at, row.expires_at) == ("", hall.now, late + timedelta(hours=72))
    assert hall.ask(store.campaign(), at=hall.now + timedelta(hours=2))[one].reason == ""


def test_variants_divide_the_audience_by_their_shares(hall) -> None:
    ids = [hall.add(key=f"c{n}", email=f"{n}@e.org") for n in range(60)]
    rows = hall.ask(store.campaign(variants={"a": {"share": "20%"}, "b": {}, "c": {}}))
    for one in ids:
        number = bucket_of(one, "variant/weekly")
        assert rows[one].variant == ("a" if number < 0.2 else "b" if number < 0.6 else "c")


def test_a_verdict_on_one_contact_equals_the_allocation(hall) -> None:
    one = hall.add(key="a", email="a@e.org", consent=[])
    file, moment = store.campaign(), Moment(hall.now, hall.now.date())
    asked = hall.project(), file, store.occurrence(file, hall.now), moment
    with hall.engine.begin() as db:
        assert audience.verdict(db, *asked, one, zones={hall.home: hall.now}) == ("skipped", "no_consent")
        assert audience.verdict(db, *asked, one + 1, zones={hall.home: hall.now}) is None


POLICY = {
    "caps": [
        {"at_most": 2, "within": "7 days"},
        {"at_most": 1, "within": "20 days", "channels": ["sms"]},
        {"at_most": 1, "within": "3 days", "kinds": ["promotion"]},
    ],
    "holdout": "8%",
}
CAMPAIGNS = [
    store.campaign(exclude=["staff"], channels=["email", "sms"], holdout="10%"),
    store.campaign(kind="promotion", channels=["sms", "email"]),
    store.campaign(kind="service", channels=["email"]),
    store.campaign(topic="service", channels=["email", "whatsapp"]),
]


def _person(dice: Random, hall, number: int) -> Person:
    """A contact drawn by *dice*, in the database and for the oracle."""
    channels = dice.sample(["email", "sms", "whatsapp"], dice.randint(0, 3))
    drawn = [(one, f"{one}-{dice.randint(0, 60)}-{place}") for one in channels for place in range(dice.randint(1, 2))]
    dice.shuffle(drawn)
    person = Person(0, staff=dice.random() < 0.1, zone=dice.choice(["", "Europe/Lisbon", "Mars/Phobos", hall.home]))
    wishes = {"channel": dice.choice(channels or ["sms"]), "frequency": dice.choice([*WISHES, "often"])}
    wishes["pause_until"] = (hall.now + timedelta(hours=dice.choice([-5, -1, 1]))).isoformat(timespec="seconds")
    person.preferences = {name: value for name, value in wishes.items() if dice.random() < 0.3}
    kind = "staff" if person.staff else "customer"
    person.id = hall.add(key=f"p{number}", addresses=drawn, consent=[], timezone=person.zone, kind=kind,
                         preferences=person.preferences)  # fmt: skip
    with hall.engine.begin() as db:
        for channel, value in drawn:
            person.addresses.append((channel, value, value.endswith(("7-0", "3-1"))))
        for channel in channels:
            answer = dice.choice([True, True, True, False, None])
            if answer is not None:
                person.consents[channel] = answer
                for topic in ("news", "service"):
                    store.grant(db, person.id, channel, topic, granted=answer)
    for place in range(dice.choice([0, 0, 1, 2, 3])):
        had = dice.choice(["newsletter", "promotion", "service"]), dice.choice(["email", "sms"]), \
            dice.randint(0, 25) + place / 10, dice.random() < 0.8  # fmt: skip
        person.had.append(had)
        hall.had(person.id, had[2], kind=had[0], channel=had[1], state="accepted" if had[3] else "expired")
    return person


@pytest.mark.parametrize("seed", [1, 2])
def test_the_select_equals_a_plain_python_audience(hall, seed) -> None:
    dice = Random(seed)
    people = [_person(dice, hall, number) for number in range(70)]
    with hall.engine.begin() as db:
        for value in {one[:2] for person in people for one in person.addresses if one[2]}:
            store.suppress(db, *value)
    zones = {"Europe/Lisbon": hall.now - timedelta(hours=3)}
    due, shape = {hall.home: hall.now, **zones}, hall.project(**POLICY).policy
    for file in CAMPAIGNS:
        late = file.model_copy(update={"late": file.late.model_copy(update={"else_": "send"})})
        rows = hall.ask(late, zones=zones, **POLICY)
        assert {one: (row.reason, row.channel, row.address) for one, row in rows.items()} == expected(
            people, late, shape, due, hall.now
        )


def test_the_allocation_fits_the_ledger(hall) -> None:
    ids = [hall.add(key="a", email="a@e.org"), hall.add(key="b", email="b@e.org", consent=[])]
    file = store.campaign()
    moment = Moment(hall.now, hall.now.date())
    date = store.occurrence(file, hall.now)
    select = audience.allocate(hall.project(), file, date, moment, zones={hall.home: hall.now})
    with hall.engine.begin() as db:
        assert ledger.plan(db, file, date, select, hall.now) == len(ids)
        assert ledger.counts(db, "weekly") == {("planned", ""): 1, ("skipped", "no_consent"): 1}
        members = sa.select(contact.c.id.label("contact_id")).where(contact.c.id == ids[0])
        only = audience.allocate(hall.project(), file, date, moment, zones={hall.home: hall.now}, members=members)
        assert [row.contact_id for row in db.execute(only)] == ids[:1]
