"""What a template does not ask for is not loaded; whatever it could ask for is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vinculo.contacts import EVERYTHING
from vinculo.model import NOTHING, Address, Contact
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import Renderer, RenderError, Sending
from vinculo.signing import Signer
from vinculo.testing.project import write_project

NAMES = "contact.name contact.given_name contact.city contact.language contact.timezone contact.birthdate contact.owner"
CAMPAIGN = {"name": "weekly", "kind": "newsletter", "segment": "s", "topic": "news", "channels": ["email"]}
ANA = Contact(
    3, "ana", given_name="Ana", language="pt", country="BR", stage="active", first_seen=datetime(2026, 1, 1, tzinfo=UTC),
    addresses=(Address("email", "ana@b.example"),), tags=frozenset({"gold", "tea"}), traits={"brew": "v60"},
)  # fmt: skip
SCORE = {"value": 42}
PART = {
    "templates/_base/part.html": "{{ contact.tags|join }}",
    "templates/_base/cell.html": "{% macro of(x) %}{{ x }}{{ contact.traits.brew }}{% endmacro %}",
}


def renderer(folder: Path, source: str, **files: str) -> Renderer:
    written = {"templates/hello/email.html": f"<p>Hi {source}</p>", **PART, **files}
    return Renderer(load(write_project(folder, **written), {}), signer=Signer("a secret for tests"), link_id=len)


def campaign(**fields: Any) -> Campaign:
    return Campaign.model_validate({**CAMPAIGN, "template": "hello", **fields})


def as_loaded(asked: frozenset[str]) -> tuple[Contact, Any]:
    """Ana as the store gives her."""
    left = {"addresses": (), "first_seen": None, "tags": frozenset(), "traits": NOTHING}
    contact = replace(ANA, **{name: value for name, value in left.items() if name not in asked})
    return (contact, SCORE) if "score" in asked else (replace(contact, stage=""), NOTHING)


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("no more", set()),
        ("".join(f"{{{{ {name} }}}}" for name in NAMES.split()), set()),
        ("our tags, your score, a contact.traits in the text", set()),
        ("{# contact.tags #}{% raw %}{{ score }}{% endraw %}", set()),
        ("{{ contact.tags|join }}", {"tags"}),
        ("{{ contact . traits\n.brew }}", {"traits"}),
        ('{%- if contact.traits.get("brew") -%}!{%- endif -%}', {"traits"}),
        ("{% for tag in contact.tags %}{{ tag }}{% endfor %}", {"tags"}),
        ("{{ contact.addresses.email }}", {"addresses"}),
        ("{{ contact.first_seen|date }}", {"first_seen"}),
        ("{{ contact.stage }}", {"score"}),
        ("{{ score.value }}", {"score"}),
        ("{{ {'a': {'b': 1}}.a.b ~ score.value }}", {"score"}),
        ("{{ '}}' ~ contact.tags|join }}", {"tags"}),
        ("{{ contact['tags']|join }}", EVERYTHING),
        ("{% set it = contact %}{{ it.tags|join }}", EVERYTHING),
        ("{{ contact.get('stage') }}", EVERYTHING),
        ("{% for name, value in contact|dictsort %}{{ name }}{% endfor %}", EVERYTHING),
        ("{% include '_base/part.html' %}", {"tags"}),
        ('{% include "_base/part.html" ignore missing with context %}', {"tags"}),
        ("{% include ['_base/none.html', '_base/part.html'] %}", EVERYTHING),
        ("{% include '_base/cell.html' if not contact.name else '_base/part.html' %}", EVERYTHING),
        ("{% include '_base/' ~ 'part.html' %}", EVERYTHING),
        ("{% set file = '_base/part.html' %}{% include '_base/cell.html' and file %}", EVERYTHING),
        ("{% set file = '_base/part.html' %}{% include file %}", EVERYTHING),
        ("{% from '_base/cell.html' import of %}{{ of(1) }}", {"traits"}),
        ("{% from '_base/cell.html' import of as f with context %}{{ f(score.value) }}", {"score", "traits"}),
        ("{% from '_base/cell.html' import of %}{{ of(contact|length) }}", EVERYTHING),
    ],
)
def test_what_a_template_may_ask_for_is_found_and_its_message_is_the_same(
    tmp_path: Path, source: str, asked: set[str]
) -> None:
    one = renderer(tmp_path, source)
    found = one.asks(campaign(), "email")
    assert found == asked
    contact, score = as_loaded(found)
    sending = Sending(
        7, "k", campaign(), "2026-12-01T09:00[UTC]", ANA, "email", "a@b.example", "", SCORE,
        datetime(2026, 12, 1, 12, tzinfo=UTC),
    )  # fmt: skip
    whole = one.message(sending)
    assert one.message(replace(sending, contact=contact, score=score)) == whole
    for part in found if found != EVERYTHING else ():  # each is needed
        contact, score = as_loaded(found - {part})
        try:
            assert one.message(replace(sending, contact=contact, score=score)) != whole
        except RenderError:  # that is another message, too
            continue


def test_all_languages_variants_subjects_and_text_parts_of_a_channel_count(tmp_path: Path) -> None:
    files = {
        "templates/hello/email.es.html": "<p>{{ contact.tags|join }}</p>",
        "templates/hello/email.txt": "{{ contact.first_seen }}",
        "templates/hello/sms.txt": "{{ contact.addresses.sms }}",
        "templates/other/email.html": "<p>{{ contact.traits.brew }}</p>",
        "templates/other/sample.yaml": "{}",
    }
    one = renderer(tmp_path, "", **files)
    assert one.asks(campaign(), "email") == {"tags", "first_seen"}
    assert one.asks(campaign(), "sms") == {"addresses"}
    split = {"a": {"share": "50%", "template": "other"}, "b": {"share": "50%", "subject": "{{ score.value }}"}}
    assert one.asks(campaign(variants=split), "email") == {"first_seen", "score", "tags", "traits"}


@pytest.mark.parametrize("source", ["{% include '_base/nowhere.html' %}", "{% extends '../x.html' %}"])
def test_what_cannot_be_read_may_ask_for_everything(tmp_path: Path, source: str) -> None:
    assert renderer(tmp_path, source).asks(campaign(), "email") == EVERYTHING


def test_what_is_rendered_is_what_was_asked_for_when_a_file_is_written_anew_meanwhile(tmp_path: Path) -> None:
    """A language that is met for the first time after an hour is read as it was when its contacts were looked up."""
    other = "templates/hello/email.es.html"
    one = renderer(tmp_path, "", **{other: "<p>Hola {{ contact.name }}</p>"})
    contact, score = as_loaded(one.asks(campaign(), "email"))
    (tmp_path / other).write_text("<p>{{ 'gold' if contact.tags else 'no gold' }}</p>")
    sending = Sending(
        7, "k", campaign(), "2026-12-01T09:00[UTC]", replace(contact, language="es"), "email", "a@b.example", "", score,
        datetime(2026, 12, 1, 12, tzinfo=UTC),
    )  # fmt: skip
    assert one.message(sending).text.strip() == "Hola Ana"
