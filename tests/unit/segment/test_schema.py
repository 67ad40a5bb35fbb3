"""The JSON Schema and the program agree: what the program takes, an editor does not underline."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.segment.conftest import HOME
from tests.unit.segment.drawn import trees
from tests.unit.segment.test_agreement import EXAMPLES
from vinculo.project import lay_starter
from vinculo.project.checking.yaml import read
from vinculo.segment import Segment, json_schema, problems
from vinculo.segment.read.field import FIELDS, KEYS, OPERATORS

CHECK = jsonschema.Draft202012Validator(json_schema())
_WORDS = """|x|3|2.5|1e3|1_000| 3|10%|10 %|-5|2026-12-31|20261231|2026-W01-1|90 days|90 days ago|90|5 BRL|5 brl|5 newsletters
|5 letters|today|missing|given|purchased|pt|BR|customer|weekly|NaN|Infinity|999999999999999999999999999999"""
WORDS = st.sampled_from(_WORDS.replace("\n", "").split("|"))
NUMBERS = st.sampled_from([0, 1, -1, 2.5, 99.99, 101, 10**7, 10**20, 1e300, 20261231])
PLAIN = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS)
OPERATOR = st.sampled_from(sorted({one for known in OPERATORS.values() for one in known}))
OPTION = st.sampled_from([*json_schema()["$defs"]["did"]["properties"], "topic", "state", "salt"])
NAMES = OPERATOR | OPTION | st.sampled_from([*KEYS, "contry"])
JUNK = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in *value* that something else can be put into."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


def put(value: Any, path: tuple[Any, ...], what: Any, name: str | None) -> None:
    """Put *what* there; with a *name*, beside it."""
    for key in path[:-1]:
        value = value[key]
    value[name if name is not None and isinstance(value, dict) else path[-1]] = what


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    who: dict[str, Any] = copy.deepcopy(draw(trees))
    for _ in range(draw(st.integers(0, 2))):
        there = sorted(places(who), key=str)
        put(who, draw(st.sampled_from(there)), draw(JUNK), draw(st.none() | NAMES))
    return who


def taken(who: Any) -> bool:
    known = {name: Segment(name=name, who={"all": []}) for name in ("other", "byhand")}
    return problems({**known, "a": Segment(name="a", who=who, currency=HOME)}) == []


@given(who=mutants())
@settings(max_examples=20 * EXAMPLES, deadline=None)
def test_what_the_program_takes_the_schema_takes(who: dict[str, Any]) -> None:
    wrong = list(CHECK.iter_errors({"who": who}))
    assert not (wrong and taken(who)), (who, wrong[0].message)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_of_each_field_both_refuse_what_has_no_such_form(name: str) -> None:
    known = OPERATORS[FIELDS[name].kind]
    others = {one for ops in OPERATORS.values() for one in ops} - set(known)
    wrong: list[Any] = [None, True, [], {}, ["a"], {"in": "a"}, {"in": []}, {"is": "gone"}, {"at_leest": 1}]
    wrong += (
        [{operator: 1} for operator in sorted(others)] + [{one: {}} for one in known] + [{one: None} for one in known]
    )
    for value in wrong:
        assert not taken({name: value}), value
        assert not CHECK.is_valid({"who": {name: value}}), value


@pytest.mark.parametrize(
    "who",
    [
        *({}, None, {"contry": "BR"}, {"all": {}}, {"all": {"country": "BR"}}, {"any": []}, {"not": []}),
        *({"salt": "x"}, {"sample": "ten"}, {"sample": 101}, {"sample": -1}, {"sample": "1e1%"}, {"sample": True}),
        *({"sample": "10%", "salt": ["x"]}, {"sample": "10%", "salt": True}),
        *({"traits": "size"}, {"traits": {}}, {"traits": {"size": ["G"]}}, {"traits": {"size": {"biggest": 3}}}),
        *({"traits": {"size": {"in": []}}}, {"traits": {"size": {"at_least": "G"}}}, {"traits": {"size": ""}}),
        *({"traits": {"size": {"contains": "G", "at_least": 1}}}, {"traits": {"size": {"in": [["G"]]}}}),
        *({"preference": {"freqency": "weekly"}}, {"preference": {}}, {"preference": "weekly"}),
        *({"birthday": "tomorrow"}, {"birthday": {"in_next": 7}}, {"birthday": {"within": "7 days"}}),
        *({"consent": {}}, {"consent": {"channel": "email"}}, {"consent": ["news"]}, {"consent": ""}),
        *({"consent": {"topic": "news", "chanel": "email"}}, {"consent": {"topic": "news", "state": "gone"}}),
        *({"reachable": []}, {"reachable": {"in": []}}, {"reachable": {"in": "sms"}}, {"reachable": {"on": ["sms"]}}),
        *({"segment": ["staff"]}, {"segment": {"in": ["staff"]}}, {"segment": ""}),
        *({"did": "bought"}, {"did": []}, {"did": {}}, {"did": {"within": "90 days"}}, {"did": ["opened", "bought"]}),
        *({"did": {"event": {"in": ["opened"]}}}, {"did": {"event": "opened", "whithin": "9 days"}}),
        *({"did": {"event": "opened", "within": 90}}, {"did": {"event": "opened", "within": "90"}}),
        *({"did": {"event": "opened", "at_least": "3"}}, {"did": {"event": "opened", "at_least": -1}}),
        *({"did": {"event": "opened", "at_least": 2.5}}, {"did": {"event": "opened", "exactly": 10**7}}),
        *({"did": {"event": "opened", "exactly": 2, "at_least": 1}}, {"did": {"event": "opened", "before": 20261231}}),
        *({"did": {"event": "opened", "of_last": 5}}, {"did": {"event": "opened", "of_last": "5 letters"}}),
        *({"did": {"event": "purchased", "amount_at_least": "9 R$"}}, {"did": {"event": "purchased", "channel": []}}),
        *({"did": {"event": "purchased", "amount_at_least": "1_000"}}, {"did": {"event": "opened", "then": {}}}),
        *(
            {"did": {"event": "opened", "then": {"event": "purchased", "before": "9 days"}}},
            {"did": {"then": "opened"}},
        ),
        *({"never": {"event": "opened", "at_least": 2}}, {"never": {"event": "opened", "exactly": 0}}, {"never": []}),
        *({"birthdate": {"before": "1.1.1990"}}, {"birthdate": {"before": "19900101"}}, {"first_seen": "2026-01-01"}),
        *({"value": {"at_least": "1_000"}}, {"value": "500 EUR"}, {"frequency": "3"}, {"nps": {"between": [1]}}),
    ],
    ids=repr,
)
def test_what_has_no_such_form_both_refuse(who: Any) -> None:
    assert not taken(who)
    assert not CHECK.is_valid({"who": who})


def test_the_segments_of_this_repository_and_of_a_starter_are_as_the_schema_says(tmp_path: Path) -> None:
    lay_starter(tmp_path / "shop")
    for home in (Path(__file__).parents[3], tmp_path / "shop"):
        files = sorted((home / "segments").glob("*.yaml"))
        assert files
        for file in files:
            document = read(file.name, file.read_text(encoding="utf-8"))
            assert (document.problems, list(CHECK.iter_errors(document.data))) == ([], []), file


def test_whatever_is_wrong_is_refused_with_what_to_write_instead() -> None:
    known = ("all", "any", "not", "did", "never", "consent", "reachable", "sample", "traits", "preference", "birthday")
    for key in (*known, "segment", *FIELDS):
        wrong: tuple[Any, ...] = (None, [], {}, {"no": 1}, True)
        for value in wrong:
            if (key == "all" and value == []) or (key == "traits" and value == {"no": 1}):
                continue
            found = problems({"a": Segment(name="a", who={key: value}, currency=HOME)})
            assert found, (key, value)
            assert all(remedy for *_, remedy in found), (key, value, found)


@pytest.mark.parametrize(
    "who",
    [
        *({"city": 2.5}, {"city": {"in": ["a", 1, 2.5]}}, {"value": {"at_least": "199.90"}}, {"segment": 2026}),
        *({"sample": "10 %", "salt": 5}, {"consent": {"topic": 2026}}, {"reachable": [1, "sms"]}, {"key": "7"}),
        *({"traits": {"size": {"in": [38, "GG", True]}}}, {"traits": {"cups": {"between": [1, 2.5]}}}),
        *(
            {"did": {"event": "purchased", "amount_at_least": "-1.5 BRL"}},
            {"did": {"event": ["opened"], "campaign": 7}},
        ),
        *({"did": {"event": "opened", "of_last": "2  socials"}}, {"first_seen": {"before": "90 days ago "}}),
    ],
    ids=repr,
)
def test_what_few_write_both_take(who: dict[str, Any]) -> None:
    assert "segment" in who or taken(who)  # which segments there are, is not the schema's
    assert CHECK.is_valid({"who": who})
