"""Random segments over random people: SQL on both databases and plain Python must choose the same contacts."""

from __future__ import annotations

import os
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.segment.conftest import HOME, MOMENT, NOW, Person, World, write
from tests.unit.segment.oracle import Oracle
from vinculo.model import EventKind
from vinculo.segment import Segment, compile_segment, explain, explain_contact, problems, sql

#: Each is a world with six segments over it. A thousand take some minutes: VINCULO_EXAMPLES=1000.
EXAMPLES = int(os.environ.get("VINCULO_EXAMPLES", "25"))
WORDS = st.sampled_from(["ana", "Ana", "São Paulo", "a%", "o'x", "50%", "x_y", "\\", ":now", '"', "né"])
CHANNELS = st.sampled_from(["email", "sms"])
STATES = st.sampled_from(["given", "withdrawn", "expired", "none"])
TOPICS = st.sampled_from(["news", "offers"])
EVENTS = st.sampled_from(["purchased", "opened", "clicked", "sent"])
CAMPAIGNS = st.sampled_from(["weekly", "promo"])
SLOTS = st.sampled_from(["a", "b", "c", "d"])
SPANS = st.sampled_from(["1 day", "30 days", "90 days", "1 year"])
DATES = st.sampled_from(["2026-11-01", "2026-12-01", "2000-02-29", "1990-12-01", "2027-01-01"])
AGO = st.sampled_from(["30 days ago", "90 days ago", "1 year ago"])
SMALL = st.integers(0, 4)
#: Other systems call anything a score.
SCORE = SMALL | st.sampled_from(["great", 9.5, 10**12, [1], None])
TRAITS = st.sampled_from(["size", "shoe size", "né"])
INSTANTS = st.sampled_from(
    [NOW + timedelta(seconds=s) for s in (1, 0, -1, -86_400, -86_401, -43_200, -43_201)]
    + [NOW - timedelta(days=d) for d in (7, 30, 31, 90, 200, 365, 500)]
)

people = st.builds(
    Person,
    id=st.just(0),
    facts=st.fixed_dictionaries(
        {},
        optional={
            "kind": st.sampled_from(["customer", "lead", "staff"]),
            "country": st.sampled_from(["BR", "PT", ""]),
            "language": st.sampled_from(["pt", "pt-BR", "ptx", "en", ""]),
            "given_name": WORDS,
            "city": WORDS,
            "first_seen": INSTANTS,
            "birthdate": st.sampled_from(
                [date(1990, 12, 1), date(1990, 12, 7), date(1990, 12, 8), date(2000, 2, 29), None]
            ),
        },
    ),
    tags=st.lists(st.sampled_from(["vip", "old"]), max_size=2),
    traits=st.dictionaries(
        TRAITS,
        st.one_of(st.sampled_from(["G", "42", "", "0"]), SMALL, st.booleans(), st.none(), st.floats(0, 5)),
        max_size=3,
    ),
    score=st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "frequency": SMALL,
            "value": st.integers(0, 400),
            "recency": st.none() | st.sampled_from([0.5, 3.0]),
            "r": st.none() | SMALL,
            "stage": st.sampled_from(["loyal", "lost", ""]),
            "next_at": st.none() | st.sampled_from([NOW + timedelta(seconds=s) for s in (-1, 0, 1, 86_400, 86_401)]),
        },
    ),
    events=st.lists(
        st.fixed_dictionaries(
            {"kind": st.just("surveyed"), "at": INSTANTS},
            optional={
                "data": st.fixed_dictionaries({}, optional={"kind": st.sampled_from(["nps", "csat"]), "score": SCORE})
            },
        )
        | st.fixed_dictionaries(
            {"kind": EVENTS, "at": INSTANTS},
            optional={
                "campaign": CAMPAIGNS,
                "occurrence": SLOTS,
                "channel": CHANNELS,
                "amount": st.none() | st.integers(0, 300),
                "worth": st.none() | st.integers(0, 900),
                "currency": st.sampled_from(["BRL", "USD", ""]),
            },
        ),
        max_size=9,
    ),
    permissions=st.dictionaries(
        st.tuples(CHANNELS, TOPICS),
        st.tuples(st.booleans(), st.sampled_from([None, NOW, NOW + timedelta(seconds=1)])),
        max_size=3,
    ),
    addresses=st.lists(st.tuples(CHANNELS, st.sampled_from(["x", "y"])), max_size=3),
    preferences=st.dictionaries(
        st.sampled_from(["frequency", "channel"]), st.sampled_from(["weekly", "email", ""]), max_size=2
    ),
    erased=st.sampled_from([False, False, False, True]),
)
worlds = st.builds(
    World,
    people=st.lists(people, min_size=1, max_size=5).map(
        lambda found: [Person(**{**vars(p), "id": n}) for n, p in enumerate(found, start=1)]
    ),
    occurrences=st.lists(
        st.tuples(CAMPAIGNS, SLOTS, st.sampled_from(["newsletter", "promotion"]), INSTANTS, st.booleans()),
        max_size=6,
        unique_by=lambda o: o[:2],
    ),
    suppressed=st.sets(st.tuples(CHANNELS, st.sampled_from(["x", "y"])), max_size=2),
)


def ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(["at_least", "at_most", "more_than", "less_than"])
    return st.one_of(
        st.dictionaries(one, values, min_size=1, max_size=2),
        st.tuples(values, values).map(lambda two: {"between": sorted(two)}),
        st.lists(values, min_size=1, max_size=2).map(lambda some: {"in": some}),
    )


presence = st.sampled_from(["missing", "present"]).map(lambda value: {"is": value})
texts = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=2).map(lambda some: {"in": some}),
    WORDS.map(lambda word: {"contains": word}),
    WORDS.map(lambda word: {"starts_with": word}),
    presence,
)
dids = st.fixed_dictionaries(
    {"event": EVENTS | st.lists(EVENTS, min_size=1, max_size=2)},
    optional={
        "within": SPANS,
        "before": DATES | AGO,
        "after": DATES | AGO,
        "campaign": CAMPAIGNS,
        "channel": CHANNELS,
        "of_last": st.sampled_from(["1 newsletters", "2 newsletters", "2 promotions"]),
        "then": EVENTS | st.fixed_dictionaries({"event": EVENTS}, optional={"within": SPANS}),
    },
).flatmap(
    lambda base: st.sampled_from(
        [
            {},
            {"at_least": 2},
            {"at_least": 3},
            {"at_least": 6},
            {"at_least": 0},
            {"at_most": 0},
            {"at_most": 1},
            {"exactly": 0},
            {"exactly": 2},
            {"amount_at_least": 2},
            {"amount_at_least": "1.50 BRL"},
            {"amount_at_least": "1.50 USD"},
            {"amount_at_least": "1 USD", "at_most": 1},
            {"amount_at_least": 1, "at_most": 2},
        ]
    ).map(lambda count: {**base, **count})
)
numbers = st.one_of(SMALL, ranges(SMALL), presence)
leaves = st.one_of(
    dids.map(lambda did: {"did": did}),
    EVENTS.map(lambda event: {"did": event}),
    EVENTS.map(lambda event: {"never": event}),
    st.fixed_dictionaries({"event": EVENTS}, optional={"within": SPANS, "after": DATES}).map(
        lambda did: {"never": did}
    ),
    st.sampled_from(["frequency", "recency", "r", "value", "nps", "csat"]).flatmap(
        lambda f: numbers.map(lambda n: {f: n})
    ),
    st.sampled_from(["given_name", "city"]).flatmap(lambda f: texts.map(lambda t: {f: t})),
    st.sampled_from([{"stage": "loyal"}, {"stage": {"in": ["loyal", "lost"]}}, {"stage": {"is": "missing"}}]),
    st.sampled_from([{"kind": "staff"}, {"country": "BR"}, {"language": "pt"}, {"country": "PT", "kind": "lead"}]),
    st.sampled_from([{"tag": "vip"}, {"tag": {"in": ["vip", "old"]}}, {"tag": {"is": "missing"}}]),
    TRAITS.flatmap(
        lambda name: st.one_of(
            st.sampled_from(["G", "42", True, False, 0, 1]), numbers, st.just({"contains": "4"}), presence
        ).map(lambda value: {"traits": {name: value}})
    ),
    st.sampled_from([{"birthday": "today"}, {"birthday": {"in_next": "7 days"}}, {"birthday": {"in_next": "90 days"}}]),
    st.sampled_from(
        [
            {"birthdate": {"before": "1995-01-01"}},
            {"birthdate": {"after": "1990-12-07"}},
            {"birthdate": {"is": "missing"}},
            {"birthdate": {"between": ["1990-12-02", "2000-02-29"]}},
        ]
    ),
    st.one_of(
        SPANS.map(lambda span: {"first_seen": {"within": span}}),
        (DATES | AGO).map(lambda day: {"first_seen": {"before": day}}),
        (DATES | AGO).map(lambda day: {"first_seen": {"after": day}}),
    ),
    st.one_of(
        SPANS.map(lambda span: {"next_at": {"in_next": span}}),
        DATES.map(lambda day: {"next_at": {"before": day}}),
        DATES.map(lambda day: {"next_at": {"after": day}}),
        presence.map(lambda is_there: {"next_at": is_there}),
    ),
    # Two about one kind, which one fact answers.
    st.tuples(EVENTS, SPANS, SPANS, st.integers(1, 6), st.booleans()).map(
        lambda two: {
            "all": [
                {"did": {"event": two[0], "at_least": two[3], **({"within": two[1]} if two[4] else {})}},
                {"never": {"event": two[0], "within": two[2]}},
            ]
        }
    ),
    TOPICS.map(lambda topic: {"consent": topic}),
    st.fixed_dictionaries({"topic": TOPICS}, optional={"channel": CHANNELS, "state": STATES}).map(
        lambda asked: {"consent": asked}
    ),
    CHANNELS.map(lambda channel: {"reachable": channel}),
    st.just({"reachable": {"in": ["email", "sms"]}}),
    st.sampled_from([{"preference": {"frequency": "weekly"}}, {"preference": {"channel": {"is": "missing"}}}]),
    st.sampled_from([{"sample": "50%"}, {"sample": "30%", "salt": "x"}, {"sample": "100%"}, {"sample": "0%"}]),
    st.just({"segment": "other"}),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
others = leaves.filter(lambda leaf: "segment" not in leaf)


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
    assert problems(segments) == []
    oracle = Oracle(world, asked)
    with engine.begin() as db:
        write(db, world)
        for name in asked:
            expected = oracle.members(name)
            found = db.scalars(compile_segment(segments, name, MOMENT)).all()
            assert sorted(found) == sorted(expected), asked[name]
            for person in world.people[:2]:
                verdicts = explain_contact(db, segments, name, MOMENT, person.id)
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

    segments = {"a": Segment(name="a", who=who), "other": Segment(name="other", who=other)}
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
    } | set(EventKind)
    assert sql(segments, "a", MOMENT, dialect).startswith("SELECT")
