"""Rates, pauses and storms on the whole way from the ledger to the provider's own record, with a clock that is moved."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import Envelope

from tests.unit.run.conftest import SECRET, Clock
from vinculo import ledger, project, run, traffic
from vinculo.connector import Receipt
from vinculo.db.tables import control, delivery
from vinculo.mail.verdict import Phase
from vinculo.run.batch import Batch
from vinculo.run.lease import Lease
from vinculo.run.shift import Shift
from vinculo.runtime import Runtime
from vinculo.testing.gateway import Answer, GatewayFake
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink
from vinculo.testing.store import add_contact

SMS = {"plan/calendar/weekly.yaml": """\
    kind: newsletter
    segment: everyone
    topic: news
    channels: [sms]
    template: hello
    when: {every: tuesday, at: "09:00"}
"""}  # fmt: skip


@dataclass
class Shop:
    """Contacts with an address and a telephone; workers whose sleep moves the clock."""

    root: Path
    engine: sa.Engine
    clock: Clock

    def runtime(self, toml: str = "", **environ: str) -> Runtime:
        settings = self.root / "vinculo.toml"
        settings.write_text(settings.read_text() + "\n" + toml)
        files = project.load(self.root, {"VINCULO__SECRET_KEY": SECRET, **environ})
        return Runtime(files, self.engine, self.clock, sleep=lambda seconds: self.clock.forward(seconds=seconds))

    def begin(self, rt: Runtime, count: int) -> None:
        with self.engine.begin() as db:
            for number in range(count):
                phone = f"+55119{number:08}"
                add_contact(db, key=f"c{number}", email=f"c{number}@correio.example", phone=phone, consent=["news"])
        campaign = rt.project.campaigns["weekly"]
        occurrence = run.standing_for(rt, campaign, rt.now())
        assert occurrence
        run.begin(rt, campaign, occurrence)

    def states(self) -> dict[str, int]:
        d = delivery.c
        with self.engine.connect() as db:
            query = sa.select(d.state, sa.func.count()).where(d.state != "skipped").group_by(d.state)
            return {row[0]: row[1] for row in db.execute(query)}


@pytest.fixture
def shop(engine: sa.Engine, clock: Clock, tmp_path: Path) -> Shop:
    return Shop(write_project(tmp_path / "shop"), engine, clock)


class Watched(SmtpSink):
    """Does something at each message that it takes."""

    def __init__(self, then: Callable[[int], object]) -> None:
        super().__init__()
        self.then = then

    def take(self, envelope: Envelope) -> None:
        super().take(envelope)
        self.then(len(self.received))


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_run_takes_the_time_that_its_rate_needs(shop: Shop, clock: Clock) -> None:
    began = clock()
    with SmtpSink() as sink:
        rt = shop.runtime('[limits.rates]\nemail = "2/s"', VINCULO__SMTP__URL=sink.url)
        shop.begin(rt, 40)
        assert run.drain(rt, worker="w") == {"accepted": 40}
        assert len({one.to for one in sink.received}) == len(sink.received) == 40
    assert (clock() - began).total_seconds() == pytest.approx(20, rel=0.05)


def test_a_rate_set_while_messages_leave_holds_within_seconds(shop: Shop, clock: Clock) -> None:
    """Forty are in the worker's hands, each takes a second, and after the tenth somebody sets one a minute."""
    rt = shop.runtime()

    def order(number: int) -> None:
        clock.forward(seconds=1)
        if number == 10:
            with shop.engine.begin() as db:
                traffic.set_rate(db, rt.project, "email", "1/min", "ana", clock())

    with Watched(order) as sink:
        rt = shop.runtime(VINCULO__SMTP__URL=f"{sink.url}?connections=1")
        shop.begin(rt, 40)
        began = clock()
        run.drain(rt, worker="w", stop=lambda: clock() - began > timedelta(minutes=10))
        assert 10 + 9 <= len(sink.received) <= 10 + 5 + 10  # in two seconds and in flight; then one a minute


def test_what_is_minutes_away_is_left_to_the_next_run(shop: Shop, clock: Clock) -> None:
    with SmtpSink() as sink:
        rt = shop.runtime('[limits.rates]\nemail = "6/h"', VINCULO__SMTP__URL=sink.url)
        shop.begin(rt, 3)
        assert run.drain(rt, worker="w") == {"accepted": 1}
        clock.forward(minutes=10)
        assert run.drain(rt, worker="w") == {"accepted": 1}


def test_a_provider_that_is_down_costs_a_sender_who_warms_up_nothing_of_the_day(shop: Shop, clock: Clock) -> None:
    cap = f"[limits.warm_up.email]\nfrom = {clock():%Y-%m-%d}\nfirst = 5\nuntil = 1000"
    down = shop.runtime(cap, VINCULO__SMTP__URL="smtp://127.0.0.1:1")
    shop.begin(down, 20)
    with pytest.raises(run.ProviderDown):
        run.drain(down, worker="w")
    with SmtpSink() as sink:
        clock.forward(minutes=1)
        assert run.drain(shop.runtime(VINCULO__SMTP__URL=sink.url), worker="w") == {"accepted": 5}


def test_what_left_is_not_given_back_of_a_days_cap_when_its_answer_could_not_be_written_down(
    shop: Shop, clock: Clock, sink: SmtpSink
) -> None:
    cap = f"[limits.warm_up.email]\nfrom = {clock():%Y-%m-%d}\nfirst = 5\nuntil = 1000"
    rt = shop.runtime(cap, VINCULO__SMTP__URL=f"{sink.url}?connections=1")
    shop.begin(rt, 20)
    shift = Shift(rt, "w", "", "", lambda: False)
    claims = shift.claim() or []
    lease = Lease(rt, claims, clock())
    batch = Batch(rt, rt.connector("email"), claims, lease, shift.gate)
    left = [next(batch.messages(lambda: False)) for _ in range(2)]

    def fail(_: sa.Connection) -> None:
        raise sa.exc.OperationalError("BEGIN", {}, OSError("the server is gone"))

    sa.event.listen(rt.engine, "begin", fail)
    for message in left:
        batch.answer(message.key, Receipt())
    with pytest.raises(sa.exc.OperationalError):
        batch.close()
    sa.event.remove(rt.engine, "begin", fail)
    lease.end(shift.gate)
    with rt.begin() as db:  # what waits for tomorrow asks again
        ledger.wake(db, clock())
    assert run.drain(rt, worker="w") == {"accepted": 3}
    assert shop.states()["accepted"] == 5


def test_a_pause_costs_a_sender_who_warms_up_nothing_of_the_day(shop: Shop, clock: Clock, sink: SmtpSink) -> None:
    cap = f"[limits.warm_up.email]\nfrom = {clock():%Y-%m-%d}\nfirst = 5\nuntil = 1000"
    rt = shop.runtime(cap, VINCULO__SMTP__URL=f"{sink.url}?connections=1")
    shop.begin(rt, 20)

    def pause() -> bool:
        if sink.received:
            with rt.begin() as db:
                ledger.pause(db, "weekly", clock())
        return False

    assert run.drain(rt, worker="w", stop=pause)["accepted"] < 5
    with rt.begin() as db:
        ledger.resume(db, "weekly", clock())
    run.drain(rt, worker="w")
    assert shop.states()["accepted"] == 5


# ── pause, resume, cancel ────────────────────────────────────────────────────────────────────────────────────────
def test_paused_at_twenty_moments_it_stops_within_the_messages_in_flight_and_goes_on_without_repeats(
    shop: Shop, clock: Clock
) -> None:
    """R19. The server pauses the campaign while it takes a message; what it takes afterwards was in flight."""
    moments = sorted(random.Random(19).sample(range(1, 95), 20))
    said: list[int] = []

    def pause(number: int) -> None:
        if len(said) < len(moments) and number >= moments[len(said)]:
            with shop.engine.begin() as db:
                already = db.scalar(sa.select(control.c.state))
                if already is None:
                    ledger.pause(db, "weekly", clock())
                    said.append(number)

    with Watched(pause) as sink:
        rt = shop.runtime(VINCULO__SMTP__URL=f"{sink.url}?connections=2")
        shop.begin(rt, 100)
        bulk = rt.connector("email").can.bulk
        while shop.states() != {"accepted": 100}:
            run.drain(rt, worker="w")
            if said and len(sink.received) < 100:
                assert len(sink.received) - said[-1] <= bulk + bulk // 2
            with shop.engine.begin() as db:
                ledger.resume(db, "weekly", clock())
        assert len({one.to for one in sink.received}) == len(sink.received) == 100
    assert len(said) >= 10  # some moments fall into the messages in flight of the one before


@pytest.mark.parametrize("moment", random.Random(7).sample(range(1, 50), 2))
def test_cancelled_at_any_moment_nothing_leaves_but_what_is_in_flight(shop: Shop, clock: Clock, moment: int) -> None:
    def cancel(number: int) -> None:
        if number == moment:
            with shop.engine.begin() as db:
                ledger.cancel(db, "weekly", clock())

    with Watched(cancel) as sink:
        rt = shop.runtime(VINCULO__SMTP__URL=f"{sink.url}?connections=2")
        shop.begin(rt, 60)
        bulk = rt.connector("email").can.bulk
        run.drain(rt, worker="w")
        got = len(sink.received)
        assert moment <= got <= moment + bulk + bulk // 2
        with shop.engine.begin() as db:
            ledger.resume(db, "weekly", clock())
        assert run.drain(rt, worker="w") == {}
        assert len(sink.received) == got
    assert shop.states() == {"accepted": got, "cancelled": 60 - got}


# ── breakers ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_list_of_dead_addresses_pauses_its_campaign_and_says_why(shop: Shop, clock: Clock) -> None:
    policy = shop.root / "plan/policy.yaml"
    policy.write_text(policy.read_text() + "\nbreakers: {bounces: 5%, after: 20}\n")
    with SmtpSink() as sink:
        rt = shop.runtime(VINCULO__SMTP__URL=f"{sink.url}?connections=1", VINCULO__LIMITS__BATCH="10")
        shop.begin(rt, 60)
        for _ in range(60):
            sink.fail(Phase.RCPT, "550 5.1.1 no such mailbox")
        # The third claim is taken while the last answer of the second is out: nineteen are too few to judge by.
        assert run.drain(rt, worker="w") == {"badaddress": 30}
    with shop.engine.begin() as db:
        found = ledger.why(db, 60, "weekly")[0]
        assert ledger.claim(db, "w", 10, clock(), timedelta(minutes=5)) == []
    because = "2026-12-01T09:00[America/Sao_Paulo]: 29 of 29 bounced hard, more than 5 %"
    assert found.words == f"Waits: the campaign is paused ({because})."


# ── storms ───────────────────────────────────────────────────────────────────────────────────────────────────────
class Limited(GatewayFake):
    """Takes *rate* messages a second, ten more at once; answers what is more with 429. Or with *storm*, until then."""

    def __init__(self, clock: Clock, rate: float = 1e9, storm: Answer | None = None) -> None:
        super().__init__(token="demo")
        self.clock, self.rate, self.storm = clock, rate, storm
        self.tokens, self.seen = 10.0, clock()
        self.asked: list[float] = []
        self.refused = 0

    def answer(self, authorization: str, keys: list[str], content: bytes) -> Answer:
        now = self.clock()
        self.asked.append(now.timestamp())
        self.tokens = min(10.0, self.tokens + (now - self.seen).total_seconds() * self.rate)
        self.seen = now
        if self.storm:
            return self.storm
        if self.tokens < 1:
            self.refused += 1
            return Answer(429, {"error": "slow_down"}, (("Retry-After", "3"),))
        self.tokens -= 1
        return super().answer(authorization, keys, content)


def gateway(shop: Shop, fake: Limited, toml: str = "") -> Runtime:
    write_project(shop.root, **SMS)
    environ = {"VINCULO__GATEWAY__URL": fake.url, "VINCULO__GATEWAY__TOKEN": "demo"}
    return shop.runtime(f'[gateway]\nurl = "x"\ntoken = "x"\n{toml}', **environ)


def test_a_providers_limit_that_is_set_here_is_used_and_never_exceeded(shop: Shop, clock: Clock) -> None:
    with Limited(clock, rate=5) as fake:
        rt = gateway(shop, fake, '[limits.rates]\nsms = "5/s"')
        shop.begin(rt, 100)
        began = clock()
        assert run.drain(rt, worker="w") == {"accepted": 100}
        assert fake.refused == 0
    assert (clock() - began).total_seconds() == pytest.approx(20, rel=0.05)


def test_a_provider_that_says_429_is_obeyed_and_everybody_gets_the_message(shop: Shop, clock: Clock) -> None:
    """R21: at each 429 nothing more is asked for as long as it says; afterwards slower; nobody is lost."""
    with Limited(clock, rate=5) as fake:
        rt = gateway(shop, fake)
        shop.begin(rt, 60)
        for _ in range(30):
            run.drain(rt, worker="w")
            clock.forward(minutes=1)
        assert len({one.key for one in fake.received}) == len(fake.received) == 60
        pauses = [later - at for at, later in zip(fake.asked, fake.asked[1:], strict=False) if later - at >= 3]
        assert len(pauses) >= fake.refused > 0
        assert fake.refused <= 10
    assert shop.states() == {"accepted": 60}


@pytest.mark.parametrize("status", [500, 503])
def test_in_a_storm_the_breaker_opens_probes_and_closes_and_no_contact_fails(
    shop: Shop, clock: Clock, status: int
) -> None:
    """R21: ten failures in a row, then a probe after 30 s, 60 s, 120 s …, whatever a worker asks meanwhile."""
    with Limited(clock, storm=Answer(status, {"error": "overloaded"})) as fake:
        rt = gateway(shop, fake)
        shop.begin(rt, 40)
        began = clock()
        while clock() - began < timedelta(minutes=10):
            with pytest.raises(run.ProviderDown):
                run.drain(rt, worker="w")
            clock.forward(seconds=10)
        times = [round(at - began.timestamp()) for at in fake.asked]
        assert times == [0] * 10 + [30, 90, 210, 450]
        fake.storm = None
        for _ in range(20):
            clock.forward(minutes=15)
            run.drain(rt, worker="w")
        assert len({one.key for one in fake.received}) == len(fake.received) == 40
    assert shop.states() == {"accepted": 40}


# ── too late ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_occurrence_that_comes_too_late_asks_a_person(shop: Shop, clock: Clock) -> None:
    """Misfire grace: `late: {within, else: ask}` holds the occurrence until somebody has decided."""
    calendar = shop.root / "plan/calendar/weekly.yaml"
    calendar.write_text(calendar.read_text() + "late: {within: 2h, else: ask}\n")
    with SmtpSink() as sink:
        clock.forward(hours=3)
        rt = shop.runtime(VINCULO__SMTP__URL=sink.url)
        shop.begin(rt, 5)
        with rt.read() as db:
            (place,) = ledger.open_occurrences(db)
            words = ledger.why(db, 1, "weekly")[0].words
        assert (place.state, words) == ("held", "Waits for approval.")
        assert run.drain(rt, worker="w") == {}
        run.decide(rt, "weekly", place.occurrence, approved=True, by="ana")
        assert run.drain(rt, worker="w") == {"accepted": 5}
        assert len(sink.received) == 5


@pytest.mark.parametrize(("otherwise", "states"), [("skip", {}), ("send", {"accepted": 5})])
def test_or_it_is_left_out_or_sent_all_the_same(
    shop: Shop, clock: Clock, otherwise: str, states: dict[str, int]
) -> None:
    calendar = shop.root / "plan/calendar/weekly.yaml"
    calendar.write_text(calendar.read_text() + f"late: {{within: 2h, else: {otherwise}}}\n")
    with SmtpSink() as sink:
        clock.forward(hours=3)
        rt = shop.runtime(VINCULO__SMTP__URL=sink.url)
        shop.begin(rt, 5)
        assert run.drain(rt, worker="w") == states
        assert run.states(rt, "weekly", "2026-12-01T09:00[America/Sao_Paulo]") == (states or {"skipped": 5})
