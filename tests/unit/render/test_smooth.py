"""A message that is said to need no stuffing of dots needs none."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail.envelope import wire_content
from vinculo.mail.smtp.letter import Letter
from vinculo.model import Contact, Message
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import Renderer, RenderError, Sending, preview_renderer
from vinculo.testing.project import write_project

TEMPLATE = "<html><head><title>{{ contact.given_name }}</title></head><body><p>{{ contact.city }}</p>\n{% if contact.region %}.{% endif %}{{ contact.country }}</body></html>"
CAMPAIGN = Campaign.model_validate(
    {"name": "w", "kind": "service", "segment": "s", "topic": "service", "channels": ["email"], "template": "hello"}
)
TEXTS = st.text(st.sampled_from(".a\r\n<&é"), max_size=4)


def renderer(root: Path, text: str | None = None) -> Renderer:
    files: dict[str, str | bytes | None] = {"templates/hello/email.html": TEMPLATE, "templates/hello/email.txt": text}
    write_project(root, **files)
    return preview_renderer(load(root, {"VINCULO__SECRET_KEY": "a secret key for these tests"}))


def rendered(by: Renderer, **fields: str) -> Message:
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    contact = Contact(1, "c", **fields)  # type: ignore[arg-type]
    return by.message(Sending(7, "k", CAMPAIGN, "2026-12-01T09:00[UTC]", contact, "email", "a@b.example", "", {}, at))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return renderer(tmp_path_factory.mktemp("house"))


def test_an_ordinary_message_is_smooth_and_leaves_as_any_other_would(house: Renderer) -> None:
    message = rendered(house, given_name="Ana", city="São Paulo", country="BR")
    assert message.smooth is message.mime
    assert b"".join(Letter(message).data()) == wire_content(bytes(message.mime))


def test_a_value_or_a_template_that_begins_a_line_with_a_dot_is_seen(house: Renderer) -> None:
    for fields in ({"city": ".hidden", "country": "x"}, {"region": "r", "country": "x"}):
        message = rendered(house, **fields)
        assert message.smooth is None
        assert b"\r\n.." in b"".join(Letter(message).data())


def test_a_text_part_of_its_own_that_begins_a_line_with_a_dot_is_seen(tmp_path: Path) -> None:
    message = rendered(renderer(tmp_path, "one\n.{{ contact.country }}\n"), country="x")
    assert message.smooth is None


@settings(deadline=None, max_examples=100)
@given(values=st.lists(TEXTS, min_size=4, max_size=4))
def test_whatever_the_values_are_it_leaves_as_the_careful_way_makes_it(house: Renderer, values: list[str]) -> None:
    fields = dict(zip(("given_name", "city", "region", "country"), values, strict=True))
    try:
        message = rendered(house, **fields)
    except RenderError:  # it says nothing
        return
    assert b"".join(Letter(message).data()) == wire_content(bytes(message.mime))


def test_headers_that_are_not_ascii_are_seen(tmp_path: Path) -> None:
    write_project(tmp_path, **{"templates/hello/email.html": TEMPLATE})
    settings = tmp_path / "vinculo.toml"
    settings.write_text(re.sub(r"(?m)^reply_email = .*$", 'reply_email = "ação@shop.example"', settings.read_text()))
    one = preview_renderer(load(tmp_path, {"VINCULO__SECRET_KEY": "a secret key for these tests"}))
    message = rendered(one, country="x")
    assert message.smooth is None
    assert Letter(message).utf8
