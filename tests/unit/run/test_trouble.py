"""What a slow provider, a failing database and a missing connector do to a run: nothing that lasts, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import Envelope

from tests.unit.run.conftest import SECRET, Clock
from vinculo import contacts, ledger, project, run
from vinculo.connector import Capabilities, Connector, Outcome, Receipt
from vinculo.db.tables import delivery, link
from vinculo.mail.verdict import Phase
from vinculo.model import Message, Occurrence
from vinculo.run.batch import Batch
from vinculo.run.lease import Lease
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact
from vinculo.traffic import Gate


class Slow(SmtpSink):
    """Takes three seconds for a message, and then does what else a test wants."""

    def __init__(self, clock: Clock, then: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.clock, self.then = clock, then

    def take(self, envelope: Envelope) -> None:
        self.clock.forward(seconds=3)
        self.then()
        super().take(envelope)


@dataclass
class Shop:
    """Twelve contacts with an e-mail address and, after them, three with a telephone alone."""

    root: Path
    engine: sa.Engine
    clock: Clock

    def runtime(self, url: str, **environ: str) -> Runtime:
        url = f"{url}?connections=1"  # so that the order of what happens is known
        environ = {"VINCULO__SMTP__URL": url, "VINCULO__SECRET_KEY": SECRET, "VINCULO__LIMITS__LEASE": "10", **environ}
        return Runtime(project.load(self.root, environ), self.engine, self.clock)

    def begin(self, rt: Runtime) -> None:
        campaign = rt.project.campaigns["weekly"]
        occurrence = run.standing_for(rt, campaign, rt.now())
        assert occurrence
        run.begin(rt, campaign, occurrence)

    def rows(self) -> list[sa.Row]:
        with self.engine.connect() as db:
            return list(db.execute(sa.select(delivery).order_by(delivery.c.id)))

    def states(self) -> set[tuple[str, str]]:
        return {(row.channel, row.state) for row in self.rows()}


@pytest.fixture
def shop(engine: sa.Engine, clock: Clock, tmp_path: Path) -> Shop:
    root = write_project(tmp_path / "shop")
    settings = root / "vinculo.toml"
    old = 'email = "connectors.smtp:Smtp"\nsms = "connectors.gateway:Gateway"\n'
    text = settings.read_text()
    assert old in text
    folder = tmp_path / "outbox"
    new = 'email = "connectors.smtp:Smtp"\nsms = "connectors.outbox:Outbox"\n'
    settings.write_text(text.replace(old, new) + f'\n[outbox]\nfolder = "{folder}"\n')
    with engine.begin() as db:
        for number in range(12):
            add_contact(db, key=f"e{number:02}", email=f"contato{number}@correio.example", consent=["news"])
        for number in range(3):
            add_contact(db, key=f"s{number}", phone=f"+551199999000{number}", consent=["news"])
    return Shop(root, engine, clock)


def test_a_provider_slower_than_the_lease_loses_no_row_to_others(shop: Shop, clock: Clock) -> None:
    def another_worker_looks() -> None:
        with shop.engine.begin() as db:
            ledger.recover(db, clock())

    with Slow(clock, another_worker_looks) as sink:
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        assert run.drain(rt, worker="slow") == {"accepted": 15}
        assert len(sink.received) == 12
    assert {(row.state, row.fence, row.attempts, row.crashes) for row in shop.rows()} == {("accepted", 1, 1, 0)}


def test_what_is_claimed_after_the_clock_was_set_back_is_not_held_for_longer_than_it_is_ours(
    shop: Shop, clock: Clock
) -> None:
    """It was sent for as long as the first claim had: an hour after its own lease was over."""

    def the_clock_is_set_back_and_another_worker_looks() -> None:
        if len(sink.received) == 1:
            clock.forward(hours=-1)
        with shop.engine.begin() as db:
            ledger.recover(db, clock())

    with Slow(clock, the_clock_is_set_back_and_another_worker_looks) as sink:
        rt = shop.runtime(sink.url, VINCULO__LIMITS__BATCH="6")
        shop.begin(rt)
        clock.forward(hours=2)
        assert run.drain(rt, worker="slow") == {"accepted": 15}
    assert {(row.state, row.fence, row.attempts, row.crashes) for row in shop.rows()} == {("accepted", 1, 1, 0)}


def test_answers_outlast_a_commit_that_failed(shop: Shop, clock: Clock) -> None:
    commits = iter(range(99))

    def fail(_: sa.Connection) -> None:
        if next(commits) == 6:
            raise sa.exc.OperationalError("COMMIT", {}, OSError("database is locked"))

    with SmtpSink() as sink:
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        sa.event.listen(shop.engine, "commit", fail)
        with pytest.raises(sa.exc.OperationalError):
            run.drain(rt, worker="w")
        sa.event.remove(shop.engine, "commit", fail)
        taken = {one.to for one in sink.received}
        assert taken
        assert {row.address for row in shop.rows() if row.state == "accepted"} == taken
        assert {row.state for row in shop.rows() if row.address not in taken} == {"planned"}
        run.drain(rt, worker="w")
        assert len(sink.received) == 12
    assert shop.states() == {("email", "accepted"), ("sms", "accepted")}


class Choosy(SmtpSink):
    """Refuses every sender before it has heard whom the message is for."""

    refused: str | None = ""

    def next_fault(self, phase: Phase) -> str | None:
        return self.refused if phase is Phase.MAIL and self.refused else super().next_fault(phase)


@pytest.mark.parametrize("reply", ["550 5.1.8 sender refused", "554 no relaying", "503 5.5.1 authenticate first"])
def test_a_server_that_refuses_our_sender_costs_nobody_the_message(shop: Shop, clock: Clock, reply: str) -> None:
    with Choosy() as sink:
        sink.refused = reply
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        with pytest.raises(run.ProviderDown, match=reply):
            run.drain(rt, worker="w")
        assert {state for channel, state in shop.states() if channel == "email"} <= {"deferred", "planned"}
        assert sum(row.attempts for row in shop.rows()) < 15
        sink.refused = None
        clock.forward(hours=1)
        run.drain(shop.runtime(sink.url), worker="w")
        assert len(sink.received) == 12
    assert shop.states() == {("email", "accepted"), ("sms", "accepted")}


def test_one_sender_that_a_server_dislikes_holds_nobody_up(shop: Shop) -> None:
    with SmtpSink() as sink:
        sink.fail(Phase.MAIL, "553 5.1.7 what a name")
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        run.drain(rt, worker="w")
        assert len(sink.received) == 11
    (waits,) = [row for row in shop.rows() if row.state != "accepted"]
    assert (waits.state, waits.attempts, waits.response) == ("deferred", 1, "mail: 553 5.1.7 what a name")


class Rolling(Connector):
    """Keeps four messages in flight: takes another whenever one is answered."""

    channels = frozenset({"email"})
    can = Capabilities(bulk=4)

    def send(self, message: Message) -> Receipt:
        raise AssertionError(message)

    def send_many(self, messages: Iterable[Message]) -> Iterator[tuple[str, Outcome]]:
        raise AssertionError


def test_never_more_are_marked_than_the_connector_may_hold(shop: Shop) -> None:
    rt = shop.runtime("smtp://127.0.0.1:1")
    shop.begin(rt)
    with rt.begin() as db:
        claims = ledger.claim(db, "w", 12, rt.now(), timedelta(minutes=5))
    batch = Batch(rt, Rolling(), claims, Lease(rt, claims, rt.now()), Gate(rt.project))
    held: list[str] = []
    most = 0
    for message in batch.messages(lambda: False):
        held.append(message.key)
        most = max(most, sum(row.state == "submitting" for row in shop.rows()))
        if len(held) == 4:
            batch.answer(held.pop(1), Receipt())
    assert most == 4 - 1 + 2  # what it holds when it asks for another, and the next group
    assert batch.close() == {"accepted": 9, "indoubt": 3}


def test_a_channel_without_a_connector_keeps_no_other_waiting(shop: Shop) -> None:
    with SmtpSink() as sink:
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        settings = shop.root / "vinculo.toml"
        text = settings.read_text()
        settings.write_text(text.replace('sms = "connectors.outbox:Outbox"\n', "").partition("[outbox]")[0])
        calendar = shop.root / "plan/calendar/weekly.yaml"
        calendar.write_text(calendar.read_text().replace("[email, sms]", "[email]"))
        with pytest.raises(run.ProviderDown, match="No connector serves the channel `sms`"):
            run.drain(shop.runtime(sink.url), worker="w")
        settings.write_text(text)
        assert shop.states() == {("email", "accepted"), ("sms", "planned")}
        assert run.drain(shop.runtime(sink.url), worker="w") == {"accepted": 3}
    assert {row.crashes for row in shop.rows()} == {0}


def test_trouble_of_the_database_while_rendering_leaves_nobody_out(shop: Shop) -> None:
    with SmtpSink() as sink:
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        rt = shop.runtime(sink.url)  # another worker, whose templates are not compiled yet
        link.drop(shop.engine)
        with pytest.raises(sa.exc.DBAPIError):
            run.drain(rt, worker="w")
        assert shop.states() == {("email", "planned"), ("sms", "planned")}
        link.create(shop.engine)
        assert run.drain(rt, worker="w") == {"accepted": 15}


def test_a_send_by_hand_that_is_approved_late_goes_out(shop: Shop, clock: Clock) -> None:
    with SmtpSink() as sink:
        rt = shop.runtime(sink.url)
        definition = run.definition(rt, "weekly") | {"name": "by-hand", "when": None, "approval": "required"}
        meant = rt.now()
        planned = run.start(rt, definition, meant, adhoc=True)
        clock.forward(hours=5)
        again = run.start(rt, definition, meant, adhoc=True)
        assert (again["occurrence"], again["held"]) == (planned["occurrence"], True)


def test_the_message_of_an_erased_contact_cannot_be_seen_again(shop: Shop) -> None:
    with SmtpSink() as sink:
        rt = shop.runtime(sink.url)
        shop.begin(rt)
        run.drain(rt, worker="w")
    first = shop.rows()[0]
    assert run.sent_message(rt, first.id)
    with rt.begin() as db:
        contacts.erase(db, first.contact_id, rt.now())
    assert run.sent_message(rt, first.id) is None


def test_campaigns_planned_at_once_keep_the_cap_together(shop: Shop) -> None:
    policy = shop.root / "plan/policy.yaml"
    policy.write_text(policy.read_text() + "caps: [{at_most: 1, within: 1 day}]\n")
    rt = shop.runtime("smtp://127.0.0.1:1")
    weekly = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, weekly, rt.now())
    assert occurrence
    gate = threading.Barrier(4)

    def plan(number: int) -> None:
        name = f"weekly{number}"
        gate.wait()
        run.begin(rt, weekly.model_copy(update={"name": name}), Occurrence(name, occurrence.local, occurrence.zone))

    threads = [threading.Thread(target=plan, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shop.rows()) == 4 * 15
    assert sum(row.state == "planned" for row in shop.rows()) == 15
