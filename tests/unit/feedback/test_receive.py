"""Every event finds its delivery, is handled once, and has its effect on history, consent and suppression."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.unit.feedback.conftest import Shop
from vinculo import consent, contacts, history, ledger
from vinculo.db.tables import address, contact, delivery, inbound, interaction, setback, suppression
from vinculo.db.tables import consent as said_so
from vinculo.feedback import receive
from vinculo.feedback.agent import RULE
from vinculo.history import Interaction
from vinculo.model import Event, EventKind, Money

Count = Callable[[sa.Table], int]
KEY = "weekly/2026-12-01T09:00[Europe/Lisbon]/{}"


def _tell(shop: Shop, kind: EventKind, number: str = "1", **values: Any) -> str:
    values = {"channel": "email", "at": shop.now} | values
    with shop.engine.begin() as db:
        return receive(db, Event(kind, "test", number, **values), signer=shop.signer, now=shop.now)


def _history(shop: Shop, contact_id: int) -> list[Interaction]:
    with shop.engine.begin() as db:
        return history.timeline(db, contact_id)


def _reason(shop: Shop, value: str = "ana@example.com") -> str:
    with shop.engine.begin() as db:
        return consent.suppressed(db, "email", {shop.hash(value)}).get(shop.hash(value), "")


def _live(shop: Shop) -> dict[tuple[str, str], bool]:
    with shop.engine.begin() as db:
        return consent.live(db, shop.ana, shop.now)


@pytest.mark.parametrize("by", ["delivery", "key", "message_id", "address"])
def test_an_event_finds_its_delivery(shop: Shop, by: str) -> None:
    token = shop.signer.mail_token("message", shop.ana_delivery)
    marks = {
        "delivery": shop.ana_delivery,
        "key": KEY.format(shop.ana),
        "message_id": f"<{token}@shop.example>",
        "address": "Ana@example.com",
    }
    assert _tell(shop, EventKind.OPENED, **{by: marks[by]}) == "handled"
    [line] = _history(shop, shop.ana)
    assert (line.delivery_id, line.campaign, line.kind, line.direction) == (shop.ana_delivery, "weekly", "opened", "in")
    assert _history(shop, shop.bruno) == []


@pytest.mark.parametrize(
    "marks",
    [
        {"delivery": 99},
        {"key": "weekly/x/1"},
        {"key": "weekly/x/²"},
        {"message_id": "<forged@shop.example>"},
        {"address": "nobody@example.com"},
        {"contact": "nobody"},
    ],
)
def test_what_matches_nobody_is_kept_and_changes_nothing(shop: Shop, count: Count, marks: dict[str, Any]) -> None:
    assert _tell(shop, EventKind.COMPLAINED, **marks) == "unmatched"
    assert count(inbound) == 1
    assert count(interaction) == count(suppression) == 0


def test_a_bounce_that_only_names_an_address_is_believed_only_soon_after_we_wrote_to_it(shop: Shop) -> None:
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(days=31)))
    assert _tell(shop, EventKind.BOUNCED, address="ana@example.com", hard=True) == "unmatched"
    assert _reason(shop) == ""
    assert _tell(shop, EventKind.REPLIED, "2", address="ana@example.com", text="Hi") == "handled"


def test_the_same_event_is_handled_once(shop: Shop, count: Count) -> None:
    outcomes = [_tell(shop, EventKind.CLICKED, delivery=shop.ana_delivery, url="https://x.example") for _ in range(46)]
    assert outcomes == ["handled"] + ["duplicate"] * 45
    assert count(interaction) == count(inbound) == 1


def test_an_event_without_an_id_is_known_by_its_content(shop: Shop, count: Count) -> None:
    assert _tell(shop, EventKind.VISITED, "", contact="ana") == "handled"
    assert _tell(shop, EventKind.VISITED, "", contact="ana") == "duplicate"
    assert _tell(shop, EventKind.VISITED, "", contact="ana", url="/shoes") == "handled"
    assert count(interaction) == 2


def test_an_unknown_kind_is_kept_raw_and_ignored(shop: Shop, count: Count) -> None:
    assert _tell(shop, EventKind.UNKNOWN, delivery=shop.ana_delivery, raw=b"{}") == "ignored"
    assert (count(inbound), count(interaction)) == (1, 0)


def test_a_hard_bounce_suppresses_the_address_we_wrote_to(shop: Shop) -> None:
    _tell(shop, EventKind.BOUNCED, delivery=shop.ana_delivery, address="behind@forwarder.example", hard=True)
    assert _reason(shop) == "hard_bounce"
    assert _reason(shop, "behind@forwarder.example") == ""
    assert all(_live(shop).values())


@pytest.mark.parametrize("hard", [False, None])
def test_five_soft_bounces_in_a_row_suppress_and_a_delivery_begins_afresh(shop: Shop, hard: bool | None) -> None:
    def bounce(number: int) -> None:
        at = shop.now - timedelta(days=30 - number)
        _tell(shop, EventKind.BOUNCED, f"b{number}", delivery=shop.ana_delivery, hard=hard, at=at)

    for number in range(4):
        bounce(number)
    assert _reason(shop) == ""
    bounce(4)
    assert _reason(shop) == "soft_bounces"
    # The delivery was reported late: it happened after the third bounce.
    _tell(shop, EventKind.DELIVERED, "d", delivery=shop.ana_delivery, at=shop.now - timedelta(days=27, hours=12))
    assert _reason(shop) == ""
    for number in range(5, 8):
        bounce(number)
    assert _reason(shop) == "soft_bounces"


def test_a_complaint_suppresses_and_takes_back_every_consent_on_the_channel(shop: Shop) -> None:
    _tell(shop, EventKind.COMPLAINED, delivery=shop.ana_delivery)
    assert _reason(shop) == "complaint"
    assert _live(shop) == {("email", "news"): False, ("email", "offers"): False}


def test_what_came_back_badly_is_counted_once_a_delivery(shop: Shop) -> None:
    for number, hard in enumerate([False, True, True]):
        _tell(shop, EventKind.BOUNCED, f"b{number}", delivery=shop.ana_delivery, hard=hard)
    for number in range(2):
        _tell(shop, EventKind.COMPLAINED, f"c{number}", delivery=shop.bruno_delivery)
    _tell(shop, EventKind.BOUNCED, "b9", delivery=shop.bruno_delivery, hard=True)
    with shop.engine.begin() as db:
        row = db.execute(sa.select(setback)).one()
    assert (row.campaign, row.bounced, row.complained) == ("weekly", 2, 1)


def test_unsubscribing_takes_back_the_topic_or_all(shop: Shop) -> None:
    _tell(shop, EventKind.UNSUBSCRIBED, delivery=shop.ana_delivery, topic="news")
    assert _live(shop) == {("email", "news"): False, ("email", "offers"): True}
    _tell(shop, EventKind.UNSUBSCRIBED, "2", contact="ana", channel="")
    assert _live(shop) == {("email", "news"): False, ("email", "offers"): False}
    assert _reason(shop) == ""


def test_subscribing_gives_consent_with_its_proof_and_only_to_a_topic(shop: Shop) -> None:
    _tell(shop, EventKind.SUBSCRIBED, contact="ana", topic="surveys", data={"text_hash": "abc"})
    _tell(shop, EventKind.SUBSCRIBED, "2", contact="ana")
    assert _live(shop)["email", "surveys"]
    assert len(_live(shop)) == 3


def test_an_older_yes_does_not_undo_a_no_that_arrived_before_it(shop: Shop) -> None:
    _tell(shop, EventKind.UNSUBSCRIBED, "1", contact="ana", topic="news")
    _tell(shop, EventKind.SUBSCRIBED, "2", contact="ana", topic="news", at=shop.now - timedelta(days=1))
    assert not _live(shop)["email", "news"]


def test_what_is_said_now_beats_an_answer_of_a_clock_that_was_ahead(shop: Shop) -> None:
    """Who left was written to until the clock came to the date of the yes."""
    with shop.engine.begin() as db:
        for topic in ("news", "offers"):
            consent.grant(db, shop.ana, "email", topic, shop.now + timedelta(hours=1), source="form")
    _tell(shop, EventKind.UNSUBSCRIBED, "1", contact="ana", topic="news", at=shop.now - timedelta(days=2))
    assert _live(shop)["email", "news"], "that was said before"
    _tell(shop, EventKind.UNSUBSCRIBED, "2", contact="ana", topic="news", at=shop.now - timedelta(minutes=10))
    assert _live(shop) == {("email", "news"): False, ("email", "offers"): True}
    _tell(shop, EventKind.SUBSCRIBED, "a", contact="ana", topic="news", at=shop.now - timedelta(minutes=10))
    assert not _live(shop)["email", "news"], "the no may have come after it"
    _tell(shop, EventKind.SUBSCRIBED, "3", contact="ana", topic="news", at=shop.now - timedelta(seconds=1))
    assert _live(shop)["email", "news"]
    _tell(shop, EventKind.UNSUBSCRIBED, "4", contact="ana", channel="")
    assert not any(_live(shop).values())
    _tell(shop, EventKind.SUBSCRIBED, "5", contact="ana", topic="news")
    _tell(shop, EventKind.UNSUBSCRIBED, "6", address="ana@example.com")
    assert not any(_live(shop).values())


def test_an_event_from_the_future_counts_as_of_now(shop: Shop) -> None:
    _tell(shop, EventKind.UNSUBSCRIBED, contact="ana", topic="news", at=shop.now + timedelta(days=400))
    assert _history(shop, shop.ana)[0].at == shop.now


def test_a_reply_keeps_its_text_and_an_automatic_one_does_not_count_as_a_reply(shop: Shop) -> None:
    _tell(shop, EventKind.REPLIED, "1", delivery=shop.ana_delivery, text="Obrigada!\nAna")
    _tell(shop, EventKind.AUTO_REPLIED, "2", delivery=shop.ana_delivery, text="Estou de férias")
    lines = {line.kind: line for line in _history(shop, shop.ana)}
    assert lines["replied"].data["text"] == "Obrigada!\nAna"
    assert set(lines) == {"replied", "auto_replied"}


@pytest.mark.parametrize("words", ["PARE", "Não quero mais receber e-mails", "please remove me from your list", "Baja"])
def test_whoever_writes_back_to_be_let_alone_is(shop: Shop, words: str) -> None:
    _tell(shop, EventKind.REPLIED, "1", delivery=shop.ana_delivery, text=words)
    assert _live(shop)["email", "news"] is False
    (line,) = _history(shop, shop.ana)
    assert line.data["intents"][0] == "stop"


def test_whoever_writes_back_for_more_goes_on_getting_it(shop: Shop) -> None:
    _tell(shop, EventKind.REPLIED, "1", delivery=shop.ana_delivery, text="Não parem de mandar! Quanto custa a moka?")
    assert _live(shop)["email", "news"] is True
    (line,) = _history(shop, shop.ana)
    assert (line.data["intents"], line.data["tone"]) == (["price", "question"], "neutral")


def test_a_purchase_has_its_amount_and_no_delivery_that_it_does_not_name(shop: Shop) -> None:
    _tell(shop, EventKind.PURCHASED, contact="ana", address="ana@example.com", amount=Money(1990, "BRL"))
    [line] = _history(shop, shop.ana)
    assert (line.amount, line.currency, line.delivery_id) == (1990, "BRL", None)


def test_opens_are_kept_every_time_with_the_class_of_who_did_it(shop: Shop) -> None:
    for number, agent in enumerate(("Mozilla/5.0 (X11; Linux) Firefox/140", "GoogleImageProxy", "curl/8")):
        data = {"user_agent": agent, "ip": "192.0.2.7"}
        _tell(
            shop,
            EventKind.OPENED,
            str(number),
            delivery=shop.ana_delivery,
            data=data,
            at=shop.now - timedelta(minutes=number),
        )
    lines = _history(shop, shop.ana)
    assert [line.data["class"] for line in lines] == ["human", "proxy", "machine"]
    assert lines[1].data == {"user_agent": "GoogleImageProxy", "ip": "192.0.2.7", "class": "proxy", "rule": RULE}


def test_what_came_back_settles_a_delivery_in_doubt_and_an_address_alone_does_not(shop: Shop) -> None:
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).values(state="in_doubt"))
    _tell(shop, EventKind.OPENED, "1", delivery=shop.ana_delivery)
    _tell(shop, EventKind.OPENED, "2", address="bruno@example.com")
    _tell(shop, EventKind.FAILED, "3", delivery=shop.bruno_delivery)
    with shop.engine.begin() as db:
        states = dict(db.execute(sa.select(delivery.c.contact_id, delivery.c.state)).tuples().all())
    assert states == {shop.ana: "accepted", shop.bruno: "in_doubt"}
    assert [line.kind for line in _history(shop, shop.ana) if line.direction == "out"] == ["sent"]


def test_an_erased_contact_has_no_history_any_more(shop: Shop, count: Count) -> None:
    with shop.engine.begin() as db:
        db.execute(sa.update(contact).where(contact.c.id == shop.ana).values(erased_at=shop.now))
    assert _tell(shop, EventKind.OPENED, "1", delivery=shop.ana_delivery) == "unmatched"
    assert _tell(shop, EventKind.REPLIED, "2", address="ana@example.com") == "unmatched"
    assert _tell(shop, EventKind.VISITED, "3", contact="ana") == "unmatched"
    assert count(interaction) == 0


def test_an_address_of_two_contacts_names_neither(shop: Shop) -> None:
    assert _tell(shop, EventKind.VISITED, contact="ana@example.com") == "handled"
    _share(shop)
    assert _tell(shop, EventKind.VISITED, "2", contact="ana@example.com") == "unmatched"
    assert _tell(shop, EventKind.INBOUND, "3", address="ana@example.com") == "unmatched"


def _share(shop: Shop, *, value: str = "ana@example.com") -> None:
    """Let Bruno have Ana's address, too."""
    row = {"contact_id": shop.bruno, "channel": "email", "value": value, "hash": shop.hash(value)}
    with shop.engine.begin() as db:
        db.execute(sa.insert(address).values(**row, position=1, added_at=shop.now))


def _joins(db: sa.Connection, shop: Shop, key: str, value: str) -> int:
    """Somebody else with an address that is there."""
    row = sa.insert(contact).values(key=key, first_seen=shop.now, updated_at=shop.now).returning(contact.c.id)
    number: int = db.execute(row).scalar_one()
    said = {"channel": "email", "value": value, "hash": shop.hash(value)}
    db.execute(sa.insert(address).values(contact_id=number, **said, added_at=shop.now))
    return number


def _yeses(shop: Shop, contact_id: int) -> set[str]:
    with shop.engine.begin() as db:
        return {topic for (_, topic), yes in consent.live(db, contact_id, shop.now).items() if yes}


@pytest.mark.parametrize(
    "event",
    [
        {"kind": EventKind.UNSUBSCRIBED, "delivery": True, "topic": "news"},
        {"kind": EventKind.UNSUBSCRIBED, "contact": "ana", "topic": "news"},  # the preference centre
        {"kind": EventKind.UNSUBSCRIBED, "contact": "Ana@example.com", "topic": "news"},
        {"kind": EventKind.UNSUBSCRIBED, "address": "Ana@example.com", "topic": "news"},
        {"kind": EventKind.COMPLAINED, "delivery": True},
        {"kind": EventKind.REPLIED, "delivery": True, "text": "STOP"},
        {"kind": EventKind.INBOUND, "address": "ana@example.com", "text": "SAIR"},
    ],
)
@pytest.mark.parametrize("lately", [True, False])
def test_who_leaves_takes_along_whoever_has_the_same_address(shop: Shop, event: dict[str, Any], lately: bool) -> None:
    _share(shop)
    said = {**event, "delivery": shop.ana_delivery} if "delivery" in event else dict(event)
    if not lately:  # an address alone names no delivery any more
        with shop.engine.begin() as db:
            db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(days=90)))
    assert _tell(shop, said.pop("kind"), **said) == "handled"
    left = {"offers"} if event.get("topic") else set()
    assert (_yeses(shop, shop.ana), _yeses(shop, shop.bruno)) == (left, left)


def test_who_leaves_by_a_mailbox_takes_along_nobody_who_has_another(shop: Shop) -> None:
    """Ana's address was corrected since: what the message went to is somebody else's, and her new one said nothing."""
    _share(shop, value="new@example.com")
    with shop.engine.begin() as db:
        db.execute(sa.update(address).where(address.c.contact_id == shop.ana).values(value="new@example.com"))
    _tell(shop, EventKind.UNSUBSCRIBED, delivery=shop.ana_delivery, topic="news")
    assert (_yeses(shop, shop.ana), _yeses(shop, shop.bruno)) == ({"offers"}, {"news", "offers"})


def test_who_leaves_by_a_shared_mailbox_takes_along_nobody_of_another(shop: Shop) -> None:
    """Bruno has an address of his own, which he shares with Carla."""
    _share(shop)
    with shop.engine.begin() as db:
        carla = _joins(db, shop, "carla", "bruno@example.com")
        consent.grant(db, carla, "email", "news", shop.now, source="form")
        db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(days=90)))
    assert _tell(shop, EventKind.INBOUND, address="ana@example.com", text="STOP") == "handled"
    assert [_yeses(shop, each) for each in (shop.ana, shop.bruno, carla)] == [set(), set(), {"news"}]


def test_a_no_from_an_address_of_many_is_recorded_in_a_few_statements(shop: Shop) -> None:
    with shop.engine.begin() as db:
        ids = [_joins(db, shop, str(number), "ana@example.com") for number in range(40)]
        db.execute(sa.update(delivery).values(submitted_at=shop.now - timedelta(days=90)))
    asked: list[str] = []
    sa.event.listen(shop.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert _tell(shop, EventKind.INBOUND, address="ana@example.com", text="STOP") == "handled"
    assert len(asked) < len(ids)
    with shop.engine.begin() as db:
        said = sa.select(sa.func.count()).select_from(said_so).where(~said_so.c.granted)
        assert db.scalar(said) == len(ids) + 1


def test_who_leaves_takes_along_nobody_else(shop: Shop) -> None:
    _share(shop, value="ana@example.org")
    _tell(shop, EventKind.UNSUBSCRIBED, delivery=shop.ana_delivery, topic="news")
    assert _yeses(shop, shop.bruno) == {"news", "offers"}


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("by", ["delivery", "key"])
def test_what_answers_a_message_to_a_contact_that_was_joined_into_another_is_the_others(
    shop: Shop, by: str, both: bool
) -> None:
    marks = {"delivery": shop.bruno_delivery, "key": KEY.format(shop.bruno)}
    with shop.engine.begin() as db:
        if not both:  # else both have a delivery of the occurrence, and each keeps its own
            db.execute(sa.delete(delivery).where(delivery.c.id == shop.ana_delivery))
        contacts.merge(db, shop.ana, shop.bruno, shop.now)
    assert _tell(shop, EventKind.UNSUBSCRIBED, topic="news", **{by: marks[by]}) == "handled"
    assert not _live(shop)["email", "news"]
    assert _history(shop, shop.ana)[0].delivery_id == shop.bruno_delivery


def test_a_mail_that_names_an_address_alone_proves_nothing_of_what_was_being_handed_over(shop: Shop) -> None:
    dead = {"state": "submitting", "worker": "w", "lease_until": shop.now, "submitted_at": shop.now}
    with shop.engine.begin() as db:
        db.execute(sa.update(delivery).where(delivery.c.id == shop.ana_delivery).values(dead))
    assert _tell(shop, EventKind.AUTO_REPLIED, address="ana@example.com") == "handled"
    with shop.engine.begin() as db:
        assert ledger.recover(db, shop.now).in_doubt == 1


@pytest.mark.parametrize("text", ["a\0b", "cut \ud83d", "a\x01b"])
def test_what_no_database_keeps_stops_no_event(shop: Shop, text: str) -> None:
    data = {"a": [{text: text}], "b": float("inf"), "c": [1.5, 10**400], "subject": text}
    assert _tell(shop, EventKind.INBOUND, text=text, address="ana@example.com", data=data, raw=b"x") == "handled"
    assert _tell(shop, EventKind.INBOUND, text=text, address="ana@example.com", data=data, raw=b"x") == "duplicate"
    [line] = _history(shop, shop.ana)
    kept = text.replace("\0", "").replace("\ud83d", "?")
    assert (line.data["text"], line.data["a"], line.data["b"], line.data["c"]) == (
        kept,
        [{kept: kept}],
        None,
        [1.5, None],
    )


def test_a_thread_that_is_none_stops_no_event(shop: Shop) -> None:
    assert _tell(shop, EventKind.REPLIED, text="Que horas abre?", contact="ana", data={"thread": 5}) == "handled"
