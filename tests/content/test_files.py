"""The demo company's plan, segments and templates: every file is held against the engine's own rules."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from vinculo import schedule, segment
from vinculo.model import Contact, ContactKind, Moment
from vinculo.project import Campaign, check, load
from vinculo.render import Renderer, Sending
from vinculo.signing import Signer

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LANGUAGES = ("pt", "en", "es")
TEMPLATES = sorted(path.name for path in (ROOT / "templates").iterdir() if not path.name.startswith("_"))
PARTS = [
    (template, channel, language)
    for template in TEMPLATES
    for channel, form in (("email", "html"), ("sms", "txt"))
    for language in LANGUAGES
    if (ROOT / "templates" / template / f"{channel}.{language}.{form}").exists()
]
#: 3GPP TS 23.038 §6.2.1: the letters that an SMS of 160 characters can hold.
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
NOBODY = Contact(1, "c-1")


@pytest.fixture(scope="module")
def project():
    return load(ROOT, {})


@pytest.fixture(scope="module")
def renderer(project):
    return Renderer(project, signer=Signer("a secret of the tests, long enough"), link_id=lambda url: 1000 + len(url))


def _contact(project, template: str, language: str) -> Contact:
    said = dict(project.templates[template].sample[language]["contact"])
    said["tags"] = frozenset(said.get("tags", ()))
    return Contact(1, "c-00001", kind=ContactKind.CUSTOMER, **said)


def _message(renderer, template: str, language: str, *, channel="email", contact=None, variant=""):
    project = renderer.project
    named = [c for c in project.campaigns.values() if c.template == template]
    plain = {"kind": "newsletter", "segment": "active", "topic": "news", "channels": ["email"], "template": template}
    sample = project.templates[template].sample[language]
    sending = Sending(
        delivery_id=1,
        key=f"{template}/2026-12-01T09:00[contact]/1",
        campaign=named[0] if named else Campaign.model_validate(plain),
        occurrence_key="2026-12-01T09:00[contact]",
        contact=contact or _contact(project, template, language),
        channel=channel,
        address="ana@correio.example" if channel == "email" else "+5511900001234",
        variant=variant,
        score=sample.get("score", {}),
        at=NOW,
    )
    return renderer.message(sending)


# ── plan and segments ────────────────────────────────────────────────────────────────────────────────────────────
def test_the_engine_finds_nothing_wrong_in_any_file():
    assert check(ROOT, {}) == []


def test_every_segment_is_a_question_that_both_databases_can_answer(project, engine):
    moment = Moment(NOW, NOW.date())
    files = {path.stem for path in (ROOT / "segments").iterdir() if path.suffix in {".yaml", ".sql"}}
    assert set(project.segments) == files
    with engine.connect() as db:
        for name in sorted(files):
            assert db.execute(segment.compile_segment(project.segments, name, moment)).all() == [], name


def test_every_campaign_has_a_date_in_the_coming_year(project):
    for name, campaign in project.campaigns.items():
        found = schedule.occurrences(
            name,
            campaign.when,
            default_zone="America/Sao_Paulo",
            start=datetime(2026, 11, 1, tzinfo=UTC),
            end=datetime(2027, 11, 1, tzinfo=UTC),
            zones=["America/Sao_Paulo", "Europe/Lisbon"],
        )
        assert found, name


def test_black_friday_is_the_day_after_the_fourth_thursday(project):
    found = schedule.occurrences(
        "black-friday",
        project.campaigns["black-friday"].when,
        default_zone="America/Sao_Paulo",
        start=datetime(2024, 1, 1, tzinfo=UTC),
        end=datetime(2030, 1, 1, tzinfo=UTC),
        zones=["America/Sao_Paulo"],
    )
    days = [occurrence.local.date() for occurrence in found]
    assert days[:4] == [date(2024, 11, 29), date(2025, 11, 28), date(2026, 11, 27), date(2027, 11, 26)]


def test_every_topic_has_a_title_and_a_description_in_each_language(project):
    for name, topic in project.policy.topics.items():
        assert set(topic.title) == set(topic.description) == set(LANGUAGES), name


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("template", "channel", "language"), PARTS)
def test_every_part_says_something_to_its_sample_and_to_someone_we_know_nothing_of(
    template, channel, language, renderer
):
    bare = Contact(2, "c-2", language=language)
    for contact in (None, bare):
        message = _message(renderer, template, language, channel=channel, contact=contact)
        everything = f"{message.subject}\n{message.text}\n{message.html}"
        assert len(message.text) > 60
        assert not re.search(r"\bNone\b|\{\{|\{%|Undefined", everything)
    assert "Lucía" not in _message(renderer, template, language, channel=channel, contact=bare).text


@pytest.mark.parametrize(("template", "channel", "language"), [part for part in PARTS if part[1] == "email"])
def test_every_email_is_complete_accessible_and_small(template, channel, language, renderer):
    message = _message(renderer, template, language)
    html = message.html
    assert 8 < len(message.subject) < 70
    assert len(html.encode()) < 60_000
    assert f'<html lang="{language}"' in html
    assert re.findall(r'<table(?![^>]*role="presentation")', html) == []
    assert re.findall(r"<img(?![^>]*\balt=)", html) == []
    assert re.findall(r'\bsrc="(?!http)', html) == []
    assert html.count("<h1") == 1
    for name in ("unsubscribe", "preferences", "view"):
        assert f"http://127.0.0.1:8500/{name}/" in html
    assert renderer.company.postal_address in html
    assert "/unsubscribe/" in message.text
    assert "prefers-color-scheme: dark" in html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", ["confirm", "opening-hours"])
def test_who_has_not_said_yes_is_not_told_so(template, language, renderer):
    said = {"pt": "disse sim", "en": "said yes", "es": "dijo que sí"}[language]
    assert said in _message(renderer, "weekly-news", language).text
    assert said not in _message(renderer, template, language).text


@pytest.mark.parametrize(("template", "channel", "language"), [part for part in PARTS if part[1] == "sms"])
def test_every_sms_is_one_part_and_says_how_to_leave(template, channel, language, project):
    source = (project.root / "templates" / template / f"sms.{language}.txt").read_text()
    plain = re.sub(r"\{#.*?#\}|\{%.*?%\}", "", source, flags=re.DOTALL)
    words = plain.replace("{{ contact.given_name }}", "Constantino").strip()
    assert set(words) <= GSM, set(words) - GSM
    assert len(words) <= 160, len(words)
    assert {"pt": "SAIR", "en": "STOP", "es": "BAJA"}[language] in words


def test_both_subjects_of_the_sale_are_different_in_each_language(renderer):
    for language in LANGUAGES:
        a, b = (_message(renderer, "black-friday", language, variant=v).subject for v in "ab")
        assert a != b


def test_the_survey_has_eleven_answers_in_html_and_in_text(renderer):
    message = _message(renderer, "satisfaction", "pt")
    for score in range(11):
        assert re.search(rf'/survey/[\w-]+/{score}"', message.html)
        assert re.search(rf"/survey/[\w-]+/{score}$", message.text, re.MULTILINE)


def test_the_letter_speaks_of_the_way_the_contact_brews(renderer):
    plain = Contact(2, "c-2", language="en", traits={"brew": "espresso"})
    assert "Eighteen grams in" in _message(renderer, "weekly-news", "en", contact=plain).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_newsletters_text_is_the_golden_one(language, renderer):
    """After a wanted change: copy the text that the failure shows into the golden file."""
    message = _message(renderer, "weekly-news", language)
    golden = GOLDEN / f"weekly-news.{language}.txt"
    text = f"Subject: {message.subject}\n\n{message.text}"
    assert re.sub(r"(?<=/)[\w-]{22,}", "TOKEN", text) == golden.read_text(encoding="utf-8")


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("words", "ground"),
    [
        ("text", "sheet"), ("text", "warm"), ("text", "leaf"), ("kicker", "sheet"), ("kicker", "warm"),
        ("kicker", "leaf"), ("link", "sheet"), ("title", "sheet"), ("small", "sheet"), ("above", "page"),
        ("fact-label", "warm"), ("fact-label", "leaf"), ("fact", "leaf"), ("scale-end", "leaf"), ("score", "score"),
        ("hero-kicker", "hero"), ("hero-text", "hero"), ("sunrise-kicker", "sunrise"), ("sunrise-text", "sunrise"),
        ("button-link", "button"), ("footer-text", "footer"), ("code", "code"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(words, ground, dark):
    """WCAG 2.2 §1.4.3: a contrast of 4.5 at least, in light and in dark."""
    style = re.search(r"<style>(.*?)</style>", (ROOT / "templates/_base/email.html").read_text(), re.DOTALL)[1]
    light, _, night = style.partition("@media (prefers-color-scheme: dark)")
    sheets = [light, night] if dark else [light]

    def colour(name: str, what: str) -> str:
        found = [
            value[1]
            for sheet in sheets
            for names, rules in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet)
            if f".{name}" in re.split(r"[\s,]+", names)
            and (value := re.search(rf"(?:^|;|\s){what}: (#[0-9a-f]{{6}})", rules))
        ]
        return found[-1]

    assert _contrast(colour(words, "color"), colour(ground, "background-color")) >= 4.5
