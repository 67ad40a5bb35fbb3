"""A report counts each contact once, tells people from machines, and says "no decision" when there is none."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from vinculo import history
from vinculo.db.tables import contact, delivery, occurrence
from vinculo.errors import NotFound
from vinculo.history import Interaction
from vinculo.model import Direction
from vinculo.project.schema import Campaign, MetricName, Objective
from vinculo.report import METRICS, Report, campaign_report, objectives, render
from vinculo.report.html import percent
from vinculo.report.words import words

CAMPAIGN = Campaign.model_validate(
    {
        "kind": "promotion",
        "objective": "sell",
        "segment": "all",
        "topic": "offers",
        "channels": ["email"],
        "template": "t",
    }
)


class Company:
    """A campaign that went out to made-up contacts."""

    def __init__(self, db: sa.Connection, now: datetime, **definition: str) -> None:
        self.db, self.now = db, now
        row = {"campaign": "sale", "occurrence": "o", "state": "finished", "due_at": now, "planned_at": now}
        db.execute(sa.insert(occurrence).values(row | {"definition": definition}))

    def send(self, number: int, state: str = "accepted", reason: str = "", **values: str) -> list[tuple[int, int]]:
        """Give *number* new contacts a delivery; return (contact, delivery) of each."""
        start = self.db.scalar(sa.select(sa.func.count()).select_from(contact)) or 0
        people = [{"key": f"c{start + i}", "first_seen": self.now, "updated_at": self.now} for i in range(number)]
        ids = list(self.db.scalars(sa.insert(contact).returning(contact.c.id), people))
        row: dict[str, Any] = {"campaign": "sale", "occurrence": "o", "state": state, "reason": reason}
        row |= {**values, "due_at": self.now, "expires_at": self.now, "channel": "email"}
        row |= {} if state == "skipped" else {"topic": "service", "basis": "service"}  # it needs no answer
        row["submitted_at"] = self.now if state in {"accepted", "rejected", "in_doubt"} else None
        rows = [row | {"contact_id": who} for who in ids]
        columns = (delivery.c.contact_id, delivery.c.id)
        return [tuple(each) for each in self.db.execute(sa.insert(delivery).returning(*columns), rows)]

    def did(self, whom: list[tuple[int, int]], kind: str, /, **data: Any) -> None:
        """Let each of *whom* do something with its delivery."""
        at = self.now + timedelta(hours=1)
        place = {"campaign": "sale", "occurrence": "o"}
        rows = [Interaction(w, at, Direction.IN, kind, **place, delivery_id=d, data=data) for w, d in whom]
        history.record(self.db, rows)

    def bought(self, whom: list[tuple[int, int]], minor: int, after: timedelta = timedelta(days=1)) -> None:
        """Let each of *whom* buy."""
        at = self.now + after
        rows = [Interaction(w, at, Direction.IN, "purchased", amount=minor, currency="BRL") for w, _ in whom]
        history.record(self.db, rows)

    def report(self) -> Report:
        """The campaign's report."""
        return campaign_report(self.db, "sale")


def test_the_funnel_accounts_for_everybody(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        company.send(10)
        company.send(3, "skipped", "no_consent")
        company.send(2, "skipped", "no_address")
        company.send(1, "skipped", "render_error")
        company.send(2, "rejected", "content")
        company.send(1, "in_doubt")
        company.send(4, "planned")
        company.send(2, "planned", "turn")
        found = company.report()
    assert found.funnel == {"segment": 25, "consented": 22, "reachable": 20, "sent": 10, "failed": 3}
    assert found.reasons == {
        "planned": 6, "no_consent": 3, "content": 2, "no_address": 2, "in_doubt": 1, "render_error": 1
    }  # fmt: skip
    assert sum(found.states.values()) == 25


def test_what_is_settled_while_a_report_is_made_is_counted_once(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        company.send(3)
        company.send(1, "in_doubt")
    asked: list[str] = []

    def meanwhile(_db: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)
        if len(asked) == 1:  # between the first question and the second
            with engine.begin() as other:
                other.execute(sa.update(delivery).where(delivery.c.state == "in_doubt").values(state="accepted"))

    with engine.connect().execution_options(read_only=True) as db:
        sa.event.listen(db, "after_cursor_execute", meanwhile)
        found = campaign_report(db, "sale")
    assert len(asked) > 1
    assert sum(found.states.values()) == 4
    assert found.funnel["segment"] == 4


def test_of_two_currencies_with_the_same_sum_the_first_by_name_is_compared(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        (one, other), held = company.send(2), company.send(2, "skipped", "holdout")
        day = now + timedelta(days=1)
        for (who, _), currency in ((one, "EUR"), (other, "BRL"), (held[0], "BRL")):
            history.record(db, [Interaction(who, day, Direction.IN, "purchased", amount=500, currency=currency)])
        effect = company.report().effect
    assert list(effect.revenue.items()) == [("BRL", 500), ("EUR", 500)]
    assert effect.currency == "BRL"


def test_people_proxies_and_machines_are_told_apart(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        sent = company.send(10)
        company.did(sent[:4], "opened", **{"class": "human"})
        company.did(sent[:2], "opened", **{"class": "human"})
        company.did(sent[4:9], "opened", **{"class": "proxy"})
        company.did(sent[:1], "clicked", **{"class": "machine"})
        company.did(sent[:2], "unsubscribed")
        found = company.report()
    assert (found.opened.human, found.opened.proxy, found.opened.machine, found.opened.raw) == (4, 5, 0, 11)
    assert (found.clicked.human, found.clicked.machine) == (0, 1)
    assert found.answers["unsubscribed"] == 2


def test_only_purchases_within_a_week_of_the_send_are_attributed(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        sent = company.send(5)
        company.bought(sent[:2], 1000)
        company.bought(sent[:1], 500)
        company.bought(sent[2:3], 7777, timedelta(days=7))
        company.bought(sent[3:4], 7777, -timedelta(seconds=1))
        company.bought(company.send(1, "skipped", "no_consent"), 9999)
        effect = company.report().effect
    assert (effect.buyers, effect.revenue) == (2, {"BRL": 2500})
    assert effect.conversion is None


def test_a_holdout_shows_a_difference_or_that_there_is_none(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        sent, held = company.send(400), company.send(200, "skipped", "holdout")
        company.bought(sent[:40], 1000)
        company.bought(held[:18], 1000)
        effect = company.report().effect
        assert not effect.decided
        company.bought(sent[40:100], 1000)
        effect = company.report().effect
    assert effect.decided
    assert effect.conversion
    assert effect.conversion.estimate == pytest.approx(100 / 400 - 18 / 200)
    assert effect.per_contact
    assert effect.per_contact.estimate == pytest.approx(250 - 90)


def test_who_had_enough_messages_counts_as_meant_to_get_it(engine: sa.Engine, now: datetime) -> None:
    """The left out were drawn before caps: as many of them had enough. Without the others' the arms are not alike."""
    with engine.begin() as db:
        company = Company(db, now)
        sent, full = company.send(300), company.send(100, "skipped", "frequency_cap")
        company.send(50, "skipped", "no_consent")
        held = company.send(400, "skipped", "holdout")
        company.bought(full[:80], 1000)  # who hears much from us buys much
        company.bought([*sent[:20], *held[:100]], 1000)
        effect = company.report().effect
    assert (effect.treated.successes, effect.treated.trials) == (100, 400)
    assert effect.buyers == 20
    assert not effect.decided


def test_who_leaves_between_plan_and_send_was_meant_to_get_it(engine: sa.Engine, now: datetime) -> None:
    """Of those left out as many would have left: nobody asks them. Who was left out before the draw has no address."""
    with engine.begin() as db:
        company = Company(db, now)
        company.send(300)
        company.send(50, "skipped", "no_consent")
        for reason in ("no_consent", "suppressed", "paused"):
            company.send(20, "skipped", reason, address="ana@example.com")
        company.send(20, "cancelled")
        company.send(20, "planned")
        company.send(100, "skipped", "holdout")
        effect = company.report().effect
    assert (effect.treated.trials, effect.holdout.trials) == (400, 100)


def test_before_anything_is_sent_nothing_is_compared(engine: sa.Engine, now: datetime) -> None:
    """Who had enough is known when the audience is planned: those alone were held against the left out."""
    with engine.begin() as db:
        company = Company(db, now)
        company.send(200, "planned")
        company.bought(company.send(60, "skipped", "frequency_cap"), 1000)
        company.send(60, "skipped", "holdout")
        effect = company.report().effect
        assert (effect.conversion, effect.per_contact, effect.decided) == (None, None, False)
        assert effect.holdout.trials == 60


def test_variants_are_decided_only_by_enough_clicks(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        one, two = company.send(500, variant="a"), company.send(500, variant="b")
        company.did(one[:50], "clicked", **{"class": "human"})
        company.did(two[:60], "clicked", **{"class": "human"})
        first, second = company.report().variants
        assert (first.against_first, second.decided) == (None, False)
        company.did(two[60:130], "clicked", **{"class": "human"})
        assert company.report().variants[1].decided


def test_a_campaign_that_never_ran_has_no_report(engine: sa.Engine) -> None:
    with engine.connect() as db, pytest.raises(NotFound, match="vinculo run sale"):
        campaign_report(db, "sale")


@pytest.mark.parametrize("language", ["pt-BR", "en", "es", "de"])
def test_the_html_stands_alone_in_each_language(sqlite_engine: sa.Engine, now: datetime, language: str) -> None:
    with sqlite_engine.begin() as db:
        company = Company(db, now)
        sent = company.send(40, variant="a") + company.send(40, variant="b")
        company.send(20, "skipped", "holdout")
        company.bought(sent[:9], 123456)
        page = render(company.report(), language=language, now=now)
    assert words(language)["funnel"] in page
    assert words(language)["no_decision"] in page
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert ("11.111,04" in page) == (language in {"pt-BR", "es"})
    assert "<svg" in page
    assert "prefers-color-scheme: dark" in page


def _objective(metric: str, baseline: float = 0, target: float = 10) -> dict[str, Objective]:
    row = {"description": "d", "metric": metric, "baseline": baseline, "target": target, "deadline": "2026-12-31"}
    return {"sell": Objective.model_validate(row)}


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("click_rate", 20.0),
        ("open_rate", 0.0),
        ("conversion_rate", 30.0),
        ("repeat_rate", pytest.approx(100 / 3)),
        ("nps", 0.0),
        ("unsubscribe_rate", 10.0),
        ("contacts", 10.0),
        ("retention_rate", None),
    ],
)
def test_objectives_are_measured(engine: sa.Engine, now: datetime, metric: str, value: float | None) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        sent = company.send(10)
        company.did(sent[:2], "clicked", **{"class": "human"})
        company.did(sent[:1], "unsubscribed")
        company.did(sent[:1], "surveyed", score=9)
        company.did(sent[1:2], "surveyed", score=3)
        company.bought(sent[:3], 100)
        company.bought(sent[:1], 100)
        (found,) = objectives(db, _objective(metric), {"sale": CAMPAIGN}, now + timedelta(days=2))
    assert found.now == value
    assert (found.deadline, found.days_left) == (date(2026, 12, 31), 28)


@pytest.mark.parametrize(("metric", "kind"), [("complaint_rate", "complained"), ("bounce_rate", "bounced")])
def test_an_objective_counts_no_complaint_or_bounce_that_anybody_could_have_written(
    engine: sa.Engine, now: datetime, metric: str, kind: str
) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        sent = company.send(10)
        company.did(sent[:2], kind)
        company.did(sent[1:6], kind, unproved=True)
        company.did(sent[6:7], kind, unproved="maybe")  # an event's own data may say anything
        company.did(sent[:1], kind, unproved=False)
        (found,) = objectives(db, _objective(metric), {"sale": CAMPAIGN}, now + timedelta(days=2))
        assert company.report().answers[kind] == 7
    assert found.now == 20.0


def test_less_can_be_the_aim(engine: sa.Engine, now: datetime) -> None:
    with engine.begin() as db:
        company = Company(db, now)
        company.did(company.send(100)[:2], "unsubscribed")
        wanted = _objective("unsubscribe_rate", baseline=6, target=3)
        (found,) = objectives(db, wanted, {"sale": CAMPAIGN}, now + timedelta(days=2))
    assert found.reached
    assert found.done == pytest.approx(4 / 3)


def test_every_metric_that_a_file_may_name_is_measured() -> None:
    assert set(METRICS) == set(get_args(MetricName))


def test_every_metric_is_in_the_documentation(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "scores.md").read_text(encoding="utf-8")
    for name, metric in METRICS.items():
        assert f"| `{name}` | {metric.words} |" in text


def test_every_state_and_reason_of_the_ledger_has_our_word() -> None:
    page = (Path(__file__).parents[3] / "docs" / "ledger.md").read_text()
    table = re.findall(r"^\| (\w+) \| (?:`(\w+)`)? ?\| ", page, re.MULTILINE)
    told = {reason or state for state, reason in table} - {"state"}
    assert {"bad_address", "erased", "no_consent", "rejected"} <= told
    assert sorted(told - words("pt").keys()) == []


@pytest.mark.parametrize(("language", "said"), [("en", "8.9%"), ("pt", "8,9%"), ("es", "8,9\u00a0%")])
def test_a_share_is_written_as_the_language_does_and_never_on_two_lines(language: str, said: str) -> None:
    assert percent(0.0886, language) == said
