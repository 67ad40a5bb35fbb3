"""What becomes of a send whose files are changed while it is under way: nobody gets it twice, and nobody is lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.unit.run.conftest import SECRET
from vinculo import project, run
from vinculo.db.tables import delivery
from vinculo.runtime import Runtime
from vinculo.testing.project import write_project
from vinculo.testing.smtp import SmtpSink

FIRST = "the-first-secret-of-a-shop"
WEEKLY = """\
    kind: newsletter
    objective: keep-active
    segment: everyone
    topic: news
    channels: [email]
    template: hello
    when: {every: tuesday, at: "09:00"}
"""
VARIANTS = (
    WEEKLY
    + """\
    variants:
      a: {subject: "Assunto A"}
      b: {subject: "Assunto B"}
"""
)


def _reloaded(rt: Runtime, sink: SmtpSink, *, old: str = "", secret: str = SECRET, **files: str | None) -> Runtime:
    """Another worker, started when *files* had been changed."""
    root: Path = write_project(rt.project.root, **files)
    for name in (name for name, content in files.items() if content is None):
        (root / name).unlink()
    environ = {"VINCULO__SMTP__URL": f"{sink.url}?connections=1", "VINCULO__SECRET_KEY": secret}
    return Runtime(project.load(root, environ | ({"VINCULO__SECRET_KEY_OLD": old} if old else {})), rt.engine, rt.now)


def _begin(rt: Runtime, sink: SmtpSink) -> None:
    """Plan the occurrence, and send some of it."""
    campaign = rt.project.campaigns["weekly"]
    occurrence = run.standing_for(rt, campaign, rt.now())
    assert occurrence
    run.begin(rt, campaign, occurrence)
    run.drain(rt, worker="first", stop=lambda: len(sink.received) >= 5)
    assert 5 <= len(sink.received) < 20


def _everybody_once(rt: Runtime, sink: SmtpSink) -> bool:
    with rt.read() as db:
        states = Counter(db.scalars(sa.select(delivery.c.state)))
    return states == {"accepted": 20} and len({one.to for one in sink.received}) == len(sink.received) == 20


def test_a_campaign_that_is_renamed_goes_on_under_the_name_it_was_planned_with(rt: Runtime, sink: SmtpSink) -> None:
    _begin(rt, sink)
    files = {"plan/calendar/weekly.yaml": None, "plan/calendar/letter.yaml": WEEKLY}
    run.drain(_reloaded(rt, sink, **files), worker="second")
    assert _everybody_once(rt, sink)


def test_a_variant_that_is_taken_out_is_still_sent_to_whom_it_was_allotted(rt: Runtime, sink: SmtpSink) -> None:
    before = _reloaded(rt, sink, **{"plan/calendar/weekly.yaml": VARIANTS})
    _begin(before, sink)
    run.drain(_reloaded(rt, sink, **{"plan/calendar/weekly.yaml": WEEKLY}), worker="second")
    assert _everybody_once(rt, sink)
    with rt.read() as db:
        allotted = dict(db.execute(sa.select(delivery.c.address, delivery.c.variant)).tuples().all())
    assert set(allotted.values()) == {"a", "b"}
    got = {one.to: one.subject for one in sink.received}
    assert got == {to: f"Assunto {variant.upper()}" for to, variant in allotted.items()}


def test_a_template_that_is_changed_changes_what_has_not_left(rt: Runtime, sink: SmtpSink) -> None:
    _begin(rt, sink)
    before = len(sink.received)
    text = (rt.project.root / "templates/hello/email.html").read_text().replace("Olá,", "Bom dia,")
    run.drain(_reloaded(rt, sink, **{"templates/hello/email.html": text}), worker="second")
    assert _everybody_once(rt, sink)
    changed = [one.subject.startswith("Bom dia") for one in sink.received]
    assert changed == [False] * before + [True] * (20 - before)


@pytest.mark.parametrize("old", [FIRST, ""])
def test_a_secret_that_is_changed_sends_nothing_twice(rt: Runtime, sink: SmtpSink, old: str) -> None:
    _begin(_reloaded(rt, sink, secret=FIRST), sink)
    run.drain(_reloaded(rt, sink, secret="another secret for tests", old=old), worker="second")
    assert _everybody_once(rt, sink)
