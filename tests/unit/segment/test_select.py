"""Combinations that chance seldom makes."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

import sqlalchemy as sa

from tests.unit.segment.conftest import MOMENT, NOW, Person, World, write
from vinculo.segment import Segment, compile_segment, explain_contact, sql


def _found(engine: sa.Engine, world: World, who: dict[str, Any]) -> list[int]:
    segments = {"asked": Segment(name="asked", who=who, currency="BRL")}
    with engine.begin() as db:
        write(db, world)
        found = sorted(db.scalars(compile_segment(segments, "asked", MOMENT)))
        held = [each.id for each in world.people if explain_contact(db, segments, "asked", MOMENT, each.id)[0].holds]
    assert found == held
    return found


def _events(kind: str, number: int, **also: Any) -> list[dict[str, Any]]:
    return [{"kind": kind, "at": NOW - timedelta(days=each + 1), **also} for each in range(number)]


def test_so_many_answers_to_a_campaign_are_counted_from_below_and_from_above(engine: sa.Engine) -> None:
    people = [
        Person(number, events=_events("opened", number, campaign="weekly", occurrence="a")) for number in range(5)
    ]
    asked = {"event": "opened", "campaign": "weekly"}
    for figures, right in (
        ({"exactly": 2}, [2]),
        ({"at_least": 1, "at_most": 2}, [1, 2]),
        ({"at_least": 2, "at_most": 3}, [2, 3]),
    ):
        assert _found(engine, World(people[1:]), {"did": {**asked, **figures}}) == right


def test_so_many_answers_to_the_last_newsletters_are_counted_from_below_and_from_above(engine: sa.Engine) -> None:
    def opened(*occurrences: str) -> list[dict[str, Any]]:
        return [each for name in occurrences for each in _events("opened", 1, campaign="weekly", occurrence=name)]

    sent = [("weekly", name, "newsletter", NOW - timedelta(days=9 - n), True) for n, name in enumerate("abc")]
    people = [
        Person(1, events=opened("a")),
        Person(2, events=opened("a", "b")),
        Person(3, events=opened("a", "b", "c")),
    ]
    asked = {"event": "opened", "of_last": "3 newsletters"}
    assert _found(engine, World(people, sent), {"did": {**asked, "at_least": 1, "at_most": 2}}) == [1, 2]
    assert _found(engine, World(people, sent), {"did": {**asked, "exactly": 2}}) == [2]


def test_who_never_did_it_since_a_day_to_come_is_found_once(engine: sa.Engine) -> None:
    later = {"kind": "purchased", "at": NOW + timedelta(days=1)}
    people = [Person(1, events=_events("purchased", 1)), Person(2, events=[*_events("purchased", 1), later])]
    people.append(Person(3, events=[later]))
    never = {"never": {"event": "purchased", "after": "2027-01-01"}}
    assert _found(engine, World(people), {"all": [{"did": "purchased"}, never]}) == [1, 2]
    people.append(Person(4, events=_events("purchased", 2)))
    people.append(Person(5, events=[*_events("purchased", 2), later]))
    for window in ({}, {"within": "1 year"}):
        twice = {"did": {"event": "purchased", "at_least": 2, **window}}
        assert _found(engine, World(people), {"all": [twice, never]}) == [4, 5]


def test_who_bought_twice_and_then_no_more_is_found_by_the_newest_purchase_but_one(engine: sa.Engine) -> None:
    days = [each for number in range(5) for each in combinations((-1, 10, 100, 200, 400), number)]
    people = [
        Person(number, events=[{"kind": "purchased", "at": NOW - timedelta(days=day)} for day in bought])
        for number, bought in enumerate(days, 1)
    ]
    # An event that is recorded before its time does not count yet: of those the history is asked.
    right = [n for n, bought in enumerate(days, 1) if {100, 200} <= set(bought) and 10 not in bought]
    twice = {"did": {"event": "purchased", "at_least": 2, "within": "1 year"}}
    who = {"all": [twice, {"never": {"event": "purchased", "within": "90 days"}}]}
    assert _found(engine, World(people), who) == right
    if engine.dialect.name == "sqlite":
        with engine.connect() as db:
            text = sql({"asked": Segment(name="asked", who=who)}, "asked", MOMENT, "sqlite")
            plan = [row[3] for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert "SEARCH began USING COVERING INDEX ix_fact_again (kind=? AND at_2>?)" in plan
        assert "SEARCH began USING COVERING INDEX ix_fact_kind_at (kind=? AND at_1>? AND at_1<?)" in plan


def test_what_the_newest_but_one_does_not_answer_begins_where_its_window_does() -> None:
    did = {"event": "purchased", "at_least": 2, "within": "30 days", "channel": "email"}
    assert "began.at_1 > " in sql({"asked": Segment(name="asked", who={"did": did})}, "asked", MOMENT, "sqlite")


def test_the_first_and_the_last_of_all_days_bound_a_window(engine: sa.Engine) -> None:
    world = World([Person(number, events=_events("purchased", number)) for number in (1, 2)])
    for window, right in (
        ({"after": "0001-01-01"}, [1, 2]),
        ({"after": "0001-01-01", "at_least": 2}, [2]),
        ({"before": "0001-01-01"}, []),
        ({"before": "9999-12-31"}, [1, 2]),
        ({"after": "9999-12-31"}, []),
    ):
        assert _found(engine, world, {"did": {"event": "purchased", **window}}) == right


def test_who_said_no_to_everything_has_answered(engine: sa.Engine) -> None:
    everything: dict[tuple[str, str], tuple[bool, datetime | None]] = {("email", ""): (False, None)}
    people = [Person(1, permissions=everything), Person(2), Person(3, permissions={("sms", "offers"): (True, None)})]
    assert _found(engine, World(people), {"consent": {"topic": "news", "state": "none"}}) == [2, 3]
    assert _found(engine, World(people), {"consent": {"topic": "news", "state": "none", "channel": "sms"}}) == [1, 2, 3]


def test_who_said_no_to_everything_said_no_to_each_topic_of_which_nothing_else_is_known(engine: sa.Engine) -> None:
    def said(**news: bool) -> dict[tuple[str, str], tuple[bool, datetime | None]]:
        return {("email", ""): (False, None), **{("email", topic): (yes, None) for topic, yes in news.items()}}

    people = [
        Person(1, permissions=said()),
        Person(2, permissions=said(news=True)),  # a yes that came after it
        Person(3, permissions=said(news=False)),
        Person(4, permissions={("email", "news"): (False, None)}),
        Person(5),
    ]
    asked = {"topic": "news", "state": "withdrawn"}
    assert _found(engine, World(people), {"consent": asked}) == [1, 3, 4]
    assert _found(engine, World(people), {"consent": {**asked, "channel": "email"}}) == [1, 3, 4]
    assert _found(engine, World(people), {"consent": {**asked, "channel": "sms"}}) == []


def test_each_of_several_values_of_a_trait_is_of_its_own_type(engine: sa.Engine) -> None:
    people = [Person(n, traits={"size": size}) for n, size in enumerate((38, "38", "GG", True, 40.0, "40"), 1)]
    assert _found(engine, World(people), {"traits": {"size": {"in": [38, "GG", 40]}}}) == [1, 3, 5]
    assert _found(engine, World(people), {"traits": {"size": {"in": ["38", True], "is": "present"}}}) == [2, 4]


def test_a_text_of_a_trait_is_no_number_flag_or_list_that_is_written_so(engine: sa.Engine) -> None:
    sizes: list[Any] = ["GG", ["GG"], {"GG": 1}, True, "true", 3, "3", [3], None]
    people = [Person(n, traits={"size": size}) for n, size in enumerate(sizes, 1)]
    for value, who in {"GG": [1], "true": [5], "3": [7], '["GG"]': []}.items():
        assert _found(engine, World(people), {"traits": {"size": value}}) == who
    for value, who in {"t": [5], "3": [7], "[": [], "G": [1]}.items():
        assert _found(engine, World(people), {"traits": {"size": {"starts_with": value}}}) == who
    assert _found(engine, World(people), {"traits": {"size": {"contains": "G"}}}) == [1]
    assert _found(engine, World(people), {"traits": {"size": {"between": [1, 4]}}}) == [6]
    assert _found(engine, World(people), {"traits": {"size": True}}) == [4]


def test_who_is_found_in_several_ways_is_found_once(engine: sa.Engine) -> None:
    no = {(channel, "news"): (False, None) for channel in ("email", "sms")}
    yes = {(channel, "offers"): (True, None) for channel in ("email", "sms")}
    over = {(channel, "surveys"): (True, NOW - timedelta(days=1)) for channel in ("email", "sms")}
    one = Person(1, tags=["vip", "shop"], score={"stage": "lead", "r": 5, "m": 4}, permissions={**no, **yes, **over})
    people = [
        one,
        Person(2, tags=["shop"]),
        Person(3, score={"stage": "lead", "r": 4}),
        Person(4, tags=["vip"], erased=True),
    ]
    for who, found in [
        ({"tag": {"in": ["vip", "shop"]}}, [1, 2]),
        ({"tag": {"is": "present"}}, [1, 2]),
        ({"consent": {"topic": "news", "state": "withdrawn"}}, [1]),
        ({"consent": {"topic": "surveys", "state": "expired"}}, [1]),
        ({"consent": "offers"}, [1]),
        ({"r": {"at_least": 4}}, [1, 3]),
        ({"r": {"at_least": 4}, "m": {"is": "missing"}}, [3]),
        ({"any": [{"tag": "vip"}, {"tag": "shop"}, {"stage": "lead"}]}, [1, 2, 3]),
    ]:
        assert _found(engine, World(people), who) == found


def test_a_trait_may_be_named_as_what_is_kept_elsewhere(engine: sa.Engine) -> None:
    people = [
        Person(1, traits={"tag": "vip"}),
        Person(2, tags=["vip"]),
        Person(3, traits={"stage": "loyal"}, tags=["new"]),
    ]
    people.append(Person(4, score={"stage": "loyal"}))
    for who, found in [
        ({"traits": {"tag": "vip"}}, [1]),
        ({"traits": {"stage": "loyal"}}, [3]),
        ({"traits": {"tag": {"is": "present"}}}, [1]),
        ({"any": [{"traits": {"tag": "vip"}}, {"tag": "vip"}]}, [1, 2]),
        ({"traits": {"stage": "loyal"}, "tag": "new"}, [3]),
    ]:
        assert _found(engine, World(people), who) == found


def test_a_list_may_be_longer_than_the_queries_that_sqlite_puts_together(engine: sa.Engine) -> None:
    world = World([Person(1, tags=["t1", "t599"]), Person(2, tags=["t600"]), Person(3, tags=["t0"], erased=True)])
    names = [f"t{number}" for number in range(600)]
    assert _found(engine, world, {"tag": {"in": names}}) == [1]
    assert _found(engine, world, {"any": [{"tag": name} for name in names]}) == [1]


def test_a_fraction_among_whole_numbers_is_none_of_them(engine: sa.Engine) -> None:
    world = World([Person(1, score={"r": 0, "frequency": 0}), Person(2, score={"r": 3, "frequency": 3})])
    for field in ("r", "frequency"):
        assert _found(engine, world, {field: {"in": [3, 0.5]}}) == [2]
        assert _found(engine, world, {field: {"in": [0.5, 3]}}) == [2]


def test_a_language_is_found_however_its_code_is_written(engine: sa.Engine) -> None:
    spoken = ("pt", "pt-BR", "zh-Hant", "es-419", "en")
    world = World([Person(number, {"language": code}) for number, code in enumerate(spoken, 1)])
    for asked, right in (("PT", [1, 2]), ("pt_br", [2]), ("zh_hant", [3]), ("ES-419", [4]), ("pt-PT", [])):
        assert _found(engine, world, {"language": asked}) == right
    assert _found(engine, world, {"language": {"in": ["pt_BR", "EN"]}}) == [2, 5]


def test_a_number_may_be_larger_than_what_it_is_compared_with_can_be(engine: sa.Engine) -> None:
    answer = {"kind": "surveyed", "at": NOW, "data": {"score": 9}}
    world = World([Person(1, score={"frequency": 3, "r": 5}, events=[answer]), Person(2, score={"r": None})])
    for field in ("frequency", "r", "nps"):
        known = [1, 2] if field == "frequency" else [1]
        assert _found(engine, world, {field: {"less_than": 3_000_000_000}}) == known
        assert _found(engine, world, {field: {"between": [-3_000_000_000, 2**31]}}) == known
        assert _found(engine, world, {field: {"in": [3, 5, 9, 3_000_000_000]}}) == [1]
        assert _found(engine, world, {field: {"more_than": 2.5}}) == [1]


def test_a_trait_that_is_true_is_not_one_that_is_one(engine: sa.Engine) -> None:
    people = [Person(1, traits={"vip": True}), Person(2, traits={"vip": 1})]
    both = {"all": [{"traits": {"vip": True}}, {"traits": {"vip": 1}}]}
    assert _found(engine, World(people), both) == []


def test_the_next_purchase_is_expected_from_now_until_the_span_ends(engine: sa.Engine) -> None:
    seconds = {1: -1, 2: 0, 3: 1, 4: 86_400, 5: 86_401}
    people = [Person(who, score={"next_at": NOW + timedelta(seconds=s)}) for who, s in seconds.items()]
    world = World([*people, Person(6, score={"next_at": None}), Person(7)])
    for asked, right in (
        ({"in_next": "1 day"}, [3, 4]),
        ({"before": f"{NOW:%Y-%m-%d}"}, []),
        ({"after": f"{NOW:%Y-%m-%d}"}, [1, 2, 3, 4, 5]),
        ({"is": "missing"}, [6, 7]),
    ):
        assert _found(engine, world, {"next_at": asked}) == right


def test_what_two_segments_ask_both_is_asked_once() -> None:
    asked = {
        "bought": {"did": {"event": "purchased", "campaign": "weekly"}},
        "here": {"all": [{"country": "BR"}, {"segment": "bought"}]},
        "adult": {"all": [{"birthdate": {"before": "2008-01-01"}}, {"segment": "bought"}]},
        "both": {"all": [{"segment": "here"}, {"segment": "adult"}]},
    }
    segments = {name: Segment(name=name, who=who) for name, who in asked.items()}
    assert str(compile_segment(segments, "both", MOMENT)).count("FROM interaction") == 1
