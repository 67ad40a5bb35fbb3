"""The console's pages: what they show is what the database and the files say."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import NOW, OURS, PHONE, Town
from vinculo import consent, history, ledger, run
from vinculo.db.tables import control, occurrence, point, score
from vinculo.db.tables import delivery as deliveries
from vinculo.model import Direction, Occurrence
from vinculo.project import load
from vinculo.project.schema import Loyalty
from vinculo.testing.store import add_contact

PAGES = ["/", "/calendar", "/plan", "/campaigns", "/campaigns/weekly", "/contacts", "/contacts/1", "/outbox"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["pt", "en", "es"])
def test_every_page_speaks_three_languages_and_changes_nothing(town: Town, path: str, language: str) -> None:
    before = town.rows(deliveries), town.rows(occurrence)
    answer = town.client.get(f"{path}?lang={language}")
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert (town.rows(deliveries), town.rows(occurrence)) == before
    assert f'<html lang="{language}">' in town.client.get(path).text  # it is remembered


def held(town: Town) -> Occurrence:
    """Hold an occurrence of the newsletter for approval."""
    one = Occurrence("weekly", datetime(2026, 12, 8, 9), "America/Sao_Paulo")
    campaign = town.rt.project.campaigns["weekly"].model_copy(update={"approval": "required"})
    run.begin(town.rt, campaign, one, due_now=True)
    return one


def state(town: Town, one: Occurrence) -> tuple[str, str]:
    with town.rt.read() as db:
        o = occurrence.c
        row = db.execute(sa.select(o.state, o.approved_by).where(o.occurrence == one.key)).one()
    return row.state, row.approved_by


def test_the_plan_shows_reach_by_channel_and_who_is_left_out_by_reason(town: Town) -> None:
    with town.rt.begin() as db:
        add_contact(db, key="no", email="no@x.example", signer=town.rt.signer)
    town.clock[0] = town.clock[0].replace(day=7)
    page = town.client.get("/plan?days=2&lang=en").text
    assert 'data-occurrence="2026-12-08T09:00[America/Sao_Paulo]"' in page
    assert "<b>2</b> e-mail" in page
    assert "<b>1</b> no consent" in page


def test_what_cannot_be_worked_out_says_why_in_its_row(town: Town) -> None:
    campaigns = dict(town.rt.project.campaigns)
    campaigns["weekly"] = campaigns["weekly"].model_copy(update={"segment": "gone"})
    object.__setattr__(town.rt.project, "campaigns", campaigns)
    page = town.client.get("/plan?days=14&lang=en").text
    assert "Could not be worked out" in page
    assert "gone" in page


@pytest.mark.parametrize(
    ("language", "why"),
    [("pt", "não há segmento “gone”"), ("en", "there is no segment “gone”"), ("es", "no hay segmento “gone”")],
)
def test_why_it_cannot_be_worked_out_is_said_in_the_readers_language(town: Town, language: str, why: str) -> None:
    campaigns = dict(town.rt.project.campaigns)
    campaigns["weekly"] = campaigns["weekly"].model_copy(update={"segment": "gone"})
    object.__setattr__(town.rt.project, "campaigns", campaigns)
    page = town.client.get(f"/plan?days=14&lang={language}").text
    assert why in page
    assert "There is no segment" not in page


@pytest.mark.parametrize(("path", "wanted"), [("approve", ("open", "console")), ("reject", ("cancelled", "console"))])
def test_a_held_occurrence_is_decided_with_a_button(town: Town, path: str, wanted: tuple[str, str]) -> None:
    one = held(town)
    assert "awaits approval" in town.client.get("/plan?lang=en").text
    assert one.key in town.client.get("/").text
    answer = town.client.post(f"/campaigns/weekly/{path}", data={"occurrence": one.key}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/campaigns/weekly")
    assert state(town, one) == wanted


def test_an_occurrence_that_is_none_cannot_be_approved(town: Town) -> None:
    assert town.client.post("/campaigns/weekly/approve", data={"occurrence": "x"}, headers=OURS).status_code == 404


def test_a_campaign_is_paused_and_resumed(town: Town) -> None:
    town.client.post("/campaigns/weekly/pause", headers=OURS)
    with town.rt.read() as db:
        assert ledger.standing(db, "weekly") == "paused"
    assert "Em pausa" in town.client.get("/campaigns/weekly?lang=pt").text
    town.client.post("/campaigns/weekly/resume", headers=OURS)
    assert town.rows(control) == 0


def test_a_send_that_was_stopped_before_anybody_was_planned_is_shown_and_resumed(town: Town) -> None:
    with town.rt.begin() as db:
        ledger.pause(db, "autumn-sale", town.rt.now(), "its run was cancelled in Prefect")
    for path in ("/", "/campaigns"):
        assert 'href="/campaigns/autumn-sale"' in town.client.get(path).text
    for path in ("/", "/campaigns/autumn-sale"):
        assert "its run was cancelled in Prefect" in town.client.get(path).text
    assert "Em pausa" in town.client.get("/campaigns/autumn-sale?lang=pt").text
    answer = town.client.post("/campaigns/autumn-sale/resume", headers=OURS, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, "/campaigns")
    assert town.rows(control) == 0


def test_what_a_contact_chose_is_told_in_the_readers_language(town: Town) -> None:
    chosen = {
        "frequency": "3 per 10 days",
        "pause_until": "2026-12-31T02:00:00+00:00",
        "channel": "email",
        "language": "es",
    }
    with town.rt.begin() as db:
        for name, value in chosen.items():
            consent.set_preference(db, town.ana, name, value, town.rt.now())
    page = town.client.get(f"/contacts/{town.ana}?lang=pt").text
    for words in ("No máximo 3 em 10 dia(s)", "30 dez. 2026", "e-mail", "Español"):
        assert words in page.split("Preferências")[1].split("</section>")[0]


def test_what_a_contact_left_is_told_by_its_title(town: Town) -> None:
    town.client.post(f"/preferences/{town.token('preferences', town.ana)}", data={"email/offers": "yes"})
    page = town.client.get(f"/contacts/{town.ana}?lang=pt").text
    assert "<p>Carta da casa</p>" in page
    assert "<p>news</p>" not in page


def test_a_campaign_that_is_none_is_not_paused(town: Town) -> None:
    assert town.client.post("/campaigns/nothing/pause", headers=OURS).status_code == 404
    assert town.client.get("/campaigns/nothing").status_code == 404
    assert town.rows(control) == 0


def test_the_report_counts_what_came_back(town: Town) -> None:
    town.clock[0] += timedelta(hours=1)
    town.client.get(f"/o/{town.token('open')}.gif", headers={"User-Agent": PHONE})
    town.client.get(f"/o/{town.token('open')}.gif", headers={"User-Agent": "curl/8"})
    page = " ".join(town.client.get("/campaigns/weekly?lang=en").text.split())
    assert '<th scope="row">opened</th><td>1 (50.0%)</td><td>0 (0.0%)</td><td>1 (50.0%)</td><td>2 (50.0%)</td>' in page


def test_the_console_says_that_nothing_is_sent_while_a_file_is_wrong(town: Town) -> None:
    assert "Nothing is sent" not in town.client.get("/plan?lang=en").text
    (town.rt.project.root / "segments/slip.yaml").write_text("who: [\n")
    town.rt.project = load(town.rt.project.root, whole=False)
    for page in ("/", "/calendar", "/plan"):
        told = town.client.get(f"{page}?lang=en").text
        assert "Nothing is sent, and what these files say is missing here: segments/slip.yaml." in told


def test_the_console_says_which_campaign_is_left_out_for_its_file(town: Town) -> None:
    (town.rt.project.root / "plan/calendar/slip.yaml").write_text("kind: [\n")
    town.rt.project = load(town.rt.project.root, whole=False)
    told = town.client.get("/?lang=en").text
    assert "What these files say is missing here, and is not sent: plan/calendar/slip.yaml." in told
    assert "Nothing is sent" not in told


def test_what_comes_next_has_its_files_hour_and_is_not_in_the_ledger_yet(town: Town) -> None:
    coming = town.client.get("/?lang=en").text.partition("Coming up")[2].partition("</section>")[0]
    assert "<time>Tue 8 Dec, 09:00</time>" in coming
    held(town)
    page = town.client.get("/?lang=en").text
    assert "awaits approval" in page
    assert "8 Dec" not in page.partition("Coming up")[2].partition("</section>")[0]


def test_a_send_that_waits_is_not_said_to_leave_nobody_out(town: Town) -> None:
    add = {"signer": town.rt.signer, "consent": ["news"], "country": "BR"}
    with town.rt.begin() as db:
        for number in range(20):
            add_contact(db, key=f"c{number}", email=f"c{number}@x.example", **add)
    one = Occurrence("half", datetime(2026, 12, 1, 12), "UTC")
    half = {"name": "half", "approval": "required", "holdout": 0.5}
    run.begin(town.rt, town.rt.project.campaigns["weekly"].model_copy(update=half), one, due_now=True)
    page = town.client.get("/campaigns/half?lang=en").text
    assert "has got it yet" in page
    assert "No contacts were left out" not in page


def test_the_calendar_shows_each_occurrence_once_with_its_state(town: Town) -> None:
    page = town.client.get("/calendar?month=2026-12&lang=en").text
    assert page.count('href="/campaigns/weekly') == 6  # one was sent; Tuesday the 1st is later that day
    assert 'href="/campaigns/weekly?occurrence=2026-12-01T12%3A00%5BUTC%5D"' in page
    assert "finished" in page
    assert "upcoming" in page


def test_an_occurrence_that_was_brought_forward_is_no_more_to_come_on_its_day(town: Town) -> None:
    campaign = town.rt.project.campaigns["weekly"]
    coming = Occurrence("weekly", datetime(2027, 1, 12, 9), "America/Sao_Paulo")
    before = town.client.get("/calendar?month=2027-01&lang=en").text
    run.begin(town.rt, campaign, coming, due_now=True)
    after = town.client.get("/calendar?month=2027-01&lang=en").text
    assert (before.count("· upcoming"), before.count("· under way")) == (4, 0)
    assert (after.count("· upcoming"), after.count("· under way")) == (3, 1)


@pytest.mark.parametrize(
    ("language", "state", "words"),
    [("pt", "não sai", "Para enviar mesmo assim"), ("en", "not sent", "To send"), ("es", "no sale", "Para enviarla")],
)
def test_what_would_be_the_second_of_its_day_is_shown_as_not_sent(
    town: Town, language: str, state: str, words: str
) -> None:
    """The newsletter of the 1st was sent as of 12:00 UTC, and the file says 09:00 in São Paulo."""
    page = town.client.get(f"/calendar?month=2026-12&lang={language}").text
    assert page.count(f"· {state}") == 1
    assert 'class="entry newsletter missed" href="/campaigns/weekly"' in page  # no page of its own: it is not planned
    plan = town.client.get(f"/plan?days=1&lang={language}").text
    assert "12:00 (UTC)" in plan
    assert words in plan
    assert "vinculo run weekly --at 2026-12-01T09:00" in plan
    overview = town.client.get(f"/?lang={language}").text
    assert overview.count("<small>America/Sao_Paulo</small>") == 1  # next week's: 14 days ahead are shown


@pytest.mark.parametrize(("language", "words"), [("pt", "enviada à mão"), ("en", "sent by hand"), ("es", "a mano")])
def test_one_held_back_for_what_was_sent_by_hand_says_so(town: Town, language: str, words: str) -> None:
    with town.rt.begin() as db:
        [definition] = db.scalars(sa.select(occurrence.c.definition))
        db.execute(sa.update(occurrence).values(definition=definition | {"when": None}))
    plan = town.client.get(f"/plan?days=1&lang={language}").text
    assert words in plan
    assert "vinculo run weekly --at 2026-12-01T09:00" in plan


@pytest.mark.parametrize("month", ["2026-13", "x", "1999-01", "٢٠٢٦-12"])
def test_a_month_that_is_none_is_this_one(town: Town, month: str) -> None:
    assert "December 2026" in town.client.get(f"/calendar?lang=en&month={month}").text


# ── contacts ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("query", ["ana", "ana@gmail.example", "#1", "+5511999990001"])
def test_an_exact_key_or_address_leads_to_its_contact(town: Town, query: str) -> None:
    answer = town.client.get("/contacts", params={"q": query})
    assert answer.headers["location"] == "/contacts/1"


@pytest.mark.parametrize(
    ("query", "found"), [("Prado", True), ("gmail", True), ("%", False), ("_na", False), ("'; --", False)]
)
def test_contacts_are_found_by_a_part_of_name_or_address(town: Town, query: str, found: bool) -> None:
    assert ("/contacts/1" in town.client.get("/contacts", params={"q": query}).text) is found


def test_a_contacts_page_shows_both_ways_and_escapes_what_people_write(town: Town) -> None:
    hostile = "<script>alert(1)</script>{{ 7*7 }}"
    town.client.post(f"/survey/{town.token('survey')}/9", data={"score": "9", "words": hostile})
    page = town.client.get("/contacts/1?lang=en").text
    assert "message sent" in page
    assert "answered a survey" in page
    assert hostile not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7*7 }}" in page


def test_a_contacts_page_shows_scores_with_intervals_and_every_move(town: Town) -> None:
    told = {"engagement": 54.5, "frequency": 3, "value": 12_345, "rfm": "5-4-3", "stage": "loyalty", "unrated": 2}
    told |= {"alive": 0.8, "alive_low": 0.7, "alive_high": 0.9, "expected": 2.5, "expected_low": 1.5}
    told |= {"expected_high": 4, "lifetime_value": 50_000, "lifetime_low": 30_000, "lifetime_high": 80_000}
    with town.rt.begin() as db:
        db.execute(sa.insert(score).values(contact_id=1, at=NOW, next_at=NOW + timedelta(days=20), **told))
        data = {"stage": ["conversion", "loyalty"], "rfm": ["4-3-3", "5-4-3"]}
        history.record(db, [history.Interaction(1, NOW, Direction.IN, "scored", data=data)])
    page = town.client.get("/contacts/1?lang=pt").text
    for said in (
        "fidelidade",
        "5-4-3",
        "54,5",
        "R$\xa0123,45",
        "70,0% – 90,0%",
        "1,5 – 4",
        "R$\xa0300,00 – R$\xa0800,00",
    ):
        assert said in page, said
    assert "conversão → <b>fidelidade</b>" in page


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("pt", ("Programa de fidelidade", "<dt>Pontos</dt><dd>1.520</dd>", "<dt>Nível</dt><dd>flor</dd>")),
        ("en", ("Loyalty programme", "<dt>Points</dt><dd>1,520</dd>", "<dt>Tier</dt><dd>flor</dd>")),
        ("es", ("Programa de fidelidad", "<dt>Puntos</dt><dd>1.520</dd>", "<dt>Nivel</dt><dd>flor</dd>")),
    ],
)
def test_a_contacts_page_shows_the_points_that_count_now_and_their_tier(
    town: Town, language: str, said: tuple[str, ...]
) -> None:
    assert said[0] not in town.client.get(f"/contacts/1?lang={language}").text
    tiers = [{"name": "broto", "from": 0}, {"name": "flor", "from": 400}]
    object.__setattr__(town.rt.project, "loyalty", Loyalty.model_validate({"expires": "1 year", "tiers": tiers}))
    with town.rt.begin() as db:
        for at, number in ((NOW, 1520), (NOW - timedelta(days=366), 80), (NOW + timedelta(days=1), 3)):
            db.execute(
                sa.insert(point).values(contact_id=1, at=at, points=number, reason="gift", reference=f"{number}")
            )
    page = town.client.get(f"/contacts/1?lang={language}").text
    assert [each for each in said if each not in page] == []


@pytest.mark.parametrize("path", ["/contacts/99", "/contacts/99999999999999999999", "/contacts/x"])
def test_a_contact_that_is_none_has_no_page(town: Town, path: str) -> None:
    assert town.client.get(path).status_code == 404
