"""What cannot be is refused, with its place and what to write instead; several problems at once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.segment.conftest import MOMENT
from vinculo.errors import UsageError
from vinculo.segment import Segment, compile_segment, problems, references


def wrong(who: Any) -> list[tuple[tuple[Any, ...], str, str]]:
    return [found[1:] for found in problems({"a": Segment(name="a", who=who)})]


@pytest.mark.parametrize(
    ("who", "path", "says", "advises"),
    [
        ({"contry": "BR"}, ("who", "contry"), "no field `contry`", "Did you mean `country`?"),
        ({"hobby": 40}, ("who", "hobby"), "no field `hobby`", "traits: {hobby:"),
        ({"country": "Brasil"}, ("who", "country"), "`Brasil` cannot be", "`BR`"),
        ({"kind": "client"}, ("who", "kind"), "no `client`", "customer"),
        ({"country": ["BR", "PT"]}, ("who", "country"), "several values", "{in: [BR, PT]}"),
        ({"country": list("ABCDEFG")}, ("who", "country"), "several values", "{in: [A, B, C, D, E, …]}"),
        ({"country": ""}, ("who", "country"), "empty", "{is: missing}"),
        ({"country": {"at_leest": 3}}, ("who", "country", "at_leest"), "no `at_leest`", "Known"),
        ({"frequency": {">=": 3}}, ("who", "frequency", ">="), "no `>=`", "`at_least: …`"),
        ({"frequency": "many"}, ("who", "frequency"), "no number", "figures"),
        ({"frequency": float("nan")}, ("who", "frequency"), "no number", "figures"),
        ({"value": {"at_least": 1.999}}, ("who", "value", "at_least"), "no amount", "two decimals"),
        ({"frequency": {"between": [9, 3]}}, ("who", "frequency", "between"), "nothing is between", "Turn"),
        ({"first_seen": "2026-01-01"}, ("who", "first_seen"), "needs an operator", "after"),
        ({"first_seen": {"within": "soon"}}, ("who", "first_seen", "within"), "no length of time", "90 days"),
        ({"birthdate": {"before": "1.1.1990"}}, ("who", "birthdate", "before"), "no date", "2026-12-31"),
        ({"birthday": "tomorrow"}, ("who", "birthday"), "cannot be that", "in_next"),
        ({"did": {"evnt": "purchased"}}, ("who", "did"), "needs an event", "event: purchased"),
        ({"did": {"event": "bought"}}, ("who", "did", "event"), "no event `bought`", "Known"),
        ({"did": {"event": "purchase"}}, ("who", "did", "event"), "no event", "Did you mean `purchased`?"),
        ({"did": {"event": "opened", "whithin": "9 days"}}, ("who", "did", "whithin"), "`whithin`", "`within`"),
        ({"did": {"event": "opened", "at_least": 3, "at_most": 2}}, ("who", "did"), "at least 3 and at most 2", "Turn"),
        ({"did": {"event": "opened", "at_least": -1}}, ("who", "did", "at_least"), "no count", "whole number"),
        ({"did": {"event": "opened", "of_last": "5 letters"}}, ("who", "did", "of_last"), "counted", "newsletters"),
        (
            {"did": {"event": "purchased", "amount_at_least": "9 R$"}},
            ("who", "did", "amount_at_least"),
            "currency",
            "BRL",
        ),
        (
            {"did": {"event": "purchased", "amount_at_least": "9.50 CLP"}},
            ("who", "did", "amount_at_least"),
            "no amount",
            "at most 0 decimals, as CLP has",
        ),
        (
            {"did": {"event": "opened", "exactly": 1, "at_most": 2}},
            ("who", "did"),
            "already says how often",
            "Take one",
        ),
        ({"did": {"event": "opened", "before": "20261231"}}, ("who", "did", "before"), "no date", "90 days ago"),
        ({"sample": "10%", "salt": ["x"]}, ("who", "salt"), "must be text", "salt: autumn"),
        ({"never": {"event": "opened", "at_least": 2}}, ("who", "never"), "already says how often", "did:"),
        ({"consent": {"channel": "email"}}, ("who", "consent"), "needs a topic", "topic: news"),
        ({"sample": "ten"}, ("who", "sample"), "no share", "10%"),
        ({"sample": "120%"}, ("who", "sample"), "no share", "10%"),
        ({"preference": {"freqency": "weekly"}}, ("who", "preference"), "no preference", "`frequency`"),
        ({"traits": {'a"b': 1}}, ("who", "traits"), "trait's name", "quotes"),
        ({"any": []}, ("who", "any"), "nobody", "at least one"),
        ({"all": {"country": "BR"}}, ("who", "all"), "needs a list", "- "),
        ({"not": [{"country": "BR"}]}, ("who", "not"), "a key and a value", "`any:`"),
        ({}, ("who",), "a key and a value", "country: BR"),
    ],
)
def test_a_wrong_condition_is_told_with_place_and_remedy(who: Any, path: Any, says: str, advises: str) -> None:
    [(found, message, remedy)] = wrong(who)
    assert found == path
    assert says in message
    assert advises in remedy


def test_every_problem_of_a_tree_is_told_at_once() -> None:
    found = wrong({"all": [{"contry": "BR"}, {"any": [{"r": "x"}, {"did": {"event": "x", "within": "y"}}]}]})
    assert len(found) == 4


def test_circles_of_segments_are_told_with_their_way() -> None:
    segments = {
        "a": Segment(name="a", who={"not": {"segment": "b"}}),
        "b": Segment(name="b", who={"all": [{"segment": "a"}, {"country": "BR"}]}),
        "c": Segment(name="c", who={"segment": "a"}),
    }
    told = [(name, message) for name, _, message, _ in problems(segments)]
    assert told == [("a", "the segments go in a circle: a → b → a"), ("b", "the segments go in a circle: b → a → b")]


def test_what_a_segment_mentions_is_known_with_its_place() -> None:
    who = {"all": [{"segment": "b"}, {"consent": {"topic": "news", "channel": "sms"}}, {"reachable": "email"}]}
    assert references(Segment(name="a", who=who)) == [
        (("who", "all", 0, "segment"), "segment", "b"),
        (("who", "all", 1, "consent"), "topic", "news"),
        (("who", "all", 1, "consent"), "channel", "sms"),
        (("who", "all", 2, "reachable"), "channel", "email"),
    ]


def test_a_plain_amount_is_read_in_the_companys_currency() -> None:
    asked = {"value": {"at_least": 9.5}}, {"did": {"event": "purchased", "amount_at_least": 9.5}}
    for number, who in enumerate(asked):
        peso, real = (Segment(name="a", who=who, currency=currency) for currency in ("CLP", "BRL"))
        assert "as CLP has" in problems({"a": peso})[0][3], number
        assert problems({"a": real}) == []


def test_segments_in_a_circle_are_refused_when_they_are_compiled_too() -> None:
    circle = {"a": Segment(name="a", who={"segment": "b"}), "b": Segment(name="b", who={"segment": "a"})}
    with pytest.raises(UsageError, match="a → b → a"):
        compile_segment(circle, "a", MOMENT)
