"""A file means the same in whatever batches it is written: contacts, consents and their history, and what is told."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.contacts.conftest import Take
from tests.unit.contacts.importing.test_rehearsing import _empty
from vinculo import consent
from vinculo.contacts import find

#: By column, what few contacts have in common.
_CELLS = {
    "id": ["", "1", "2", "3"],
    "email": ["", "a@x.org", "a@x.org", "b@x.org", "c@x.org", "a@x.org;b@x.org"],
    "email 2": ["", "", "", "b@x.org"],
    "celular": ["", "", "", "+5511912345678"],
    "id.shop": ["", "", "s1", "s2"],
    "cidade": ["", "Natal", "Recife"],
    "tamanho": ["", "1", "2"],
    "nascimento": ["", "", "", "31/02/1980"],
    "consent.email.offers": ["", "", "yes", "no"],
    "consent_date": ["", "", "2025-01-10", "2025-02-10", "2025-03-10"],
    "cadastro": ["", "", "2024-05-06", "2024-03-02"],
    "origem": ["", "", "feira", "loja"],
}
_HELD = (
    "SELECT key, kind, given_name, city, source, traits, first_seen, country FROM contact ORDER BY key",
    "SELECT c.key, channel, value, position FROM address JOIN contact c ON c.id = contact_id ORDER BY 1, 2, 3",
    "SELECT c.key, system, value FROM identifier JOIN contact c ON c.id = contact_id ORDER BY 1, 2, 3",
    "SELECT a.key, c.key FROM alias a JOIN contact c ON c.id = contact_id ORDER BY 1, 2",
    "SELECT c.key, channel, topic, granted, at FROM permission JOIN contact c ON c.id = contact_id ORDER BY 1, 2, 3",
    "SELECT c.key, channel, topic, granted, at FROM consent JOIN contact c ON c.id = contact_id ORDER BY 1, 2, 3, 5, 4",
)


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SQLite, too, each batch is a transaction."""
    monkeypatch.setattr("vinculo.contacts.importing.contacts._Writer._TOGETHER", 0.0)


@st.composite
def _files(draw: st.DrawFn, most: int) -> str:
    names = ["consent.news", *draw(st.lists(st.sampled_from(sorted(_CELLS)), unique=True, min_size=3))]
    names += [] if {"id", "email"} & set(names) else ["email"]
    cells = {**_CELLS, "consent.news": ["", "yes", "no", "yes"]}
    rows = draw(st.lists(st.tuples(*(st.sampled_from(cells[name]) for name in names)), min_size=2, max_size=most))
    return "\n".join([",".join(names), *(",".join(f'"{cell}"' for cell in row) for row in rows)]) + "\n"


def _held(engine: sa.Engine) -> list[Any]:
    with engine.connect() as db:
        contacts, *rest = (list(map(tuple, db.execute(sa.text(ask)))) for ask in _HELD)
    return [
        [(*row[:5], json.loads(row[5]) if isinstance(row[5], str) else row[5], *row[6:]) for row in contacts],
        *rest,
    ]


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=_files(4), text=_files(14))
def test_where_a_batch_ends_changes_nothing(engine: sa.Engine, take: Take, before: str, text: str) -> None:
    found = []
    for batch in (10_000, 1, 3, 7):
        take(before, name="before.csv")
        found.append((take(text, batch=batch), _held(engine)))
        _empty(engine)
    assert found[1:] == found[:1] * 3


@pytest.mark.parametrize("batch", [1, 2, 10_000])
@pytest.mark.parametrize(
    ("rows", "said", "told"),
    [
        # known by another name of an earlier row, which is no update
        (",c@x.org;b@x.org,,,\n,b@x.org,,,\n", {"c@x.org": None}, (1, 0, 1, 0, 0)),
        # a yes of the same contact after its no
        ("1,a@x.org,,no,\n1,a@x.org,,yes,\n", {"1": False}, (1, 0, 1, 1, 0)),
        ("1,a@x.org,,no,2025-02-10\n1,a@x.org,,yes,2025-03-10\n", {"1": True}, (1, 0, 1, 0, 0)),
        # a no of another at the address, before and after the yes
        ("1,a@x.org,,no,\n2,a@x.org,,yes,\n", {"1": False, "2": None}, (2, 0, 0, 1, 0)),
        ("1,a@x.org,,yes,\n2,a@x.org,,no,\n", {"1": False, "2": False}, (2, 0, 0, 1, 0)),
        # reached at that address by a later row
        ("1,c@x.org,,yes,\n2,a@x.org,,no,\n1,a@x.org,,,\n", {"1": False, "2": False}, (2, 0, 1, 1, 0)),
        ("1,c@x.org,,no,\n2,a@x.org,,yes,\n1,a@x.org,,,\n", {"1": False, "2": False}, (2, 0, 1, 1, 0)),
        # a no in a wrong row of a contact that is there by its second name
        (",b@x.org,,yes,\n,a@x.org;b@x.org,31/02/1980,no,\n", {"b@x.org": False}, (1, 0, 0, 0, 1)),
    ],
)
def test_what_rows_say_of_consent_one_after_another(  # noqa: PLR0917 - what pytest gives
    engine: sa.Engine, take: Take, now: datetime, rows: str, said: dict[str, bool | None], told: Any, batch: int
) -> None:
    done = take(f"id,email,nascimento,consent.news,consent_date\n{rows}", batch=batch)
    assert (done.created, done.updated, done.repeated, done.refused, done.left) == told
    with engine.connect() as db:
        live = {key: consent.live(db, find(db, key) or 0, now).get(("email", "news")) for key in said}
    assert live == said


@pytest.mark.parametrize("batch", [1, 2, 10_000])
@pytest.mark.parametrize(
    ("rows", "refused"),
    [
        # of the contact itself, by itself and with another's row between; in a wrong row, by another name of it
        ("1,a@x.org,,no,\n1,a@x.org,,yes,2025-03-10\n", 1),
        ("1,a@x.org,,no,\n7,c@x.org,,,\n7,c@x.org,,yes,\n1,a@x.org,,yes,2025-03-10\n", 1),
        (",a@x.org,31/02/1980,no,\n1,b@x.org,,yes,2025-03-10\n", 1),
        ("1,a@x.org,,yes,2025-03-10\n1,a@x.org,,no,\n", 0),
        # of another at an address of it, from before or from a later row
        ("1,a@x.org,,no,\n5,a@x.org,,yes,2025-03-10\n", 1),
        ("1,a@x.org,,no,\n5,b@x.org,,yes,2025-03-10\n", 1),
        ("1,a@x.org,,no,\n5,c@x.org,,yes,2025-03-10\n5,a@x.org,,,\n", 1),
        (",a@x.org,31/02/1980,no,\n5,b@x.org,,yes,2025-03-10\n", 1),
    ],
)
def test_a_no_without_a_date_is_as_of_now_also_where_an_older_one_is_on_record(
    engine: sa.Engine, take: Take, now: datetime, rows: str, refused: int, batch: int
) -> None:
    head = "id,email,nascimento,consent.news,consent_date\n"
    take(f"{head}1,a@x.org;b@x.org,,no,2025-02-10\n5,,,,\n")
    assert take(f"{head}{rows}", batch=batch).refused == refused
    with engine.connect() as db:
        live = [consent.live(db, find(db, key) or 0, now).get(("email", "news")) for key in ("1", "5")]
    assert live[0] is False
    assert not live[1]


@pytest.mark.parametrize("batch", [1, 10_000])
def test_a_later_date_of_a_no_is_recorded_also_after_the_same_no_without_one(
    engine: sa.Engine, take: Take, now: datetime, batch: int
) -> None:
    head = "id,email,consent.news,consent_date\n"
    take(f"{head}1,a@x.org,no,2025-02-10\n")
    take(f"{head}1,a@x.org,no,\n1,a@x.org,no,2025-04-10\n", batch=batch)
    assert take(f"{head}1,a@x.org,yes,2025-03-10\n").refused == 1


@pytest.mark.parametrize("batch", [1, 10_000])
def test_a_contact_that_a_file_names_often_is_brought_up_to_date_once(
    engine: sa.Engine, take: Take, batch: int
) -> None:
    take("id,cidade\n1,\n2,\n")
    done = take("id,cidade\n" + "1,Natal\n3,Natal\n" * 3 + "2,Natal\n", batch=batch)
    assert (done.rows, done.created, done.updated, done.repeated) == (7, 1, 2, 4)


@pytest.mark.parametrize("batch", [1, 10_000])
@pytest.mark.parametrize(
    "rows",
    [
        "1,a@x.org,no,2025-01-10\n1,a@x.org,yes,2025-02-10\n",
        "1,a@x.org,yes,2025-02-10\n1,a@x.org,no,2025-01-10\n",
        # a no that its own contact has taken back ends nobody's yes when it is read once more
        "1,a@x.org,yes,2025-02-10\n2,b@x.org,yes,\n1,a@x.org,no,2025-01-10\n2,a@x.org,,\n",
    ],
)
def test_what_a_file_said_before_is_not_recorded_again(engine: sa.Engine, take: Take, rows: str, batch: int) -> None:
    found = []
    for _ in range(3):
        take(f"id,email,consent.news,consent_date\n{rows}", batch=batch)
        found.append(_held(engine))
    assert found[1:] == found[:1] * 2
