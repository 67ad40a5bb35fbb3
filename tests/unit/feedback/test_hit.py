"""Openings and clicks by the hundred, on both databases: what is one, whose they are, and what they prove."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from vinculo import facts
from vinculo.db import metadata
from vinculo.db.tables import alias, contact, delivery, fact, inbound, interaction, tally
from vinculo.feedback import Glance, Hit, TrackingRules, count, judge_again, receive_hits
from vinculo.model import EventKind
from vinculo.project.schema import Tracking
from vinculo.report import campaign_report
from vinculo.testing.store import add_contact, grant

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
LEFT = NOW - timedelta(hours=1)
PHONE = {
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) Mobile/15E148",
    "method": "GET",
    "ip": "::1",
}
SHOP = "https://casaaurora.example/"
PLACE = ("weekly", "2026-12-01T09:00[UTC]")


@pytest.fixture
def db(engine: sa.Engine) -> sa.Connection:
    """Ana and Rui, to each of whom the newsletter was sent an hour ago."""
    metadata.create_all(engine)
    with engine.connect() as db, db.begin():
        yield db


def sent(db: sa.Connection, *, state: str = "accepted", **definition: object) -> tuple[int, int]:
    """Lay a contact and its delivery; return both ids."""
    add_place(db, definition)
    number = db.scalar(sa.select(sa.func.count()).select_from(contact)) or 0
    who = add_contact(db, key=f"c{number}", email=f"c{number}@mail.example")
    row = {
        "campaign": PLACE[0], "occurrence": PLACE[1], "contact_id": who, "state": state, "channel": "email",
        "due_at": LEFT, "expires_at": NOW + timedelta(days=1), "submitted_at": LEFT, "variant": "b", "basis": "service", "topic": "service",
    }  # fmt: skip
    return who, int(db.execute(sa.insert(delivery).values(row).returning(delivery.c.id)).scalar_one())


def add_place(db: sa.Connection, definition: dict[str, object]) -> None:
    from vinculo.db.tables import occurrence

    if db.scalar(sa.select(sa.func.count()).select_from(occurrence)) == 0:
        row = {"campaign": PLACE[0], "occurrence": PLACE[1], "state": "finished", "due_at": LEFT, "planned_at": LEFT}
        db.execute(sa.insert(occurrence).values(row | {"definition": {"kind": "newsletter", **definition}}))


def opened(number: int, at: datetime = NOW, **said: str) -> Hit:
    return Hit(EventKind.OPENED, number, at, {**PHONE, **said})


def clicked(number: int, url: str = SHOP, at: datetime = NOW, **said: str) -> Hit:
    return Hit(EventKind.CLICKED, number, at, {**PHONE, **said}, url)


def lines(db: sa.Connection) -> list[tuple[str, str]]:
    return [(kind, data["class"]) for kind, data in db.execute(sa.select(interaction.c.kind, interaction.c.data))]


def counted(db: sa.Connection) -> dict[str, int]:
    return dict(db.execute(sa.select(tally.c["class"], tally.c.number)).tuples().all())


def take(db: sa.Connection, *hits: Hit, **rules: object) -> list[str]:
    return receive_hits(db, hits, TrackingRules(Tracking.model_validate(rules)), NOW)


def test_hits_in_one_group_or_in_many_that_cannot_be_told_apart_are_one(db: sa.Connection) -> None:
    _, one = sent(db)
    _, other = sent(db)
    for _ in range(3):
        take(db, *[opened(one)] * 10, opened(other), opened(one, ip="10.0.0.1"))
    assert lines(db) == [("opened", "human")] * 3
    assert sorted(db.scalars(sa.select(inbound.c.times))) == [3, 3, 30]
    take(db, opened(one, NOW + timedelta(days=1)))
    assert len(lines(db)) == 4


def test_hits_are_facts_as_everything_else_in_the_history_and_a_hit_that_is_not_new_is_none(db: sa.Connection) -> None:
    who, number = sent(db)
    first = [opened(number), opened(number), clicked(number), clicked(number, f"{SHOP}cups")]
    receive_hits(db, first, TrackingRules(Tracking()), NOW)
    receive_hits(db, [opened(number), opened(number, NOW + timedelta(days=1))], TrackingRules(Tracking()), NOW)
    kept = db.execute(sa.select(fact.c.contact_id, fact.c.kind, fact.c.count).order_by(fact.c.kind)).all()
    assert kept == [(who, "clicked", 2), (who, "opened", 2)]
    assert list(facts.differing(db)) == []


def test_a_line_of_the_history_says_what_the_generic_way_says(db: sa.Connection) -> None:
    who, number = sent(db)
    take(db, clicked(number))
    row = db.execute(sa.select(interaction)).one()
    assert (row.contact_id, row.delivery_id, row.at, row.direction, row.channel) == (who, number, NOW, "in", "email")
    assert (row.campaign, row.occurrence, row.summary, row.source) == (*PLACE, SHOP, "web")
    assert row.data == {**PHONE, "url": SHOP, "class": "human", "rule": 3}
    raw = db.execute(sa.select(inbound)).one()
    assert (raw.contact_id, raw.delivery_id, raw.outcome, raw.event_id) == (who, number, "handled", row.event_id)


@pytest.mark.parametrize(("said", "kind"), [({"method": "HEAD"}, "machine"), ({"purpose": "prefetch"}, "machine"), ({"trap": "honeypot"}, "machine"), ({"user_agent": "Mozilla/5.0"}, "proxy"), ({"user_agent": 'x"\\\x01é'}, "human")])  # fmt: skip
def test_a_hit_is_judged_at_once(db: sa.Connection, said: dict[str, str], kind: str) -> None:
    _, number = sent(db)
    take(db, opened(number, **said))
    assert lines(db) == [("opened", kind)]


def test_nobody_reads_in_the_moment_a_message_leaves(db: sa.Connection) -> None:
    _, number = sent(db)
    take(db, opened(number, LEFT + timedelta(seconds=1)), opened(number, LEFT + timedelta(seconds=1), ip="2"))
    take(db, opened(number, LEFT + timedelta(seconds=5), ip="3"))
    assert [found for _, found in lines(db)] == ["machine", "machine", "human"]


def test_who_follows_three_links_at_once_is_a_machine_also_for_the_first_two(db: sa.Connection) -> None:
    _, number = sent(db)
    for step in range(3):
        take(db, clicked(number, f"{SHOP}{step}", NOW + timedelta(seconds=step)))
    assert [found for _, found in lines(db)] == ["machine"] * 3
    take(db, clicked(number, SHOP, NOW + timedelta(minutes=5)))
    assert [found for _, found in lines(db)][-1] == "human"


def test_several_people_of_one_house_who_follow_a_link_each_at_the_same_moment_are_people(db: sa.Connection) -> None:
    numbers = [sent(db)[1] for _ in range(4)]
    take(db, *(clicked(number, f"{SHOP}{step}", ip="203.0.113.9") for step, number in enumerate(numbers)))
    assert [found for _, found in lines(db)] == ["human"] * 4


def test_a_scanner_that_asks_from_several_addresses_is_a_machine(db: sa.Connection) -> None:
    _, number = sent(db)
    take(db, *(clicked(number, f"{SHOP}{step}", ip=f"203.0.113.{step}") for step in range(3)))
    assert [found for _, found in lines(db)] == ["machine"] * 3


def test_who_follows_the_hidden_link_is_a_machine_in_all_it_did_and_only_it(db: sa.Connection) -> None:
    _, number = sent(db)
    take(db, opened(number), opened(number, ip="9"), clicked(number))
    take(db, clicked(number, "honeypot", NOW + timedelta(minutes=1), trap="honeypot"))
    assert sorted(lines(db)) == [
        *[("clicked", "machine")] * 2,
        ("opened", "human"),
        ("opened", "machine"),
    ]
    assert judge_again(db) == {}


def test_whoever_took_back_consent_is_counted_without_a_name_also_in_mail_sent_before(db: sa.Connection) -> None:
    who, number = sent(db)
    take(db, opened(number))
    grant(db, who, "email", "tracking", granted=False)
    take(db, opened(number, ip="5"), opened(number, ip="6"))
    assert (len(lines(db)), counted(db)) == (1, {"human": 2})
    assert db.scalar(sa.select(sa.func.count()).select_from(inbound)) == 1


def test_where_consent_is_asked_for_only_those_who_gave_it_are_known(db: sa.Connection) -> None:
    who, known = sent(db)
    _, unknown = sent(db)
    grant(db, who, "email", "tracking")
    take(db, opened(known), opened(unknown), consent="opt_in")
    assert lines(db) == [("opened", "human")]
    assert counted(db) == {"human": 1}


@pytest.mark.parametrize(("opens", "number"), [("aggregate", {"human": 2}), ("off", {})])
def test_a_campaign_that_does_not_ask_who_opened_is_not_told(
    db: sa.Connection, opens: str, number: dict[str, int]
) -> None:
    _, one = sent(db, open_tracking=opens)
    take(db, opened(one), opened(one))
    assert (lines(db), counted(db)) == ([], number)


def test_the_pixel_that_names_nobody_is_counted_by_day_and_class(db: sa.Connection) -> None:
    sent(db)
    rules_of = TrackingRules(Tracking())
    for _ in range(2):
        count(db, [Glance(*PLACE, NOW, PHONE), Glance(*PLACE, NOW, {"user_agent": "curl/8"})], rules_of)
    count(db, [Glance(*PLACE, NOW + timedelta(days=1), PHONE)], rules_of)
    assert sorted(db.scalars(sa.select(tally.c.number))) == [1, 2, 2]
    assert lines(db) == []


def test_the_company_says_what_holds_where_a_campaign_says_nothing(db: sa.Connection) -> None:
    _, number = sent(db)
    take(db, opened(number), opens="aggregate")
    assert (lines(db), counted(db)) == ([], {"human": 1})


def test_a_click_leads_on_with_the_campaigns_parameters_or_the_companys(db: sa.Connection) -> None:
    _, number = sent(db)
    utm = {"source": "news", "content": "{kind}-{variant}"}
    assert take(db, clicked(number), utm=utm) == [f"{SHOP}?utm_source=news&utm_content=newsletter-b"]
    assert take(db, clicked(10**6), utm=utm) == [SHOP]


@pytest.mark.parametrize(("own", "leads"), [({"campaign": "natal"}, f"{SHOP}?utm_campaign=natal"), ("off", SHOP)])
def test_a_campaigns_own_parameters_stand_instead(db: sa.Connection, own: object, leads: str) -> None:
    _, number = sent(db, utm=own)
    assert take(db, clicked(number), utm={"source": "news"}) == [leads]


def test_who_was_erased_leaves_no_line_and_who_was_joined_leaves_it_with_the_other(db: sa.Connection) -> None:
    gone, one = sent(db)
    joined, other = sent(db)
    kept, _ = sent(db)
    db.execute(sa.update(contact).where(contact.c.id.in_([gone, joined])).values(erased_at=NOW))
    db.execute(sa.insert(alias).values(key=f"#{joined}", contact_id=kept))
    take(db, opened(one), opened(other))
    assert list(db.scalars(sa.select(interaction.c.contact_id))) == [kept]


def test_who_opens_a_message_in_doubt_has_it(db: sa.Connection) -> None:
    _, number = sent(db, state="in_doubt")
    take(db, opened(number))
    assert db.scalar(sa.select(delivery.c.state)) == "accepted"
    assert set(db.scalars(sa.select(interaction.c.kind))) == {"opened", "sent"}


def test_a_report_shows_each_rate_by_people_by_machines_and_raw(db: sa.Connection) -> None:
    (_, one), (_, other), _, (stranger, third) = sent(db), sent(db), sent(db), sent(db)
    grant(db, stranger, "email", "tracking", granted=False)
    take(db, *[opened(one)] * 4, opened(other, user_agent="curl/8"), opened(third), clicked(one))
    take(db, opened(one, user_agent="curl/8"))
    found = campaign_report(db, PLACE[0], PLACE[1])
    assert (found.opened.human, found.opened.proxy, found.opened.machine, found.opened.raw) == (1, 0, 2, 6)
    assert found.opened.rates == {"human": 0.25, "proxy": 0.0, "machine": 0.5, "raw": 0.5}
    assert found.opened.unnamed == {"human": 1}
    assert (found.clicked.human, found.clicked.raw, found.clicked.rates["raw"]) == (1, 1, 0.25)
