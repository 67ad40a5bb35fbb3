"""Random people and random segments, for the tests that compare what two evaluators say of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.unit.segment.conftest import NOW, Person, World
from vinculo.segment import Segment

WORDS = st.sampled_from(
    [
        "ana",
        "Ana",
        "São Paulo",
        "SÃO PAULO",
        "a%",
        "o'x",
        "50%",
        "x_y",
        "\\",
        ":now",
        '"',
        "né",
        "ne\u0301",
        " ",
        "ß",
        "[a]",
    ]
)
CHANNELS = st.sampled_from(["email", "sms"])
STATES = st.sampled_from(["given", "withdrawn", "expired", "none"])
TOPICS = st.sampled_from(["news", "offers"])
EVENTS = st.sampled_from(["purchased", "opened", "clicked", "sent", "unsubscribed"])
CAMPAIGNS = st.sampled_from(["weekly", "promo"])
SLOTS = st.sampled_from(["a", "b", "c", "d"])
SPANS = st.sampled_from(["1 day", "30 days", "90 days", "1 year", "12 hours", "1440m", "100 years"])
DATES = st.sampled_from(["2026-11-01", "2026-12-01", "2000-02-29", "1990-12-01", "2027-01-01", "0001-01-01"])
AGO = st.sampled_from(["30 days ago", "90 days ago", "1 year ago", "12 hours ago"])
SMALL = st.integers(0, 4)
#: What a field of whole numbers may be compared with.
NUMBERS = SMALL | st.sampled_from([-1, 0.5, 2.5, -2.5, 3_000_000_000, -3_000_000_000, 2**46])
#: Other systems call anything a score.
SCORE = SMALL | st.sampled_from(["great", 9.5, 10**12, [1], None])
TRAITS = st.sampled_from(["size", "shoe size", "né", "a.b", "o'x", "0", "$[%s]"])
MICROSECOND = timedelta(microseconds=1)
INSTANTS = st.sampled_from(
    [NOW + timedelta(seconds=s) for s in (1, 0, -1, -86_400, -86_401, -43_200, -43_201)]
    + [NOW - timedelta(days=d) for d in (7, 30, 31, 90, 200, 365, 500, -40)]
    + [NOW - timedelta(days=30) + MICROSECOND, NOW - timedelta(days=30) - MICROSECOND, NOW + MICROSECOND]
    + [datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC) - MICROSECOND]
    + [datetime(1970, 1, 1, tzinfo=UTC) - MICROSECOND]
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
            "given_name": WORDS | st.just(""),
            "city": WORDS,
            "first_seen": INSTANTS,
            "birthdate": st.sampled_from(
                [date(1990, 12, 1), date(1990, 12, 7), date(1990, 12, 8), date(2000, 2, 29), date(1899, 2, 28), None]
            ),
        },
    ),
    tags=st.lists(st.sampled_from(["vip", "old"]), max_size=2),
    traits=st.dictionaries(
        TRAITS,
        st.one_of(
            st.sampled_from(["G", "42", "", "0", "true", "null", "né", "ne\u0301", "g"]),
            NUMBERS,
            st.booleans(),
            st.none(),
            st.floats(0, 5),
            st.sampled_from([[], ["G"], [1], {}, {"G": 1}, 10**20, -(10**20), 1e300, 5e-324, -0.0]),
        ),
        max_size=3,
    ),
    score=st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "frequency": SMALL,
            "value": st.integers(-400, 400) | st.just(2**53),
            "lifetime_value": st.none() | st.integers(-400, 400),
            "recency": st.none() | st.sampled_from([0.5, 3.0]),
            "alive": st.none() | st.sampled_from([0.0, 0.5, 1.0]),
            "engagement": st.sampled_from([0.0, 2.5, 100.0]),
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
                "amount": st.none() | st.integers(-300, 300) | st.just(2**40),
                "worth": st.none() | st.integers(-900, 900),
                "currency": st.sampled_from(["BRL", "USD", ""]),
            },
        ),
        max_size=9,
    ),
    permissions=st.tuples(
        st.dictionaries(
            st.tuples(CHANNELS, TOPICS),
            st.tuples(st.booleans(), st.sampled_from([None, NOW, NOW + MICROSECOND, NOW - MICROSECOND])),
            max_size=3,
        ),
        st.dictionaries(st.tuples(CHANNELS, st.just("")), st.just((False, None)), max_size=1),
    ).map(lambda two: two[0] | two[1]),
    addresses=st.lists(st.tuples(CHANNELS, st.sampled_from(["x", "y", "z"])), max_size=4),
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
    # The company's day may be another than UTC's; and years differ in their Februaries.
    today=st.sampled_from([NOW.date(), date(2026, 11, 30), date(2026, 12, 2), date(2027, 2, 28), date(2028, 2, 28)]),
)


def ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(["at_least", "at_most", "more_than", "less_than"])
    return st.one_of(
        st.dictionaries(one, values, min_size=1, max_size=2),
        st.tuples(values, values).map(lambda two: {"between": sorted(two)}),
        st.lists(values, min_size=1, max_size=2).map(lambda some: {"in": some}),
    )


#: Twice the same contact, and one that is none.
BY_HAND = Segment(
    name="byhand",
    sql="SELECT contact_id FROM tag WHERE name = 'vip' UNION ALL SELECT max(id) FROM contact WHERE id < 0",
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
    {"event": EVENTS | st.lists(EVENTS, min_size=1, max_size=3)},
    optional={
        "within": SPANS,
        "before": DATES | AGO,
        "after": DATES | AGO,
        "campaign": CAMPAIGNS,
        "channel": CHANNELS,
        "of_last": st.sampled_from(["1 newsletters", "2 newsletters", "2 promotions", "1000 newsletter"]),
        "then": EVENTS
        | st.fixed_dictionaries(
            {"event": EVENTS | st.lists(EVENTS, min_size=1, max_size=2)}, optional={"within": SPANS}
        ),
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
            {"amount_at_least": 0},
            {"amount_at_least": -1.5},
            {"amount_at_least": 10_000_000_000},
            {"at_least": 1_000_000},
            {"at_most": 1_000_000},
            {"amount_at_least": "1.50 BRL"},
            {"amount_at_least": "1.50 USD"},
            {"amount_at_least": "1 USD", "at_most": 1},
            {"amount_at_least": 1, "at_most": 2},
        ]
    ).map(lambda count: {**base, **count})
)
numbers = st.one_of(NUMBERS, ranges(NUMBERS), presence)
leaves = st.one_of(
    dids.map(lambda did: {"did": did}),
    EVENTS.map(lambda event: {"did": event}),
    EVENTS.map(lambda event: {"never": event}),
    st.fixed_dictionaries({"event": EVENTS}, optional={"within": SPANS, "after": DATES}).map(
        lambda did: {"never": did}
    ),
    st.sampled_from(
        ["frequency", "recency", "r", "value", "lifetime_value", "alive", "engagement", "nps", "csat"]
    ).flatmap(lambda f: numbers.map(lambda n: {f: n})),
    st.sampled_from(["given_name", "city"]).flatmap(lambda f: texts.map(lambda t: {f: t})),
    st.sampled_from([{"stage": "loyal"}, {"stage": {"in": ["loyal", "lost"]}}, {"stage": {"is": "missing"}}]),
    st.sampled_from([{"kind": "staff"}, {"country": "BR"}, {"country": "PT", "kind": "lead"}]),
    st.sampled_from(["pt", "pt-BR", {"in": ["pt", "en"]}, {"starts_with": "pt"}, {"is": "missing"}]).map(
        lambda asked: {"language": asked}
    ),
    st.sampled_from([{"tag": "vip"}, {"tag": {"in": ["vip", "old"]}}, {"tag": {"is": "missing"}}]),
    TRAITS.flatmap(
        lambda name: st.one_of(
            st.sampled_from(["G", "42", "true", True, False, 0, 1, {"in": ["G", True]}, {"in": [False, "42", 1]}]),
            numbers,
            st.sampled_from([{"contains": "4"}, {"starts_with": "n"}, {"contains": "e\u0301"}]),
            presence,
        ).map(lambda value: {"traits": {name: value}})
    ),
    st.sampled_from([{"birthday": "today"}, {"birthday": {"in_next": "7 days"}}, {"birthday": {"in_next": "90 days"}}]),
    st.sampled_from(
        [
            {"birthdate": {"before": "1995-01-01"}},
            {"birthdate": {"after": "1990-12-07"}},
            {"birthdate": {"is": "missing"}},
            {"birthdate": {"between": ["1990-12-02", "2000-02-29"]}},
            {"birthdate": {"after": "1899-02-28", "before": "1990-12-07"}},
        ]
    ),
    st.one_of(
        SPANS.map(lambda span: {"first_seen": {"within": span}}),
        (DATES | AGO).map(lambda day: {"first_seen": {"before": day}}),
        (DATES | AGO).map(lambda day: {"first_seen": {"after": day}}),
        st.tuples(SPANS, DATES | AGO).map(lambda two: {"first_seen": {"within": two[0], "before": two[1]}}),
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
    st.sampled_from(
        [
            {"sample": "50%"},
            {"sample": "30%", "salt": "x"},
            {"sample": "100%"},
            {"sample": "0%"},
            {"sample": 66.6, "salt": "outono é"},
        ]
    ),
    st.sampled_from([{"segment": "other"}, {"segment": "byhand"}, {"not": {"segment": "other"}}]),
)
#: Two conditions side by side.
pairs = st.tuples(leaves, leaves).map(lambda two: {**two[0], **two[1]})
trees = st.recursive(
    leaves | pairs,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
#: It may mention a third, which is SQL; and never itself.
others = trees.filter(lambda tree: "other" not in repr(tree))
