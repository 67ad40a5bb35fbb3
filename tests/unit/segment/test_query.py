"""A `.sql` segment is one SELECT of ids: what writes, waits or hides is refused, what reads composes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.unit.segment.conftest import MOMENT, NOW, Person, World, write
from vinculo.errors import UsageError
from vinculo.segment import Segment, compile_segment, limits, problems

GOOD = [
    "SELECT id FROM contact WHERE country = 'BR';",
    "-- those who bought\nselect contact_id from interaction where at > :now - 90 * :day group by contact_id having sum(amount) > 1",
    "WITH big(id) AS (SELECT contact_id FROM interaction), other AS (SELECT 1) SELECT id FROM big WHERE id IN (SELECT id FROM big)",
    "SELECT id FROM contact WHERE city = ':nobody; drop table x -- ' AND key <> 'it''s'",
    "SELECT id FROM contact WHERE birthdate <= :today /* a comment; delete */",
    "SELECT c.id FROM contact AS c WHERE coalesce(c.city, '') <> '100%' AND \"c\".\"key\" <> ''",
    "SELECT id + 0 * 2 FROM contact",
    "SELECT id FROM contact WHERE NULLIF(CAST(id AS TEXT), '') IS NOT NULL AND (SELECT count(*) FROM tag) >= 0",
]
BAD = [
    ("", "one SELECT"),
    ("DELETE FROM contact", "one SELECT"),
    ("VALUES (1)", "one SELECT"),
    ("SELECT 1; DELETE FROM contact", "one statement"),
    ("WITH x AS (DELETE FROM contact RETURNING id) SELECT id FROM x", "only reads"),
    ("SELECT id INTO copy FROM contact", "only reads"),
    ("SELECT id FROM contact FOR UPDATE", "only reads"),
    ("SELECT pg_sleep(10)", "function `pg_sleep`"),
    ("SELECT pg_catalog.pg_sleep(10)", "function `pg_sleep`"),
    ('SELECT "pg_sleep"(10)', "function"),
    ("SELECT pg_sleep /* x */ (10)", "function `pg_sleep`"),
    ("SELECT query_to_xml('delete from contact', true, true, '')", "function `query_to_xml`"),
    ("SELECT id FROM contact WHERE random() > 0", "function `random`"),
    ("SELECT $$a$$", "`$` cannot stand"),
    ("SELECT id FROM contact WHERE key = E'\\'; DELETE FROM contact; --'", "one database only"),
    ("SELECT `id` FROM contact", "cannot stand"),
    ("SELECT id FROM contact WHERE key = 'open", "cannot stand"),
    ("SELECT id FROM contact /* a /* nested */", "cannot stand"),
    ("SELECT id FROM contact WHERE at > :noow", "`:noow`"),
    ("SELECT id, key FROM contact", "id alone"),
    ("SELECT * FROM contact", "id alone"),
    ("SELECT id FROM contact WHERE (1 = 1", "never closed"),
    ("SELECT id FROM contact)", "closes nothing"),
]


@pytest.mark.parametrize("sql", GOOD)
def test_a_select_that_reads_is_taken_and_runs_on_both_databases(engine: sa.Engine, sql: str) -> None:
    segments = {"a": Segment(name="a", sql=sql), "b": Segment(name="b", who={"not": {"segment": "a"}})}
    assert problems(segments) == []
    with engine.begin() as db:
        write(db, World([Person(1, {"country": "BR"}), Person(2)]))
        inside = set(db.execute(compile_segment(segments, "a", MOMENT)).scalars())
        outside = set(db.execute(compile_segment(segments, "b", MOMENT)).scalars())
    assert inside | outside == {1, 2}
    assert not inside & outside


@pytest.mark.parametrize(("sql", "says"), BAD)
def test_anything_else_is_refused_with_its_place(sql: str, says: str) -> None:
    found = problems({"a": Segment(name="a", sql=sql)})
    assert found
    name, path, message, remedy = found[0]
    assert (name, path[0]) == ("a", "sql")
    assert says in message
    assert remedy
    with pytest.raises(UsageError):
        compile_segment({"a": Segment(name="a", sql=sql)}, "a", MOMENT)


def test_the_place_of_a_problem_is_its_line_and_column() -> None:
    [(_, path, _, _)] = problems({"a": Segment(name="a", sql="SELECT id\nFROM contact\n  WHERE drop = 1")})
    assert path == ("sql", 3, 9)


def test_a_null_among_the_ids_does_not_empty_the_negation(engine: sa.Engine) -> None:
    segments = {
        "a": Segment(name="a", sql="SELECT CASE WHEN id = 1 THEN id END FROM contact"),
        "b": Segment(name="b", who={"not": {"segment": "a"}}),
    }
    with engine.begin() as db:
        write(db, World([Person(1), Person(2)]))
        assert list(db.execute(compile_segment(segments, "b", MOMENT)).scalars()) == [2]


@pytest.mark.parametrize("end", ["", ";", " ; ;", ";;\n-- the end; really\n;", "; /* ; */"])
def test_a_query_may_end_with_semicolons_and_comments(engine: sa.Engine, end: str) -> None:
    segments = {"a": Segment(name="a", sql=f"SELECT id FROM contact WHERE key <> ';'{end}")}
    with engine.begin() as db:
        write(db, World([Person(1)]))
        assert list(db.execute(compile_segment(segments, "a", MOMENT)).scalars()) == [1]


def test_erased_contacts_are_never_chosen_by_sql_either(engine: sa.Engine) -> None:
    segments = {"a": Segment(name="a", sql="SELECT id FROM contact")}
    with engine.begin() as db:
        write(db, World([Person(1), Person(2, erased=True)]))
        assert list(db.execute(compile_segment(segments, "a", MOMENT)).scalars()) == [1]


def test_now_is_the_moment_of_the_question(engine: sa.Engine) -> None:
    sql = "SELECT contact_id FROM interaction WHERE at > :now - 1 * :hour AND at <= :now"
    with engine.begin() as db:
        write(db, World([Person(1, events=[{"kind": "opened", "at": NOW}]), Person(2)]))
        found = db.execute(compile_segment({"a": Segment(name="a", sql=sql)}, "a", MOMENT)).scalars()
        assert list(found) == [1]


def test_within_limits_nothing_can_be_written(engine: sa.Engine) -> None:
    with engine.connect() as db, db.begin(), pytest.raises(sa.exc.DBAPIError), limits(db, 5):
        db.execute(sa.text("DELETE FROM contact"))
    with engine.begin() as db:
        write(db, World([Person(1)]))


def test_a_query_that_takes_too_long_is_stopped_and_the_connection_lives_on(engine: sa.Engine) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with engine.connect() as db:
        with db.begin(), pytest.raises(UsageError, match=r"longer than 0\.1 s"), limits(db, 0.1):
            db.execute(sa.text(endless)).all()
        with db.begin():
            assert db.execute(sa.text("SELECT 1")).scalar() == 1
