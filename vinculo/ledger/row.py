"""What the rooms of the ledger share: the claim, the groups of states, how rows are found and locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from vinculo.db.statement import Row, Statement, given, id_of, these
from vinculo.db.tables import control, delivery, occurrence
from vinculo.model import DeliveryKey, DeliveryState

#: Not handed over and in nobody's hands.
WAITING = (DeliveryState.PLANNED, DeliveryState.DEFERRED)
#: An occurrence with a row in one of these states is not finished.
OPEN = (*WAITING, DeliveryState.CLAIMED, DeliveryState.SUBMITTING, DeliveryState.IN_DOUBT)
#: The reason of a row that is rejected because nobody could tell whether it arrived.
WRITTEN_OFF = "written_off"
#: So often handed over without an answer, or a worker dead on it, and a person must look.
CRASHES = 3
#: The reason of an expired row.
TOO_LATE = "too_late"

D = delivery.c


class Claim(NamedTuple):
    """A row in a worker's hands until its lease is over. *fence* numbers the claims of a row: an older one is void.

    *attempts* counts how often the row was handed over before this claim, *crashes* how often a worker may have died
    on it. A tuple, for there are thousands a second.
    """

    id: int
    key: DeliveryKey
    fence: int
    channel: str
    address: str
    variant: str
    attempts: int
    crashes: int


#: The columns a `Claim` is made of, the first of a row that `claim_of` takes.
CLAIM = tuple(
    D[name]
    for name in (
        *("id", "campaign", "occurrence", "contact_id", "fence"),
        *("channel", "address", "variant", "attempts", "crashes"),
    )
)


def claim_of(row: Row) -> Claim:
    """Make a `Claim` of a row that begins with the columns `CLAIM`."""
    return Claim(row[0], DeliveryKey(row[1], row[2], row[3]), *row[4:10])


def state_is(*states: DeliveryState) -> sa.ColumnElement[bool]:
    """The rows in one of *states*, in words and not by a parameter.

    Else the database does not use an index of rows in a state; and SQLite, which looks whether it may, compiles the
    statement anew each time it is run.
    """
    words = [sa.literal_column(f"'{state.value}'", sa.Text) for state in states]
    return D.state.in_(words) if len(words) > 1 else D.state == words[0]


def waiting() -> sa.ColumnElement[bool]:
    """The rows that wait."""
    return state_is(*WAITING)


def doubted() -> sa.ColumnElement[bool]:
    """The rows in doubt."""
    return state_is(DeliveryState.IN_DOUBT)


def ours() -> list[sa.ColumnElement[bool]]:
    """The rows whose last claim is one of the parameter `given`, see `fences`."""
    rows = given()
    return [D.id == id_of(rows), D.fence == sa.cast(sa.cast(rows.c.value, sa.Text), sa.Integer)]


def same_fence() -> sa.ColumnElement[bool]:
    """The rows whose last claim has the number `fence`, which is the same for all of them."""
    return D.fence == sa.bindparam("fence", type_=D.fence.type)


def these_ours() -> list[sa.ColumnElement[bool]]:
    """Of *these* rows those whose last claim is ours, see `same_fence`."""
    return [these(D.id), same_fence()]


def fences(claims: Iterable[Claim]) -> Mapping[int, int]:
    """The parameter `given` for *claims*: the fence of each by its id."""
    return {claim.id: claim.fence for claim in claims}


def lock(db: sa.Connection, ids: Iterable[int]) -> None:
    """Lock these rows in the order of their ids: two who do so never wait for each other in a circle.

    Ask before several statements change them in one transaction. SQLite knows one writer at a time, and needs none.
    """
    if db.dialect.name == "postgresql":
        _LOCK(db, given=dict.fromkeys(ids, 0))


def _locked() -> sa.Select[Any]:
    rows = given()
    return sa.select(D.id).join_from(delivery, rows, D.id == id_of(rows)).order_by(D.id).with_for_update(of=delivery)


_LOCK = Statement(_locked)


def controlled(state: str = "") -> sa.ColumnElement[bool]:
    """Whether the row's campaign is paused or cancelled; or in *state*."""
    question = sa.exists().where(control.c.campaign == D.campaign)
    return question.where(control.c.state == state) if state else question


def its_occurrence(*states: str) -> sa.ColumnElement[bool]:
    """Whether the row's occurrence is in one of *states*."""
    o = occurrence.c
    return sa.exists().where(o.campaign == D.campaign, o.occurrence == D.occurrence, o.state.in_(states))


def lost() -> sa.ColumnElement[bool]:
    """The rows that were handed over without an answer before, and were to be sent again."""
    return D.lost_at.is_not(None)


def ended(state: DeliveryState, now: Any) -> dict[str, Any]:
    """The values of rows that will not be sent: *state*; in doubt are those of which nobody knows whether they were."""
    return {
        "state": sa.case((lost(), DeliveryState.IN_DOUBT.value), else_=state.value),
        "settled_at": sa.case((lost(), sa.null()), else_=sa.type_coerce(now, D.settled_at.type)),
        "lease_until": None,
    }


def back_to_planned() -> sa.ColumnElement[str]:
    """The state of a row that nobody holds any more: planned, or called off with its occurrence."""
    over = its_occurrence("cancelled")
    return sa.case(
        (sa.and_(over, lost()), sa.literal(DeliveryState.IN_DOUBT.value)),
        (over, sa.literal(DeliveryState.CANCELLED.value)),
        else_=sa.literal(DeliveryState.PLANNED.value),
    )


def planned_again() -> sa.ColumnElement[str]:
    """The state of a row in doubt that is to be sent again: planned, unless its occurrence is called off."""
    return sa.case(
        (its_occurrence("cancelled"), sa.literal(DeliveryState.IN_DOUBT.value)),
        else_=sa.literal(DeliveryState.PLANNED.value),
    )


def scope(campaign: str, name: str) -> list[sa.ColumnElement[bool]]:
    """The rows of a campaign, and of one of its occurrences; "" stands for all."""
    return [column == value for column, value in ((D.campaign, campaign), (D.occurrence, name)) if value]


def free(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The ids of the rows that meet *conditions*, locked; rows that another transaction is changing are passed over.

    So any number of workers change many rows at once and never wait for each other in a circle (PostgreSQL; on
    SQLite one transaction writes at a time).
    """
    return sa.select(D.id).where(*conditions).with_for_update(of=delivery, skip_locked=True)


def change(ids: sa.Select[Any], **values: Any) -> sa.Update:
    """Change the rows that *ids* (see `free`) selects."""
    picked = ids.cte("picked")  # a CTE that locks is run once; a subquery might be run again for each row
    return sa.update(delivery).where(D.id.in_(sa.select(picked.c.id))).values(**values)
