"""Every contact of the segment once, with its channel or the first reason against it."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from vinculo import audience, ledger
from vinculo.db.tables import consent, contact, score
from vinculo.model import Moment, SkipReason
from vinculo.project.schema import Policy
from vinculo.segment import bucket_of
from vinculo.testing import store

from .conftest import HOME
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
    assert end_of_quiet(spring, quiet, ["Europe/Lisbon"], spring + far) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    # New York has 01:30 twice on 1 November 2026: the first is 05:30 UTC.
    assert end_of_quiet(autumn + timedelta(hours=3), quiet, ["America/New_York"], autumn + far) == datetime(
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


def test_who_is_in_any_excluded_segment_is_excluded_also_when_asked_alone(hall) -> None:
    staff = hall.add(key="a", email="a@e.org", kind="staff")
    friend = hall.add(key="b", email="b@e.org", tags=["friend"])
    nobody = hall.add(key="c", kind="staff")  # the first reason counts
    other = hall.add(key="d", email="d@e.org", tags=["guest"])
    file, moment = store.campaign(exclude=["friends", "staff"]), Moment(hall.now, hall.now.date())
    rows = hall.ask(file)
    reasons = {staff: "excluded", friend: "excluded", nobody: "excluded", other: ""}
    assert {one: row.reason for one, row in rows.items()} == reasons
    asked = hall.project(), file, store.occurrence(file, hall.now), moment
    with hall.engine.begin() as db:
        verdicts = {one: audience.verdict(db, *asked, one, zones={hall.home: hall.now}) for one in reasons}
    assert {one: row.reason for one, row in verdicts.items() if row} == reasons


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sqlite_finds_who_shares_an_address_by_the_address(hall) -> None:
    with hall.engine.begin() as db:
        query = audience.allocate(hall.project(), file := store.campaign(), store.occurrence(file, hall.now),
                                  Moment(hall.now, hall.now.date()), zones={hall.home: hall.now})  # fmt: skip
        plan = [row.detail for row in db.execute(sa.text("EXPLAIN QUERY PLAN " + _spelled(query, db)))]
    assert any(step.startswith("SEARCH asked") and "channel=? AND address=?" in step for step in plan), plan


def _spelled(query: sa.Select, db: sa.Connection) -> str:
    text = str(query.compile(dialect=db.dialect, compile_kwargs={"literal_binds": True}))
    return text.replace(":", "\\:").replace("LIMIT ?", "LIMIT -1")


def test_a_verdict_on_one_contact_equals_the_allocation(hall) -> None:
    one = hall.add(key="a", email="a@e.org", consent=[])
    file, moment = store.campaign(), Moment(hall.now, hall.now.date())
    asked = hall.project(), file, store.occurrence(file, hall.now), moment
    with hall.engine.begin() as db:
        row = audience.verdict(db, *asked, one, zones={hall.home: hall.now})
        assert row is not None
        assert (row.state, row.reason) == ("skipped", "no_consent")
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


def test_eleven_at_night_and_midnight_are_an_hour_apart(hall) -> None:
    """A window rolls: it is no calendar day, and no calendar week."""
    one, other = (hall.add(key=key, email=f"{key}@e.org") for key in "ab")
    midnight = hall.now.replace(hour=0)
    hall.had(one, (hall.now - midnight + timedelta(hours=1)) / timedelta(days=1))  # 23:00 of the day before
    hall.had(other, (hall.now - midnight + timedelta(hours=24)) / timedelta(days=1))  # 00:00 of the day before
    rows = hall.ask(
        store.campaign(late={"else": "send"}), zones={HOME: midnight}, caps=[{"at_most": 1, "within": "1 day"}]
    )
    assert (rows[one].reason, rows[other].reason) == ("frequency_cap", "")


@pytest.mark.parametrize("due", [timedelta(0), timedelta(hours=5)])
def test_what_waits_for_a_later_hour_or_left_after_a_late_one_was_due_counts_too(hall, due) -> None:
    """A row that waits is sent without its caps being asked again; a late message leaves now, and not when it was due."""
    caps, at = [{"at_most": 1, "within": "1 day"}], hall.now - due
    soon, later, wisher, free = (
        hall.add(key=key, email=f"{key}@e.org", preferences=wish)
        for key, wish in (("a", {}), ("b", {}), ("c", {"frequency": "weekly"}), ("d", {"frequency": "weekly"}))
    )
    before = due / timedelta(days=1)
    for one, days in ((soon, 0.9), (later, 1), (wisher, 6.9), (free, 7)):
        hall.had(one, before - days, state="planned")
    rows = hall.ask(store.campaign(late={"else": "send"}), zones={HOME: at}, caps=caps)
    reasons = [rows[one].reason for one in (soon, later, wisher, free)]
    assert reasons == ["frequency_cap", "", "frequency_cap", ""]


def test_who_has_no_zone_is_quiet_where_its_country_is_and_else_wherever_anybody_is(hall) -> None:
    """09:00 in São Paulo is noon in Lisbon, 21:00 in Tokyo and early morning all over the United States."""
    night = {"quiet_hours": [{"from": "20:00", "to": "09:00"}]}
    japan, america, nowhere = (
        hall.add(key=key, email=f"{key}@e.org", country=country)
        for key, country in (("a", "JP"), ("b", "US"), ("c", ""))
    )
    file = store.campaign(expires="72h")
    rows = hall.ask(file, zones={"Europe/Lisbon": hall.now}, lands=["JP", "US"], **night)
    assert rows[japan].due_at == datetime(2026, 12, 2, 0, tzinfo=UTC)  # 09:00 in Tokyo
    assert rows[america].due_at == datetime(2026, 12, 1, 19, tzinfo=UTC)  # 09:00 in Honolulu and Adak
    assert rows[nowhere].due_at == hall.now  # neither in São Paulo nor in Lisbon is it night
    everywhere = hall.ask(file, zones={"Asia/Tokyo": hall.now}, **night)[nowhere]
    assert (everywhere.state, everywhere.reason) == ("skipped", "quiet_hours")  # always night for somebody


ROUTING = {
    "costs": {"email": "0.01", "sms": "0.30", "whatsapp": "0.20"},
    "tiers": [
        {"name": "best", "stages": ["loyalty"], "channels": ["sms", "whatsapp", "email"]},
        {"name": "good", "stages": ["conversion"], "channels": ["whatsapp", "email"]},
    ],
    "others": ["email"],
}


def test_the_cheapest_channel_that_the_tier_pays_for_is_taken_unless_the_contact_prefers_another(hall) -> None:
    both = {"addresses": [("sms", "+551"), ("whatsapp", "+551")]}
    ids = {
        "best": hall.add(key="a", **both),
        "best, prefers sms": hall.add(key="b", addresses=[("sms", "+552"), ("whatsapp", "+552")], preferences={"channel": "sms"}),
        "good, prefers sms": hall.add(key="c", addresses=[("sms", "+553"), ("whatsapp", "+553")], preferences={"channel": "sms"}),
        "good, sms alone": hall.add(key="d", addresses=[("sms", "+554")]),
        "no score": hall.add(key="e", email="e@e.org", addresses=[("sms", "+555")]),
    }  # fmt: skip
    stages = {"a": "loyalty", "b": "loyalty", "c": "conversion", "d": "conversion"}
    with hall.engine.begin() as db:
        for place, stage in enumerate(stages.values(), start=ids["best"]):
            db.execute(sa.insert(score).values(contact_id=place, stage=stage, at=hall.now))
    rows = hall.ask(store.campaign(channels=["sms", "whatsapp", "email"]), routing=ROUTING)
    told = {who: (rows[one].channel, rows[one].reason) for who, one in ids.items()}
    assert told == {
        "best": ("whatsapp", ""),
        "best, prefers sms": ("sms", ""),
        "good, prefers sms": ("whatsapp", ""),
        "good, sms alone": ("sms", "too_costly"),
        "no score": ("email", ""),
    }
    service = hall.ask(store.campaign(kind="service", channels=["sms", "email"]), routing=ROUTING)
    assert service[ids["good, sms alone"]].reason == ""  # what it needs to know anyway is not weighed


def test_tiers_by_value_are_asked_in_the_companys_money(hall) -> None:
    by_value = {"by": "value", "costs": {"sms": 1}, "others": ["email"],
                "tiers": [{"name": "much", "from": "500.50", "channels": ["sms"]}]}  # fmt: skip
    just, less = (hall.add(key=key, phone=f"+55{key}") for key in "12")
    with hall.engine.begin() as db:
        db.execute(sa.insert(score), [{"contact_id": just, "value": 50050, "at": hall.now},
                                      {"contact_id": less, "value": 50049, "at": hall.now}])  # fmt: skip
    rows = hall.ask(store.campaign(channels=["sms"]), routing=by_value)
    assert (rows[just].reason, rows[less].reason) == ("", "too_costly")


def test_an_allocation_names_the_consent_that_it_rests_on(hall) -> None:
    one = hall.add(key="a", email="a@e.org", consent=[])
    until = hall.now + timedelta(days=3)
    with hall.engine.begin() as db:
        store.grant(db, one, "email", "news", expires_at=until)
        number = db.scalar(sa.select(sa.func.max(consent.c.id)))
    row = hall.ask(store.campaign())[one]
    assert (row.basis, row.consent_id, row.lapses_at) == ("consent", number, until)
    needed = hall.ask(store.campaign(kind="service"))[one]
    assert (needed.basis, needed.consent_id, needed.lapses_at) == ("service", None, None)
    late = hall.ask(store.campaign(late={"else": "send"}), at=until)[one]
    assert (late.reason, late.basis, late.consent_id) == ("no_consent", "", None)
