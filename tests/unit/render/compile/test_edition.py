"""What is compiled once says, byte for byte, what would be made for each contact by itself."""

from __future__ import annotations

import dataclasses
import threading
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail import compose
from vinculo.model import Address, Contact, Message
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import Renderer, RenderError, Sending, inline, preview_renderer, sample_sending
from vinculo.render.compile.form import bytes_form, form, gap, room
from vinculo.render.compile.shape import title_of, with_pixel
from vinculo.render.markup.text import text_of
from vinculo.signing import Signer
from vinculo.testing.project import write_project

HOUSE = Path(__file__).parents[4]
house = pytest.mark.skipif(not (HOUSE / "templates").is_dir(), reason="this is not the repository's own folder")
ODD = ["", "Ana", "José", "O'Brien & Söhne", "<b>", "a  b", " a", "&amp;", "&", "100%", "R$\xa048,90", "%s", "李", "\u2028", "x" * 300, "{{ 1 }}"]  # fmt: skip
signer = Signer("a secret key for these tests")
TEMPLATE = """<html><head><title>{{ contact.given_name }}, {{ campaign.topic }}</title><style>.x { top: 1px }</style></head>
<body class="x" data-x="{{ contact.city }}">{% if language == "pt" %}Olá{% elif language == "es" %}{% else %}Hello{% endif %}
<p style="width: {{ 10 * 2 }}px">{{ contact.given_name }} R&amp;D {{ contact.city }} {{ company.postal_address }} {{ occurrence|date }}</p>
{% for n in range(3) %}<a href="https://a.example/{{ n }}">{{ n }} {{ contact.city }}</a>{% endfor %}
{% for tag in contact.tags %}<i>{{ loop.index }}{{ tag }}</i>{% else %}none{% endfor %}
{% for name in ["a", "b"] %}{% if name == contact.city %}!{% endif %}{{ name }}{% endfor %}
{% set said = contact.city|upper %}<b>{{ said }}{{ "" if variant else "-" }}</b> {{ contact.traits.get("brew") or "no" }} {{ contact.traits.get("x", 1) }} {{ contact.traits.get("x", true) }}
<a href="{{ links.view }}">v</a><a href="{{ links.survey }}/9">s</a>{{ links.view|length }}
<a href="https://a.example/?c={{ contact.city|urlencode }}">u</a></body></html>"""


def sending(contact: Contact, **fields: Any) -> Sending:
    plain = {"name": "weekly", "kind": "newsletter", "segment": "s", "topic": "news", "channels": ["email"]}
    return Sending(
        delivery_id=7,
        key="weekly/2026-12-01T09:00[contact]/3",
        campaign=Campaign.model_validate({**plain, "template": "hello", **fields}),
        occurrence_key="2026-12-01T09:00[contact]",
        contact=contact,
        channel="email",
        address="ana@b.example",
        variant="",
        score={},
        at=datetime(2026, 12, 1, 12, tzinfo=UTC),
    )


def by_itself(one: Renderer, sent: Sending) -> Message:
    """Render as if nothing was compiled but the author's own template."""
    language = sent.contact.language or one.company.language
    unit, made = one.unit(sent, language), one.message(sent)
    links = {name: f"{one.web}/{name}/{signer.token(name, 7)}" for name in ("unsubscribe", "view", "survey")}
    links["preferences"] = f"{one.web}/preferences/{signer.token('preferences', sent.contact.id)}"
    data = one.data(sent, language, links)
    assert unit.plain is not None
    html = inline(unit.plain.render(data), jinja=False)
    pixel = f'<img src="{one.web}/o/{signer.token("open", 7)}.gif" width="1" height="1" alt="" border="0">'
    text = unit.text.render(data) if unit.text else text_of(html)
    bare = dataclasses.replace(made, subject=title_of(html), html=with_pixel(html, pixel), text=text, mime=b"")
    return dataclasses.replace(bare, mime=compose(bare))


@cache
def written(folder: Path, txt: str = "") -> Renderer:
    files = {"templates/hello/email.html": TEMPLATE} | ({"templates/hello/email.txt": txt} if txt else {})
    numbers: dict[str, int] = {}
    project = load(write_project(folder / txt[:4].strip("{ "), **files), {})
    return Renderer(project, signer=signer, link_id=lambda url: numbers.setdefault(url, len(numbers)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("projects")


NAME = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))


@settings(max_examples=80, deadline=None)
@given(NAME, NAME, st.lists(NAME, max_size=3), st.sampled_from(["pt", "es", "en", ""]))
@pytest.mark.parametrize("txt", ["", "Oi {{ contact.given_name }}, {{ company.name }}\n{{ links.view }}\n"])
def test_any_contact_gets_what_would_be_made_for_it_alone(
    folder: Path, txt: str, name: str, city: str, tags: list[str], language: str
) -> None:
    contact = Contact(
        3, "ana", given_name=name, city=city, tags=frozenset(tags), language=language, country="BR",
        traits={"brew": city} if city else {}, addresses=(Address("email", "ana@b.example"),),
    )  # fmt: skip
    one, sent = written(folder, txt), sending(contact)
    try:
        made = one.message(sent)
    except RenderError as error:
        assert "Subject" in error.reason or "To" in error.reason  # noqa: PT017 - a header was refused, nothing else
        return
    assert made == by_itself(one, sent)
    ready = one._ready(sent)
    assert ready.edition.skeleton is not None


@house
def test_every_template_of_the_house_is_compiled_and_says_the_same() -> None:
    one = preview_renderer(load(HOUSE, {}))
    for name, template in one.project.templates.items():
        for channel, form_, language in template.parts:
            if form_ != "html":
                continue
            sample = sample_sending(one.project, name, channel, language or "pt", campaign=None)
            made = one.message(sample)
            assert one._ready(sample).edition.skeleton is not None
            assert made.mime == compose(dataclasses.replace(made, mime=b""))


def test_a_campaign_that_changed_is_made_up_anew(folder: Path) -> None:
    one, ana = written(folder), Contact(3, "ana", given_name="Ana")
    assert "Ana, news" in one.message(sending(ana)).subject
    assert "Ana, offers" in one.message(sending(ana, topic="offers")).subject
    assert "/o/" not in one.message(sending(ana, open_tracking="off")).html


def test_messages_of_one_campaign_share_what_is_prepared(folder: Path) -> None:
    one, ana = written(folder), Contact(3, "ana", given_name="Ana")
    one.message(sending(ana))
    ready = one._ready(sending(ana))
    shapes = len(ready.edition.shapes)
    for name in ("Bia", "Caio", "Davi"):
        one.message(sending(dataclasses.replace(ana, given_name=name)))
    assert one._ready(sending(ana)) is ready
    assert len(ready.edition.shapes) == shapes


def test_where_no_two_contacts_share_a_shape_each_is_made_by_itself(folder: Path) -> None:
    one = written(folder, "Hi {{ contact.given_name }}")
    people = [Contact(3, "ana", given_name="Ana", city=" " * (number + 1)) for number in range(600)]
    edition = one._ready(sending(people[0])).edition
    for each in people:
        one.message(sending(each))
    assert len(edition.shapes) == 256
    assert edition.made < 320
    assert one.message(sending(people[-1])) == by_itself(one, sending(people[-1]))


@pytest.mark.parametrize("asked", ["Olá", "{{ {'pt': 'Olá'}.get(contact.language) }}", "{{ range(3)|length }}"])
def test_what_asks_something_of_its_own_shares_a_shape_all_the_same(tmp_path: Path, asked: str) -> None:
    page = f"<p>{asked} {{{{ contact.given_name }}}}</p>"
    project = load(write_project(tmp_path, **{"templates/hello/email.html": page}), {})
    one = Renderer(project, signer=signer, link_id=len)
    sent = sending(Contact(3, "ana", given_name="Ana", language="pt"))
    assert one.message(sent) == by_itself(one, sent)
    assert len(one._ready(sent).edition.shapes) == 1


def test_editions_do_not_grow_without_end(folder: Path) -> None:
    one = written(folder)
    for number in range(300):
        contact = Contact(3, "ana", given_name="Ana", language=f"x{number % 70}")
        sent = dataclasses.replace(sending(contact), occurrence_key=str(date(2026, 1, 1 + number % 28)))
        if number % 10 == 0:
            one.message(sent)
    assert len(one._readies) <= 64


def test_threads_may_share_one(folder: Path) -> None:
    one = written(folder)
    people = [Contact(3, "ana", given_name=f"Ana{number}", city=ODD[number % 4] or "x") for number in range(40)]
    alone = [one.message(sending(each)) for each in people]
    found: list[Message] = []
    threads = [
        threading.Thread(target=lambda: found.extend(one.message(sending(each)) for each in people)) for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert {each.mime for each in found} == {each.mime for each in alone}


def test_a_boundary_cannot_be_brought_along(folder: Path) -> None:
    one = written(folder)
    token = signer.mail_token("message", 7)
    made = one.message(sending(Contact(3, "ana", given_name="Ana", city=f"--=_{'a' * 40}")))
    assert made.mime.count(f"=_{token}".encode()) == 4


def test_a_line_too_long_for_mail_goes_as_quoted_printable(folder: Path) -> None:
    made = written(folder).message(sending(Contact(3, "ana", given_name="Ana", city="x" * 1200)))
    assert b"quoted-printable" in made.mime
    assert max(map(len, made.mime.split(b"\r\n"))) <= 998
    assert made.mime == compose(dataclasses.replace(made, mime=b""))


@pytest.mark.parametrize("args", ["[1]", "'x', 1, 2", ""])
def test_what_a_branch_never_asks_for_fails_nobody(tmp_path: Path, args: str) -> None:
    source = "<p>Oi{% if contact.city %}{{ contact.traits.get(" + args + ") }}{% endif %}</p>"
    project = load(write_project(tmp_path, **{"templates/hello/email.html": source}), {})
    one = Renderer(project, signer=signer, link_id=len)
    assert one.message(sending(Contact(3, "ana"))).text == "Oi\n"
    with pytest.raises(RenderError, match=r"hello/email.html:1"):
        one.message(sending(Contact(3, "ana", city="x")))


def test_a_form_takes_its_values_in_any_order_and_number() -> None:
    made = form(f"a{gap(1)}b{gap(0)}{gap(1, 60)}")
    assert made.fill(["x", "y"]) == "aybxy"
    assert form("none").fill([]) == "none"
    assert bytes_form(gap(2).encode()).fill([b"", b"", "é".encode()]) == "é".encode()
    assert len(gap(3, 60)) == 60


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("x" * 10, 0),
        ("x" * 11, -1),
        (f"xx{gap(0)}", 8),
        (f"xx{gap(0)}{gap(1)}x\r\n{gap(0)}", 3),
        (gap(0) + "x" * 11, -1),
    ],
    ids=["full", "too long", "a gap", "two gaps", "a gap too long"],  # how a gap is spelt is new in every process
)
def test_the_room_for_values_is_what_the_fullest_line_leaves(text: str, left: int) -> None:
    assert room(text.encode(), 10) == left
