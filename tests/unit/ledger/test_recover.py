"""Dead workers: what they had not handed over is sent, what they may have handed over is in doubt."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from vinculo import ledger
from vinculo.connector import Receipt
from vinculo.db.tables import delivery, interaction
from vinculo.ledger import recovery
from vinculo.testing import store

LATER = timedelta(minutes=6)


def test_a_lease_that_is_not_over_is_left_alone(book) -> None:
    book.people(2).plan()
    book.submit(book.claim(limit=1))
    assert book.recover(book.now + timedelta(minutes=4)) == ledger.Recovered()


def test_claimed_rows_are_planned_again_and_handed_over_rows_are_in_doubt(book) -> None:
    book.people(3).plan()
    book.submit(book.claim()[:1])
    assert book.recover(book.now + LATER) == ledger.Recovered(released=2, in_doubt=1)
    assert book.counts() == {("planned", ""): 2, ("in_doubt", ""): 1}
    assert not book.finish()


@pytest.mark.parametrize(
    ("policy", "channels", "expected"),
    [
        ("resend", frozenset(), ledger.Recovered(resent=1)),
        ("write_off", frozenset(), ledger.Recovered(written_off=1)),
        ("hold", frozenset({"email"}), ledger.Recovered(resent=1)),
    ],
)
def test_doubt_follows_the_campaign_and_the_provider(book, policy, channels, expected) -> None:
    book.people(1).plan(store.campaign(in_doubt=policy))
    book.taken()
    assert book.recover(book.now + LATER, idempotent_channels=channels) == expected


def test_an_event_that_came_before_the_answer_proves_acceptance(book) -> None:
    book.people(1).plan()
    claims = book.taken()
    seen = {"contact_id": book.ids[0], "at": book.now, "direction": "in", "kind": "opened", "delivery_id": claims[0].id}
    with book.engine.begin() as db:
        db.execute(sa.insert(interaction).values(seen))
    recovered = book.recover(book.now + LATER)
    assert [claim.key for claim in recovered.accepted] == [claims[0].key]
    assert book.row().state == "accepted"


def test_of_what_each_dead_worker_held_only_the_group_in_its_hands_is_suspected(
    book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where two have taken turns, and where so many rows are taken back that one transaction has not all."""
    monkeypatch.setattr(recovery, "GROUP", 2)
    monkeypatch.setattr(recovery, "BOUND", 5)
    book.people(8).plan()
    for number in range(8):
        book.claim(f"w{number % 2}", limit=1)
    assert book.recover(book.now + LATER) == ledger.Recovered(released=4, more=True)
    assert book.recover(book.now + LATER) == ledger.Recovered(released=4)
    assert [book.row(number).crashes for number in range(8)] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_a_row_that_kills_its_workers_is_quarantined_and_the_rest_is_sent(book) -> None:
    book.people(5).plan()
    at, poison = book.now, book.ids[2]
    for _ in range(20):
        claims = book.claim(at=at)
        if not claims:
            break
        for claim in claims:  # a worker renders and hands over one by one; the poison kills it while rendering
            if claim.key.contact_id == poison:
                break
            assert book.submit([claim], at)
            book.settle([claim], Receipt("p"), at)
        at += LATER
        book.recover(at)
    assert book.counts() == {("accepted", ""): 4, ("skipped", "quarantined"): 1}
    assert book.row(2).crashes == 3


def test_a_row_handed_over_three_times_without_an_answer_waits_for_a_person(book) -> None:
    book.people(1).plan(store.campaign(in_doubt="resend"))
    at = book.now
    for _ in range(3):
        claims = book.claim(at=at)
        assert book.submit(claims, at)
        at += LATER
        book.recover(at)
    assert (book.row().state, book.row().reason) == ("in_doubt", "quarantined")


def test_who_was_in_the_group_of_a_dead_worker_goes_alone_and_the_poison_is_found_in_three_deaths(book) -> None:
    """A worker renders a group before it marks it: any of them may have killed it, and suspects go one by one."""
    book.people(100).plan()
    at, poison, deaths = book.now, book.ids[40], 0
    while claims := book.claim(at=at):
        while claims:
            suspect = claims[0].crashes > 0
            size = 1 if suspect else ledger.GROUP
            group = [one for one in claims[:size] if bool(one.crashes) is suspect]
            if any(claim.key.contact_id == poison for claim in group):
                deaths += 1
                break
            book.submit(group, at)
            book.settle(group, Receipt("p"), at)
            claims = claims[len(group) :]
        at += LATER
        book.recover(at)
    assert deaths == 3
    assert book.counts() == {("accepted", ""): 99, ("skipped", "quarantined"): 1}


def test_whom_a_worker_died_on_is_told_by_the_order_in_which_it_sends(book) -> None:
    """What the contact waits for goes first, whatever its priority: who comes second is not suspected a second time."""
    book.people(1).plan(store.campaign("weekly", priority=90))
    book.plan(store.campaign("notice", kind="service", priority=10))
    for number in (1, 2):
        at = book.now + number * LATER
        claims = book.claim(at=at)
        assert [one.key.campaign for one in claims] == ["notice", "weekly"]
        book.recover(at + LATER)
    found = {one.key.campaign: one.crashes for one in book.claim(at=book.now + 4 * LATER)}
    assert found == {"notice": 2, "weekly": 1}


@pytest.mark.parametrize("crashes", [{"notice": 1}, {"notice": 2, "weekly": 1}])
def test_who_is_suspected_already_comes_last_of_all_and_then_occurrence_by_occurrence(book, crashes) -> None:
    book.people(1).plan(store.campaign("weekly"))
    book.plan(store.campaign("notice", kind="service"))
    with book.engine.begin() as db:
        for campaign, number in crashes.items():
            db.execute(sa.update(delivery).where(delivery.c.campaign == campaign).values(crashes=number))
    first, _ = book.claim()
    book.recover(book.now + LATER)
    with book.engine.begin() as db:
        found = dict(db.execute(sa.select(delivery.c.campaign, delivery.c.crashes)).tuples().all())
    assert found == {"notice": 0, "weekly": 0} | crashes | {first.key.campaign: first.crashes + 1}


def test_what_many_workers_held_is_taken_back_in_bounded_transactions(book, monkeypatch) -> None:
    monkeypatch.setattr(recovery, "BOUND", 7)
    book.people(20).plan()
    for number in range(4):
        book.submit(book.claim(f"w{number}", 5)[:2])
    rounds = []
    while not rounds or rounds[-1].more:
        rounds.append(book.recover(book.now + LATER))
    assert len(rounds) == 2
    assert sum(one.released for one in rounds) == 12
    assert sum(one.in_doubt for one in rounds) == 8
    assert {one.crashes for one in book.claim(at=book.now + LATER)} == {1}


@pytest.mark.parametrize("marked", [True, False])
def test_what_a_living_worker_holds_is_left_to_it_when_anothers_lease_is_over(book, marked: bool) -> None:
    book.people(4).plan()
    dead, alive = book.claim("w1", 2), book.claim("w2", 2, at=book.now + timedelta(minutes=3))
    if marked:
        book.submit(dead)
        book.submit(alive, book.now + timedelta(minutes=3))
    before = [book.row(number) for number in (2, 3)]
    expected = ledger.Recovered(in_doubt=2) if marked else ledger.Recovered(released=2)
    assert book.recover(book.now + LATER) == expected
    assert [book.row(number) for number in (2, 3)] == before


@pytest.mark.parametrize("marked", [True, False])
def test_what_one_worker_held_is_taken_back_even_if_it_is_more_than_a_transaction_takes(
    book, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    monkeypatch.setattr(recovery, "BOUND", 5)
    book.people(8).plan()
    claims = book.claim()
    if marked:
        book.submit(claims)
    found = [book.recover(book.now + LATER) for _ in range(2)]
    assert [one.in_doubt if marked else one.released for one in found] == [5, 3]
    assert [one.more for one in found] == [True, False]


def test_who_is_first_in_a_workers_hands_on_each_channel_is_suspected_and_nobody_else(book, monkeypatch) -> None:
    """It sends channel by channel: by when they were due within one, and suspects by how often they were that."""
    monkeypatch.setattr(recovery, "GROUP", 1)
    with book.engine.begin() as db:
        for number in range(4):
            phone = f"+55119999900{number}"
            email = f"c{number}@example.org"
            book.ids.append(store.add_contact(db, key=f"c{number}", email=email, phone=phone, consent=["news"]))
    book.plan()
    d = delivery.c
    with book.engine.begin() as db:
        for number, channel in enumerate(["email", "sms", "email", "sms"]):
            due_at = book.now - timedelta(minutes=number)
            row = sa.update(delivery).where(d.contact_id == book.ids[number])
            db.execute(row.values(channel=channel, due_at=due_at))
    book.claim()
    book.recover(book.now + LATER)
    assert [book.row(number).crashes for number in range(4)] == [0, 0, 1, 1]


def test_of_two_suspects_the_one_that_was_suspected_less_often_was_in_hand(book) -> None:
    book.people(2).plan()
    with book.engine.begin() as db:
        for number, crashes in enumerate([2, 1]):
            db.execute(sa.update(delivery).where(delivery.c.contact_id == book.ids[number]).values(crashes=crashes))
    assert [claim.key.contact_id for claim in book.claim()] == [book.ids[1], book.ids[0]]
    assert book.recover(book.now + LATER) == ledger.Recovered(released=2)
    assert [book.row(number).crashes for number in range(2)] == [2, 2]


def test_what_is_quarantined_is_counted_apart_from_what_is_planned_again(book) -> None:
    book.people(3).plan()
    with book.engine.begin() as db:
        db.execute(sa.update(delivery).values(crashes=2))
    book.claim()
    assert book.recover(book.now + LATER) == ledger.Recovered(released=2, quarantined=1)
    assert (book.row().settled_at, book.row(1).settled_at) == (book.now + LATER, None)


@pytest.mark.parametrize(("policy", "dated"), [("hold", False), ("resend", False), ("write_off", True)])
def test_only_what_is_settled_is_dated(book, policy: str, dated: bool) -> None:
    book.people(1).plan(store.campaign(in_doubt=policy))
    book.taken()
    book.recover(book.now + LATER)
    assert book.row().settled_at == (book.now + LATER if dated else None)
