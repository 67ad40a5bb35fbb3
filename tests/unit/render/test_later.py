"""What is left out of a message until it is asked for is what would have been in it."""

from __future__ import annotations

import copy
import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest

from tests.unit.render.compile.test_edition import sending
from vinculo.model import Contact, Message
from vinculo.project import load
from vinculo.render import Renderer
from vinculo.signing import Signer
from vinculo.testing.project import write_project

signer = Signer("a secret key for these tests")
ANA = Contact(3, "ana", given_name="Ana & José", city="São Paulo")
TEMPLATE = "<title>{{ contact.given_name }}</title><p>{{ contact.city }}</p><a href='{{ links.view }}'>see</a>"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    root: Path = tmp_path_factory.mktemp("house")
    return Renderer(
        load(write_project(root, **{"templates/hello/email.html": TEMPLATE}), {}), signer=signer, link_id=len
    )


def made(one: Renderer) -> Message:
    return one.message(sending(ANA))


def test_words_come_when_they_are_asked_for(one: Renderer) -> None:
    message = made(one)
    assert f'<p>São Paulo</p><a href="{one.web}/view/{signer.token("view", 7)}">see</a>' in message.html
    assert message.text == f"São Paulo\n\nsee <{one.web}/view/{signer.token('view', 7)}>\n"
    assert message.reply_to.partition("+")[2].startswith(signer.mail_token("reply", 7))
    assert dict(message.headers)["Date"] == "Tue, 01 Dec 2026 12:00:00 +0000"


def test_a_message_is_its_words_whether_they_were_asked_for_or_not(one: Renderer) -> None:
    whole = Message(*(getattr(made(one), each.name) for each in fields(Message)))
    assert made(one) == whole
    assert repr(made(one)) == repr(whole)
    assert hash(made(one)) == hash(whole)
    assert pickle.loads(pickle.dumps(made(one))) == copy.deepcopy(made(one)) == whole


def test_a_message_with_other_content_may_not_follow_data_as_it_is(one: Renderer) -> None:
    message = made(one)
    assert message.smooth is message.mime
    assert replace(message, mime=b"\r\n.\r\n").smooth is None


def test_what_is_no_field_is_no_attribute(one: Renderer) -> None:
    with pytest.raises(AttributeError, match="nickname"):
        _ = made(one).nickname  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="assign"):
        made(one).text = "other"  # type: ignore[misc]
