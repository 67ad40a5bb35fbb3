"""Random segments over random people: SQL on both databases and plain Python must choose the same contacts."""

from __future__ import annotations

import os
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.segment.conftest import HOME, MOMENT, NOW, Person, World, write
from tests.unit.segment.drawn import BY_HAND, others, trees, worlds
from tests.unit.segment.oracle import Oracle
from vinculo.model import EventKind, Moment
from vinculo.segment import Segment, compile_segment, explain, explain_contact, problems, sql

#: Each is a world with six segments over it. A thousand take some minutes: VINCULO_EXAMPLES=1000.
EXAMPLES = int(os.environ.get("VINCULO_EXAMPLES", "25"))


@given(world=worlds, whos=st.lists(trees, min_size=6, max_size=6), other=others)
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],  # shrinking a world takes minutes; a failure is small enough to read
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_sql_and_plain_python_choose_the_same_contacts(
    engine: sa.Engine, world: World, whos: list[dict[str, Any]], other: dict[str, Any]
) -> None:
    asked = {f"s{number}": who for number, who in enumerate(whos)} | {"other": other}
    segments = {name: Segment(name=name, who=who, currency=HOME) for name, who in asked.items()}
    segments["byhand"] = BY_HAND
    moment = Moment(NOW, world.today)
    assert problems(segments) == []
    oracle = Oracle(world, asked)
    with engine.begin() as db:
        write(db, world)
        for name in asked:
            expected = oracle.members(name)
            found = db.scalars(compile_segment(segments, name, moment)).all()
            assert sorted(found) == sorted(expected), asked[name]
            for person in world.people[:2]:
                verdicts = explain_contact(db, segments, name, moment, person.id)
                assert verdicts[0].holds == (person.id in expected)
            assert len(verdicts) == 2 + len(explain(segments, name, "pt"))


@pytest.mark.parametrize("name", ["né", "ação", "größe", "名", "shoe size"])
def test_a_trait_with_any_letters_in_its_name_is_found(engine: sa.Engine, name: str) -> None:
    world = World([Person(1, traits={name: "ç"}), Person(2, traits={name: ""}), Person(3)])
    asked = {"there": {"traits": {name: {"is": "present"}}}, "same": {"traits": {name: "ç"}}}
    segments = {key: Segment(name=key, who=who) for key, who in asked.items()}
    with engine.begin() as db:
        write(db, world)
        assert [set(db.execute(compile_segment(segments, key, MOMENT)).scalars()) for key in asked] == [{1}, {1}]


@given(who=trees, other=others)
@settings(max_examples=EXAMPLES, deadline=None)
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_nothing_that_a_file_says_stands_in_the_text_of_the_query(
    who: dict[str, Any], other: dict[str, Any], dialect: str
) -> None:
    from vinculo.segment.wording.verdict import _DIALECTS

    segments = {"a": Segment(name="a", who=who), "other": Segment(name="other", who=other), "byhand": BY_HAND}
    text = str(compile_segment(segments, "a", MOMENT).compile(dialect=_DIALECTS[dialect]()))
    literals = {part for number, part in enumerate(text.split("'")) if number % 2}
    assert literals <= {
        "$.",
        "text",
        "string",
        "number",
        "boolean",
        "integer",
        "real",
        "true",
        "false",
        "null",
        "",
        "vip",  # of BY_HAND, whose SQL stands as it is
    } | set(EventKind)
    assert sql(segments, "a", MOMENT, dialect).startswith("SELECT")
