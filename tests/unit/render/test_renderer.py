"""A message is the template's words, our headers, and links that know their delivery: the same every time."""

from __future__ import annotations

import dataclasses
import email.policy
import re
from datetime import UTC, datetime
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo.db import tables
from vinculo.model import Address, Contact, Message
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import (
    Renderer,
    RenderError,
    Sending,
    inline,
    planned_sending,
    preview_renderer,
    problems,
    sample_sending,
)
from vinculo.render.markup.text import text_of
from vinculo.signing import Signer
from vinculo.testing.project import write_project
from vinculo.tracking import nameless_path

signer = Signer("a secret key for these tests")
WEB = "http://127.0.0.1:8500"
ANA = Contact(
    id=3,
    key="ana",
    given_name="Ana",
    family_name="O'Brien",
    language="pt",
    country="BR",
    addresses=(Address("email", "ana@b.example"),),
    traits={"shop": "https://a.example/?q=é&r=1"},
)


def campaign(**fields: Any) -> Campaign:
    return Campaign.model_validate(
        {
            "name": "weekly",
            "kind": "newsletter",
            "segment": "s",
            "topic": "news",
            "channels": ["email"],
            "template": "hello",
        }
        | fields
    )


def sending(contact: Contact = ANA, channel: str = "email", variant: str = "", **fields: Any) -> Sending:
    return Sending(
        delivery_id=7,
        key="weekly/2026-12-01T09:00[contact]/3",
        campaign=campaign(**fields),
        occurrence_key="2026-12-01T09:00[contact]",
        contact=contact,
        channel=channel,
        address="ana@b.example",
        variant=variant,
        score={},
        at=datetime(2026, 12, 1, 12, tzinfo=UTC),
    )


def renderer(tmp_path: Path, **files: str) -> Renderer:
    project = load(write_project(tmp_path, **files), {})
    numbers: dict[str, int] = {}
    return Renderer(project, signer=signer, link_id=lambda url: numbers.setdefault(url, len(numbers) + 1))


def body(content: str) -> dict[str, str]:
    return {
        "templates/hello/email.html": '{% extends "_base/email.html" %}{% block subject %}Olá{% endblock %}\n{% block content %}'
        + content
        + "{% endblock %}"
    }


def parsed(message: Message) -> Any:
    return BytesParser(policy=email.policy.default).parsebytes(message.mime)


def test_a_message_is_the_same_every_time(tmp_path: Path) -> None:
    one = renderer(tmp_path).message(sending())
    assert renderer(tmp_path).message(sending()) == one
    assert one.subject == "Olá, Ana"


def test_its_headers_say_where_it_comes_from_and_how_to_leave(tmp_path: Path) -> None:
    message = renderer(tmp_path).message(sending())
    head = parsed(message)
    unsubscribe = f"{WEB}/unsubscribe/{signer.token('unsubscribe', 7)}"
    reply = f"replies+{signer.mail_token('reply', 7)}@casaaurora.example"
    assert head["List-Unsubscribe"] == f"<{unsubscribe}>, <mailto:{reply}?subject=unsubscribe>"
    assert head["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert head["List-Id"] == "news <news.casaaurora.example>"
    assert head["Date"] == "Tue, 01 Dec 2026 12:00:00 +0000"
    assert head["Reply-To"] == reply
    assert head["Message-ID"] == f"<{signer.mail_token('message', 7)}@casaaurora.example>"
    assert head["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert re.fullmatch(r"c-weekly:t-news:k-newsletter:[a-z0-9]{5,15}", head["Feedback-ID"])
    assert head["To"] == "Ana O'Brien <ana@b.example>"
    assert message.return_path == f"bounces+{signer.mail_token('bounce', 7)}@casaaurora.example"
    assert "Auto-Submitted" not in head


def test_a_service_message_is_marked_as_automatic_and_has_no_list_to_leave(tmp_path: Path) -> None:
    head = parsed(renderer(tmp_path).message(sending(kind="service")))
    assert head["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in head


def test_links_count_clicks_unless_they_should_not(tmp_path: Path) -> None:
    links = """<a href="https://a.example/x?a=1&amp;b=2">1</a> <a href='https://a.example/x?a=1&b=2'>same</a>
    <a href="https://a.example/o" data-track="off">2</a> <a href="mailto:a@b.example">3</a> <a href="tel:+55119">4</a>
    <a href="{{ links.preferences }}">5</a> <a href="{{ contact.traits.shop }}">6</a> <a href="#top">7</a>"""
    one = renderer(tmp_path, **body(links))
    hrefs = re.findall(r"""href=["']([^"']*)""", one.message(sending()).html)
    token = signer.token("click", 7)
    url = "https://a.example/?q=é&r=1"
    assert hrefs[0] == hrefs[1] == f"{WEB}/c/{token}/{one.tracker.link_id('https://a.example/x?a=1&b=2')}"
    assert hrefs[2:6] == [
        *("https://a.example/o", "mailto:a@b.example", "tel:+55119"),
        f"{WEB}/preferences/{signer.token('preferences', 3)}",
    ]
    way, mac, _ = hrefs[6].removeprefix(f"{WEB}/c/{token}/").split("/")
    assert (way, signer.verify("url", f"{token} {url}", mac)) == ("u", True)
    assert hrefs[7] == "#top"
    assert "data-track" not in one.message(sending()).html


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        " JAVASCRIPT:x",
        "data:text/html,x",
        "vbscript:x",
        "java&#115;cript:x",
    ],
)
def test_a_link_that_runs_code_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(RenderError, match="is not allowed"):
        renderer(tmp_path, **body(f'<a href="{url}">x</a>')).message(sending())
    contact = dataclasses.replace(ANA, traits={"shop": url.replace("&#115;", "s")})
    for place in ('<a href="{{ contact.traits.shop }}">x</a>', '<img alt="" src="{{ contact.traits.shop }}">'):
        with pytest.raises(RenderError, match="is not allowed"):
            renderer(tmp_path, **body(place)).message(sending(contact))


def test_the_pixel_counts_opens_only_where_each_contact_is_counted(tmp_path: Path) -> None:
    one = renderer(tmp_path)
    pixel = f"{WEB}/o/{signer.token('open', 7)}.gif"
    assert pixel in one.message(sending()).html
    assert "/o/" not in one.message(sending(open_tracking="off")).html


def test_the_pixel_of_who_would_not_be_known_is_the_same_for_everybody(tmp_path: Path) -> None:
    one = renderer(tmp_path)
    counted = WEB + nameless_path(signer, "weekly", sending().occurrence_key)
    for message in (sending(open_tracking="aggregate"), dataclasses.replace(sending(), known=False)):
        html = one.message(message).html
        assert f'<img src="{counted}"' in html
        assert signer.token("open", 7) not in html


def test_the_link_that_no_person_sees_is_said_to_nobody(tmp_path: Path) -> None:
    files = load(write_project(tmp_path), {})
    tracking = files.settings.tracking.model_copy(update={"honeypot": True})
    files = dataclasses.replace(files, settings=files.settings.model_copy(update={"tracking": tracking}))
    message = Renderer(files, signer=signer, link_id=len).message(sending())
    trap = f"{WEB}/c/{signer.token('click', 7)}/0"
    assert f'<a href="{trap}" aria-hidden="true" tabindex="-1" style="display:none"></a>' in message.html
    assert trap not in message.text
    assert trap not in renderer(tmp_path).message(sending()).html


@pytest.mark.parametrize(
    ("language", "label"),
    [("pt", "[TESTE]"), ("pt-BR", "[TESTE]"), ("es", "[PRUEBA]"), ("en", "[TEST]"), ("fr", "[TEST]")],
)
def test_a_test_is_labelled_and_its_links_to_leave_do_nothing(tmp_path: Path, language: str, label: str) -> None:
    message = renderer(tmp_path).message(sending(dataclasses.replace(ANA, language=language)), test=True)
    assert message.subject.startswith(label)
    assert message.test
    assert f"{WEB}/unsubscribe/test" in message.html
    assert signer.token("unsubscribe", 7) not in message.mime.decode()


def test_two_tests_have_each_their_own_name(tmp_path: Path) -> None:
    one, trial = renderer(tmp_path), dataclasses.replace(sending(), delivery_id=0)
    names = {
        BytesParser().parsebytes(one.message(dataclasses.replace(trial, key=key), test=True).mime)["Message-ID"]
        for key in ("test/news/1/0", "test/news/2/0")
    }
    assert len(names) == 2


def test_the_language_is_the_contacts_then_the_companys_then_any(tmp_path: Path) -> None:
    one = renderer(tmp_path, **{"templates/hello/sms.es.txt": "Hola", "templates/hello/sms.pt.txt": "Oi"})
    said = {
        language: one.message(sending(dataclasses.replace(ANA, language=language), "sms")).text
        for language in ("es", "es-AR", "pt", "fr", "")
    }
    assert said == {"es": "Hola", "es-AR": "Hola", "pt": "Oi", "fr": "Oi", "": "Oi"}


def test_dates_and_the_language_of_a_page_are_those_of_the_words_around_them(tmp_path: Path) -> None:
    """Whoever reads French gets the company's Portuguese, and not half of each; a part for all may speak any."""
    words = "{{ language }}: {{ occurrence|date }}"
    one = renderer(tmp_path, **{"templates/hello/sms.pt.txt": words, "templates/hello/whatsapp.txt": words})

    def said(language: str, channel: str) -> str:
        return one.message(sending(dataclasses.replace(ANA, language=language), channel)).text

    assert said("fr", "sms") == "pt: 1 de dezembro de 2026"
    assert said("pt-PT", "sms") == "pt-PT: 1 de dezembro de 2026"
    assert said("fr", "whatsapp") == "fr: 1 décembre 2026"


def test_a_variant_has_its_own_subject_or_template(tmp_path: Path) -> None:
    one = renderer(
        tmp_path,
        **{"templates/other/email.html": "<title>Other</title><body>x", "templates/other/sample.yaml": "contact: {}\n"},
    )
    variants = {"a": {"subject": "{{ contact.given_name }} & you"}, "b": {"template": "other"}}
    subjects = [one.message(sending(variant=name, variants=variants)).subject for name in ("a", "b")]
    assert subjects == ["Ana & you", "Other"]


def test_an_unknown_name_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(RenderError) as error:
        renderer(tmp_path, **body("\n<p>{{ contact.nam }}</p>")).message(sending())
    assert (error.value.template, error.value.line) == ("templates/hello/email.html", 3)
    assert "Did you mean `name`" in error.value.reason


def test_a_broken_tag_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    one = renderer(tmp_path)
    (tmp_path / "templates/hello/email.html").write_text("<p>\n{% if %}</p>")
    with pytest.raises(RenderError) as error:
        one.message(sending())
    assert (error.value.template, error.value.line) == ("templates/hello/email.html", 2)


def test_one_poisoned_contact_is_an_error_and_the_next_is_served(tmp_path: Path) -> None:
    one = renderer(tmp_path)
    for name in ("a\0b", "a\r\nBcc: x@y", "=?utf-8?q?x=0ABcc:_a=40b.c?=", "x" * 1_000_000):
        with pytest.raises(RenderError):
            one.message(sending(dataclasses.replace(ANA, given_name=name)))
    assert one.message(sending()).subject == "Olá, Ana"


def test_a_contacts_name_cannot_bring_html(tmp_path: Path) -> None:
    evil = dataclasses.replace(ANA, given_name="<script>alert(1)</script>")
    message = renderer(tmp_path, **body("<p>{{ contact.given_name }}</p>")).message(sending(evil))
    assert "<script" not in message.html
    assert message.text.startswith("<script>")


@pytest.mark.parametrize(
    "value", ["1px; position: fixed", "url(https://evil.example)", "1 !important", "a}b", "", " 1"]
)
def test_a_contacts_value_cannot_bring_css(tmp_path: Path, value: str) -> None:
    one = renderer(tmp_path, **body('<p style="width: {{ contact.city }}">x</p>'))
    assert 'style="width: 10%"' in one.message(sending(dataclasses.replace(ANA, city="10%"))).html
    with pytest.raises(RenderError, match="cannot stand in a style"):
        one.message(sending(dataclasses.replace(ANA, city=value)))


def test_money_dates_and_numbers_are_written_as_the_language_does(tmp_path: Path) -> None:
    words = {
        "templates/hello/sms.txt": "{{ 164550|money }} {{ occurrence|date }} {{ 1234.5|number }} {{ 2|number(2) }} {{ 5|money('USD') }}"
    }
    one = renderer(tmp_path, **words)
    said = [
        one.message(sending(dataclasses.replace(ANA, language=each, country=""), "sms")).text
        for each in ("pt", "en", "es")
    ]
    assert [each.replace("\xa0", " ") for each in said] == [
        "R$ 1.645,50 1 de dezembro de 2026 1.234,5 2,00 US$ 0,05",
        "R$1,645.50 December 1, 2026 1,234.5 2.00 $0.05",
        "1.645,50 BRL 1 de diciembre de 2026 1.234,5 2,00 0,05 US$",
    ]


def test_a_text_longer_than_the_connector_carries_is_an_error(tmp_path: Path) -> None:
    one = renderer(tmp_path, **{"templates/hello/sms.txt": "{{ contact.given_name }}"})
    one.max_text = {"sms": 5}.get
    assert one.message(sending(dataclasses.replace(ANA, given_name="12345"), "sms")).text == "12345"
    with pytest.raises(RenderError, match="has 6 characters; the connector of sms carries 5"):
        one.message(sending(dataclasses.replace(ANA, given_name="123456"), "sms"))
    with pytest.raises(RenderError, match="characters"):
        one.message(sending(dataclasses.replace(ANA, given_name="12345"), "sms"), test=True)
    assert len(one.message(sending()).text) > 5


def test_a_template_that_runs_away_is_cut_and_the_next_is_served(tmp_path: Path) -> None:
    loops = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    one = renderer(tmp_path, **body(loops))
    one.seconds = 0.2
    with pytest.raises(RenderError, match="too long"):
        one.message(sending())
    assert one.message(sending(channel="sms")).text == "Olá, Ana!\n"


HOUSE = Path(__file__).parents[3]
house = pytest.mark.skipif(not (HOUSE / "templates").is_dir(), reason="this is not the repository's own folder")


@house
def test_the_templates_of_the_house_have_no_problem() -> None:
    assert problems(load(HOUSE, {})) == []


@house
def test_the_templates_of_the_house_are_inlined_once_and_come_out_as_if_inlined_each_time() -> None:
    one = preview_renderer(load(HOUSE, {}))
    pages = [
        (name, channel, language or one.company.language)
        for name, template in one.project.templates.items()
        for channel, form, language in template.parts
        if form == "html"
    ]
    links = dict.fromkeys(("unsubscribe", "preferences", "view", "survey", "confirm"), WEB)
    assert len(pages) >= 3 * len(one.project.templates)
    for name, channel, language in pages:
        sample = sample_sending(one.project, name, channel, language, campaign=None)
        for contact in (sample.contact, dataclasses.replace(ANA, language=language, traits={})):
            data = one.data(dataclasses.replace(sample, contact=contact), language, links)
            unit = one.unit(sample, language)
            assert unit.plain is not None
            assert unit.styled is not None, (name, language)
            html = inline(unit.plain.render(data), jinja=False)
            assert unit.styled.render(data) == html
            assert unit.render(data).html == html
            assert unit.text is not None or unit.render(data).text == text_of(html)


@pytest.mark.parametrize(
    "content",
    [
        "{% macro cell(t) %}<td class='x'>{{ t }}</td>{% endmacro %}<table><tr>{{ cell('a') }}{{ cell('b') }}</tr></table>",
        "{% from '_base/parts.html' import cell %}<table><tr>{{ cell(contact.given_name) }}</tr></table>",
    ],
)
def test_macros_are_inlined_when_rendered(tmp_path: Path, content: str) -> None:
    files = {"templates/_base/parts.html": "{% macro cell(t) %}<td class='x'>{{ t }}</td>{% endmacro %}"}
    base = {"templates/_base/email.html": "<html><head><title>{% block subject %}{% endblock %}</title><style>.x { top: 1px }</style></head><body>{% block content %}{% endblock %}</body></html>"}  # fmt: skip
    message = renderer(tmp_path, **files, **base, **body(content)).message(sending())
    assert '<td class="x" style="top:1px">' in message.html
    assert "<style" not in message.html


def test_problems_name_file_and_line(tmp_path: Path) -> None:
    files = body('\n<img src="x.png"><a href="page.html">x</a>{{ contact.oops }}') | {
        "templates/_base/email.html": "<title>{% block subject %}{% endblock %}</title><body>{% block content %}{% endblock %}"
    }
    found = [f"{each.file}:{each.line} {each.message}" for each in problems(load(write_project(tmp_path, **files), {}))]
    assert "templates/hello/email.html:3 an image has no `alt`" in found
    relative = "templates/hello/email.html:3 an address without `https://` leads nowhere in an e-mail"
    assert found.count(relative) == 2
    assert any("oops" in each and ":3" in each for each in found)


def test_a_commercial_template_without_address_or_way_out_is_a_problem(tmp_path: Path) -> None:
    files = {
        "templates/_base/email.html": "<title>{% block subject %}{% endblock %}</title><body>{% block content %}{% endblock %}"
    }
    said = " ".join(each.message for each in problems(load(write_project(tmp_path, **files), {})))
    assert "unsubscribe" in said
    assert "postal address" in said


def test_a_preview_for_a_contact_is_what_a_send_makes(tmp_path: Path, sqlite_engine: sa.Engine) -> None:
    made = sending(variant="a", variants={"a": {"subject": "A"}})
    with sqlite_engine.begin() as db:
        assert planned_sending(db, "weekly", ANA, {}) is None
        plan(db, made)
        found = planned_sending(db, "weekly", ANA, {})
    assert found == made
    assert renderer(tmp_path / "a").message(found) == renderer(tmp_path / "b").message(made)


def plan(db: sa.Connection, made: Sending) -> None:
    """Lay the rows that the ledger would have for *made*."""
    key = {"campaign": "weekly", "occurrence": made.occurrence_key}
    person = {"id": ANA.id, "key": ANA.key, "kind": "customer", "first_seen": made.at, "updated_at": made.at}
    columns = tables.contact.c
    db.execute(sa.insert(tables.contact).values({name: value for name, value in person.items() if name in columns}))
    definition = made.campaign.model_dump(mode="json", by_alias=True)
    db.execute(
        sa.insert(tables.occurrence).values(
            **key, state="open", due_at=made.at, planned_at=made.at, definition=definition
        )
    )
    db.execute(
        sa.insert(tables.delivery).values(
            **key,
            id=made.delivery_id,
            contact_id=ANA.id,
            state="planned",
            channel=made.channel,
            address=made.address,
            variant=made.variant,
            topic="service",
            basis="service",
            due_at=made.at,
            expires_at=made.at,
        )
    )


@house
def test_the_house_looks_as_premailer_alone_would_dress_it() -> None:
    import cssutils
    from lxml import html as parser
    from premailer import Premailer

    def styles(page: str) -> list[tuple[str, dict[str, str]]]:
        body = parser.document_fromstring(page).body
        return [
            (str(each.tag), {one.name: one.value for one in cssutils.parseStyle(each.get("style", ""), validate=False)})
            for each in body.iter("*")
        ]

    one = preview_renderer(load(HOUSE, {}))
    sample = sample_sending(one.project, "weekly-news", "email", "en", campaign=None)
    links = dict.fromkeys(("unsubscribe", "preferences", "view", "survey", "confirm"), WEB)
    unit, data = one.unit(sample, "en"), one.data(sample, "en", links)
    assert unit.plain is not None
    plain = unit.plain.render(data)
    alone = Premailer(
        plain, disable_validation=True, allow_network=False, cssutils_logging_level=50, include_star_selectors=True
    ).transform()
    assert styles(unit.render(data).html) == styles(alone)
    assert sum(bool(style) for _, style in styles(alone)) > 40


def test_a_loop_may_break_and_continue(tmp_path: Path) -> None:
    loop = "{% for n in range(9) %}{% if n == 1 %}{% continue %}{% elif n == 4 %}{% break %}{% endif %}<i>{{ n }}</i>{% endfor %}"
    one = renderer(tmp_path, **{"templates/hello/email.html": f"<p>{loop}</p>", "templates/hello/sms.txt": loop})
    assert "<p><i>0</i><i>2</i><i>3</i></p>" in one.message(sending()).html
    assert one.message(sending(channel="sms")).text == "<i>0</i><i>2</i><i>3</i>"


def test_what_a_layout_never_shows_is_checked_all_the_same(tmp_path: Path) -> None:
    shown, unshown = (
        body(f"<p>x</p>\n{where}{{{{ 1|nofilter }}}}") for where in ("", "{% endblock %}\n{% block nowhere %}")
    )
    for files, line in ((shown, 3), (unshown, 4)):
        one = renderer(tmp_path / str(line), **files)
        found = [each for each in problems(one.project) if "nofilter" in each.message]
        assert [(each.file, each.line) for each in found] == [("templates/hello/email.html", line)]
    assert one.message(sending()).html
