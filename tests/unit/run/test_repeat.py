"""A campaign whose hour or zone is changed after it was sent, or that was sent by hand before it had one, goes out once
that day all the same, on both databases.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.run.conftest import SECRET, Clock
from vinculo import ledger, run
from vinculo.model import Message
from vinculo.plan import forecast
from vinculo.project import load
from vinculo.runtime import Runtime
from vinculo.testing.smtp import SmtpSink

#: Tuesday, 1 December 2026, in São Paulo: the newsletter is due at 09:00.
NINE = datetime(2026, 12, 1, 12, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)
AT_TEN = "{every: tuesday, at: '10:00'}"


@pytest.fixture(autouse=True)
def at_nine(clock: Clock) -> None:
    clock.now = NINE


def _changed(rt: Runtime, sink: SmtpSink, when: str, **more: str) -> Runtime:
    """The same installation after somebody wrote another `when:` into the calendar."""
    file = rt.project.root / "plan/calendar/weekly.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("when:")]
    file.write_text("\n".join([*lines, f"when: {when}", *(f"{key}: {value}" for key, value in more.items())]) + "\n")
    environ = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": SECRET}
    return Runtime(load(rt.project.root, environ), rt.engine, rt.now)


def _run(rt: Runtime, at: datetime) -> str:
    """What the calendar's own run of *at* does; why it sends nothing, if it does not."""
    started = run.start(rt, run.definition(rt, "weekly"), at)
    run.drain(rt, worker="w")
    return str(started.get("reason", ""))


@pytest.mark.parametrize(
    ("when", "hours", "otherwise"),
    [
        (AT_TEN, 1, "skip"),
        (AT_TEN, 1, "ask"),
        ("{every: tuesday, at: '08:30'}", 0, "send"),
        ("{every: tuesday, at: '09:00', timezone: America/Manaus}", 1, "send"),
        ("{every: tuesday, at: '10:00', timezone: contact}", 1, "skip"),
        ("{cron: '0 10 * * 2'}", 1, "skip"),
        ("{on: 2026-12-01, at: '10:00'}", 1, "skip"),
    ],
)
def test_who_changes_the_hour_of_what_was_sent_today_sends_it_no_second_time(
    rt: Runtime, sink: SmtpSink, clock: Clock, when: str, hours: int, otherwise: str
) -> None:
    assert _run(rt, NINE) == ""
    rt = _changed(rt, sink, when, late=f"{{else: {otherwise}}}")
    clock.forward(hours=hours)
    reason = _run(rt, clock.now)
    assert "weekly is on its way, planned on 2026-12-01 at 09:00 (America/Sao_Paulo), before its hour" in reason
    assert len(sink.received) == 20
    run.conclude_open(rt)
    assert "weekly went out on 2026-12-01 at 09:00 (America/Sao_Paulo)" in _run(rt, clock.now)
    assert len(sink.received) == 20


def test_of_two_hours_that_begin_at_the_same_moment_one_is_planned(
    rt: Runtime, sink: SmtpSink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run of the hour of before plans while the other has begun, and not yet planned."""
    new = _changed(rt, sink, "{every: tuesday, at: '08:30'}")
    render = new.renderer.message

    def meanwhile(*given: Any) -> Message:
        monkeypatch.undo()
        assert _run(rt, NINE) == ""
        return render(*given)

    monkeypatch.setattr(new.renderer, "message", meanwhile)
    assert "weekly is on its way, planned on 2026-12-01 at 09:00" in _run(new, NINE)
    assert len(sink.received) == 20


def test_a_person_may_send_it_all_the_same_by_the_command_that_the_run_names(
    rt: Runtime, sink: SmtpSink, clock: Clock
) -> None:
    _run(rt, NINE)
    rt = _changed(rt, sink, "{every: tuesday, at: '09:00', timezone: America/Manaus}")
    clock.now = TEN
    assert "`vinculo run weekly --at 2026-12-01T10:00`" in _run(rt, TEN)  # on the company's clock
    campaign = rt.project.campaigns["weekly"]
    chosen = run.pick(rt, campaign, TEN)
    assert chosen.key == "2026-12-01T09:00[America/Manaus]"
    run.run_occurrence(rt, campaign, chosen, worker="by hand", due_now=True)
    assert len(sink.received) == 40
    assert _run(rt, TEN) == ""  # it is planned now: the calendar's own run finds it done
    assert len(sink.received) == 40


@pytest.mark.parametrize("state", ["held", "brought forward"])
def test_one_that_waits_or_was_brought_forward_counts_as_that_of_its_day(
    rt: Runtime, sink: SmtpSink, clock: Clock, state: str
) -> None:
    if state == "held":
        rt = _changed(rt, sink, "{every: tuesday, at: '09:00'}", approval="required")
        _run(rt, NINE)
    else:
        clock.forward(days=-1)
        campaign = rt.project.campaigns["weekly"]
        run.run_occurrence(rt, campaign, run.pick(rt, campaign), worker="w", due_now=True)
    before = len(sink.received)
    rt, clock.now = _changed(rt, sink, AT_TEN), TEN
    words = "waits for approval, planned" if state == "held" else "went out"
    assert f"weekly {words} on 2026-12-01 at 09:00" in _run(rt, TEN)
    assert len(sink.received) == before


@pytest.mark.parametrize("state", ["went out", "is on its way, planned", "waits for approval, planned"])
def test_a_campaign_sent_by_hand_and_then_given_a_calendar_is_sent_to_nobody_again_that_day(
    rt: Runtime, sink: SmtpSink, clock: Clock, state: str
) -> None:
    rt = _changed(rt, sink, "null", **{"approval": "required"} if state.startswith("waits") else {})
    assert _run(rt, NINE) == ""
    if state == "went out":
        run.conclude_open(rt)
    before = len(sink.received)
    rt, clock.now = _changed(rt, sink, AT_TEN), TEN
    reason = _run(rt, TEN)
    assert f"weekly {state} by hand on 2026-12-01, before it had a `when:`" in reason
    assert "hour" not in reason
    assert len(sink.received) == before
    [chosen] = re.findall(r"--at (\S+)`", reason)
    assert run.pick(rt, rt.project.campaigns["weekly"], TEN).local.isoformat(timespec="minutes") == chosen
    clock.forward(days=7)
    assert _run(rt, clock.now) == ""  # next week's is planned


def test_what_was_sent_to_nobody_may_have_another_hour_today(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    clock.forward(hours=3)
    _run(rt, NINE)  # too late: nobody got it
    with rt.read() as db:
        assert ledger.counts(db, "weekly") == {("skipped", "missed"): 20}
    rt = _changed(rt, sink, "{every: tuesday, at: '12:30'}")
    clock.now = NINE + timedelta(hours=3, minutes=30)
    assert _run(rt, clock.now) == ""
    assert len(sink.received) == 20


@pytest.mark.parametrize(
    ("before", "after", "at"),
    [
        ("{every: tuesday, at: '09:00'}", "{every: wednesday, at: '09:00'}", NINE + timedelta(days=1)),
        ("{every: tuesday, at: '09:00'}", AT_TEN, TEN + timedelta(days=7)),
        ("{every: tuesday, at: '09:00'}", "{cron: '0 9,10 * * 2'}", TEN),
        ("{cron: '0 9,10 * * 2'}", "{cron: '0 9,10 * * 2'}", TEN),
        ("{cron: '0 9,10 * * 2'}", "{cron: '0 10 * * 2'}", TEN),
    ],
)
def test_another_day_and_a_second_hour_of_the_calendar_are_sent(
    rt: Runtime, sink: SmtpSink, clock: Clock, before: str, after: str, at: datetime
) -> None:
    rt = _changed(rt, sink, before)
    _run(rt, NINE)
    rt, clock.now = _changed(rt, sink, after), at
    assert _run(rt, at) == ""
    assert len(sink.received) == 40


def test_the_plan_shows_it_as_not_to_be_sent_and_says_why(rt: Runtime, sink: SmtpSink, clock: Clock) -> None:
    _run(rt, NINE)
    run.conclude_open(rt)
    rt = _changed(rt, sink, AT_TEN, approval="required")
    clock.forward(minutes=30)
    with rt.begin() as db:
        today, next_week = forecast(db, rt.project, start=clock.now, days=8)[-2:]
    assert (today.occurrence, today.state, today.approval) == ("2026-12-01T10:00[America/Sao_Paulo]", "missed", False)
    assert (today.segment, today.reach, today.error) == (0, {}, "")
    assert today.note == (
        "not sent: weekly went out on 2026-12-01 at 09:00 (America/Sao_Paulo), before its hour or zone was changed; "
        "to send that of 10:00 all the same: `vinculo run weekly --at 2026-12-01T10:00`"
    )
    assert (next_week.state, next_week.reach, next_week.note) == ("upcoming", {"email": 20}, "")
