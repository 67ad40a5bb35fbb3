"""A channel gets another provider, which knows nothing of the keys that the one before it has seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import SECRET, Clock
from vinculo import feedback, ledger, project, run
from vinculo.connector import Capabilities, Connector, InDoubt, Receipt, Rejected, Unavailable
from vinculo.db.note import keep_note
from vinculo.db.tables import delivery, occurrence
from vinculo.ledger import Settlement
from vinculo.model import Event, EventKind, Message
from vinculo.run.entry import enter, same_providers
from vinculo.run.shift import Shift
from vinculo.runtime import Runtime
from vinculo.testing.project import COMPANY, write_project
from vinculo.testing.smtp import SmtpSink

Shop = Callable[[str], Runtime]
#: Who serves e-mail: a server that knows no key again, and two folders that do.
SMTP, OUTBOX, OTHER = "", "outbox", "other"
SWITCHES = [(SMTP, OUTBOX), (OUTBOX, OTHER)]
LEASE = timedelta(minutes=5)
EMAIL_ALONE = {
    "plan/calendar/weekly.yaml": """\
        kind: newsletter
        objective: keep-active
        segment: everyone
        topic: news
        channels: [email]
        template: hello
        when: {every: tuesday, at: "09:00"}
    """
}


@pytest.fixture
def shop(rt: Runtime, sink: SmtpSink, clock: Clock, tmp_path: Path) -> Shop:
    """Opens the shop of `rt` with another provider of e-mail. One occurrence is planned."""
    begun = run.standing_for(rt, rt.project.campaigns["weekly"], rt.now())
    assert begun
    run.begin(rt, rt.project.campaigns["weekly"], begun)

    def opened(folder: str) -> Runtime:
        served = f'email = "connectors.outbox:Outbox"\n[outbox]\nfolder = "{tmp_path / folder}"'
        if not folder:
            served = f'email = "connectors.smtp:Smtp"\n[smtp]\nurl = "{sink.url}?connections=1"'
        files = {"vinculo.toml": f"{COMPANY}\n[channels]\n{served}\n"}
        root = write_project(tmp_path / f"shop-{folder}", **EMAIL_ALONE, **files)
        return Runtime(project.load(root, {"VINCULO__SECRET_KEY": SECRET}), rt.engine, clock)

    return opened


class Silent(Connector):
    """Takes what it is given, and answers nothing."""

    channels = frozenset({"email"})
    can = Capabilities(idempotent=True)

    def send(self, message: Message) -> Receipt:
        raise InDoubt("no answer")


def _dies(rt: Runtime, clock: Clock) -> None:
    """A worker dies while it hands one over."""
    enter(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "dead", 1, rt.now(), LEASE)
        assert len(ledger.submit(db, claims, rt.now())) == 1
    clock.forward(minutes=6)


def _hears_nothing(rt: Runtime, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker hands ten over, and its provider answers none of them."""
    with monkeypatch.context() as now:
        now.setattr(rt, "connector", lambda _: Silent())
        with pytest.raises(run.ProviderDown):
            run.drain(rt, worker="before")
    clock.forward(minutes=30)


def _states(rt: Runtime) -> Counter[str]:
    with rt.read() as db:
        return Counter(db.scalars(sa.select(delivery.c.state)))


def _change(rt: Runtime, **settings: str) -> None:
    """Give the campaign, as it was planned, another of its settings."""
    with rt.begin() as db:
        definition = db.scalars(sa.select(occurrence.c.definition)).one()
        db.execute(sa.update(occurrence).values(definition=definition | settings))


@pytest.mark.parametrize(("before", "after"), SWITCHES)
def test_what_a_dead_worker_was_handing_over_to_another_provider_is_not_sent_again(
    shop: Shop, clock: Clock, before: str, after: str
) -> None:
    _dies(shop(before), clock)
    run.drain(shop(after), worker="w")
    assert _states(shop(after)) == {"accepted": 19, "in_doubt": 1}


@pytest.mark.parametrize("after", [SMTP, OTHER])
def test_nor_is_what_another_provider_was_to_get_again(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    _hears_nothing(shop(OUTBOX), clock, monkeypatch)
    run.drain(shop(after), worker="w")
    assert _states(shop(after)) == {"accepted": 10, "in_doubt": 10}


def test_what_comes_of_it_is_what_its_campaign_says(shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    _hears_nothing(shop(OUTBOX), clock, monkeypatch)
    _change(shop(OUTBOX), in_doubt="write_off")
    run.drain(shop(OTHER), worker="w")
    assert _states(shop(OTHER)) == {"accepted": 10, "rejected": 10}


def test_by_a_campaign_that_resends_or_a_person_it_is_sent_all_the_same(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hears_nothing(shop(OUTBOX), clock, monkeypatch)
    enter(shop(SMTP))
    with shop(SMTP).begin() as db:
        ids = [doubt.id for doubt in ledger.in_doubt(db)]
        ledger.resolve(db, ids[:5], "resend", clock())
    _change(shop(SMTP), in_doubt="resend")
    _dies(shop(SMTP), clock)
    run.drain(shop(OTHER), worker="w")
    assert _states(shop(OTHER)) == {"accepted": 15, "in_doubt": 5}


def test_the_same_provider_gets_it_again_whatever_other_channels_have(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hears_nothing(shop(OUTBOX), clock, monkeypatch)
    _dies(shop(OUTBOX), clock)
    last = shop(OUTBOX)
    last.providers = {**last.providers, "sms": "another"}  # type: ignore[misc]
    run.drain(last, worker="w")
    assert _states(last) == {"accepted": 20}


def test_who_still_has_the_settings_of_before_sends_nothing_again(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began before the provider was changed, and hears nothing after another worker has come with the new one."""
    old, sent = shop(OUTBOX), list[str]()

    class Switched(Silent):
        def send(self, message: Message) -> Receipt:
            enter(shop(SMTP))
            sent.append(message.key)
            return super().send(message)

    monkeypatch.setattr(old, "connector", lambda _: Switched())
    run.drain(old, worker="before", stop=lambda: len(sent) == 3)
    clock.forward(minutes=30)
    run.drain(shop(SMTP), worker="w")
    assert _states(shop(SMTP)) == {"accepted": 17, "in_doubt": 3}


@pytest.mark.parametrize("early", [True, False])
def test_what_a_worker_of_before_still_holds_when_it_dies_is_not_taken_for_our_providers(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch, early: bool
) -> None:
    """The new one came after the old had claimed, or *early*: between its look at who serves and its claim."""
    old, new = shop(OUTBOX), shop(OTHER)
    shift = Shift(old, "old", "", "", lambda: False)
    enter(old)
    if early:
        monkeypatch.setattr("vinculo.run.shift.recover", lambda _: enter(new))
        assert shift.claim() == []
        monkeypatch.undo()
    else:
        claims = shift.claim() or ()
        enter(new)
        with old.begin() as db:
            assert ledger.submit(db, claims, old.now()) == set()
    assert _states(new) == {"planned": 20}
    assert len(Shift(new, "new", "", "", lambda: False).claim() or ()) == 20


def test_nobody_changes_the_provider_while_another_claims(shop: Shop) -> None:
    old, new = shop(OUTBOX), shop(OTHER)
    enter(old)
    if old.engine.dialect.name == "sqlite":
        pytest.skip("one transaction writes at a time")
    with old.begin() as db:
        assert same_providers(old, db)
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"), new.begin() as other:
            other.execute(sa.text("SET LOCAL lock_timeout = '100ms'"))
            keep_note(other, "providers", "{}")


def test_an_answer_that_comes_all_the_same_counts(shop: Shop, clock: Clock) -> None:
    old, new = shop(OUTBOX), shop(SMTP)
    enter(old)
    with old.begin() as db:
        claims = ledger.claim(db, "old", 3, old.now(), LEASE)
        ledger.submit(db, claims, old.now())
    enter(new)
    assert _states(new) == {"planned": 17, "in_doubt": 3}
    with old.begin() as db:
        outcomes = Receipt("1"), Rejected("550"), Unavailable("down")
        answers = [Settlement(*one) for one in zip(claims, outcomes, strict=True)]
        ledger.settle(db, answers, old.now(), idempotent=True)
    assert _states(new) == {"planned": 18, "accepted": 1, "rejected": 1}


def test_what_an_event_has_proved_is_accepted(shop: Shop, clock: Clock) -> None:
    _dies(shop(OUTBOX), clock)
    with shop(OUTBOX).begin() as db:
        [number] = db.scalars(sa.select(delivery.c.id).where(delivery.c.state == "submitting"))
        came = Event(EventKind.DELIVERED, "test", "1", clock(), "email", delivery=number, raw=b"{}")
        feedback.receive(db, came, signer=shop(OUTBOX).signer, now=clock())
    run.drain(shop(OTHER), worker="w")
    assert _states(shop(OTHER)) == {"accepted": 20}
