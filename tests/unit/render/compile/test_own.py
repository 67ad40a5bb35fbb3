"""Our own values made for many messages at once are those that each would have alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.model import Contact
from vinculo.project import load
from vinculo.project.schema import Campaign
from vinculo.render import Renderer, RenderError, Sending
from vinculo.render.compile.own import Marks, Own
from vinculo.signing import Signer
from vinculo.testing.project import write_project

SIGNER = Signer("a secret key for these tests")
URLS = [Own.CLICK, Own.PIXEL, Own.UNSUBSCRIBE, Own.PREFERENCES, Own.VIEW, Own.SURVEY, Own.CONFIRM]
PLACES = st.sets(st.sampled_from([*URLS, Own.REPLY, Own.BOUNCE, Own.MESSAGE]))
NUMBER = st.integers(0, 2**64 - 1)


@settings(max_examples=40, deadline=None)
@given(PLACES, st.lists(st.tuples(NUMBER, NUMBER), max_size=40))
def test_many_are_what_each_is(needs: set[Own], pairs: list[tuple[int, int]]) -> None:
    marks = Marks(SIGNER, needs)
    made = marks.many(pairs)
    assert made == [marks(*pair) for pair in pairs]
    assert all({Own(place) for place, value in enumerate(own) if value} == needs for own in made)
    for (delivery, contact), own in zip(pairs, made, strict=True):
        if Own.PREFERENCES in needs:
            assert own[Own.PREFERENCES].decode() == SIGNER.token("preferences", contact)
        if Own.MESSAGE in needs:
            assert own[Own.MESSAGE].decode() == SIGNER.mail_token("message", delivery)


def test_messages_prepared_together_are_what_each_is_alone(tmp_path: Path) -> None:
    page = "<p>{{ contact.given_name }} <a href='https://a.example/'>a</a>{{ links.view }}</p>"
    project = load(write_project(tmp_path, **{"templates/hello/email.html": page, "templates/hello/sms.txt": "Hi"}), {})
    of = {"kind": "newsletter", "segment": "s", "topic": "news", "channels": ["email"]}
    good, bad = (
        Campaign.model_validate({"name": name, "template": template, **of})
        for name, template in (("weekly", "hello"), ("broken", "nowhere"))
    )
    at, day = datetime(2026, 12, 1, 12, tzinfo=UTC), "2026-12-01T09:00[UTC]"
    some = [
        Sending(
            number, f"k{number}", bad if number == 3 else good, day,
            Contact(90 + number, f"c{number}", given_name=f"Ana {number}", language=("pt", "en")[number % 2]),
            "sms" if number == 5 else "email", "a@b.example", "", {}, at, known=number % 3 > 0,
        )
        for number in range(1, 40)
    ]  # fmt: skip
    one, other = (Renderer(project, signer=SIGNER, link_id=len) for _ in range(2))
    prepared = one.prepare(some)
    assert prepared.keys() == {each.delivery_id for each in some} - {3}
    for each in some:
        if each.delivery_id in prepared:
            assert one.message(each, prepared=prepared[each.delivery_id]) == other.message(replace(each))
    with pytest.raises(RenderError, match="There is no template"):
        one.message(some[2])
