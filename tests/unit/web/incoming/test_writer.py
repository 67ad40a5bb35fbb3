"""The writer: events that arrive together share a commit; a bad one costs the others nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo.db.tables import inbound
from vinculo.feedback import Glance, Hit
from vinculo.model import Event, EventKind
from vinculo.web.incoming.writer import Writer


class Counting:
    """The runtime, with its commits counted."""

    def __init__(self, town: Town) -> None:
        self.town, self.commits, self.signer, self.project = town, 0, town.rt.signer, town.rt.project

    def now(self):
        return self.town.rt.now()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        self.commits += 1
        with self.town.rt.begin() as db:
            yield db


def opened(town: Town, number: int, **fields) -> Event:
    return Event(EventKind.OPENED, "web", f"e{number}", town.rt.now(), delivery=town.sent, **fields)


async def store(writer: Writer, events: list[Event]) -> list[object]:
    waiting = [asyncio.ensure_future(writer.store(event)) for event in events]
    await asyncio.sleep(0)  # every one of them is in the queue before the writer starts
    writer.start()
    return await asyncio.gather(*waiting, return_exceptions=True)


def test_events_that_wait_together_share_one_commit(town: Town) -> None:
    needs = Counting(town)
    writer = Writer(needs)
    answers = asyncio.run(store(writer, [opened(town, number) for number in range(200)]))
    writer.stop()
    assert answers == [["handled"]] * 200
    assert needs.commits == 1
    assert town.rows(inbound) == 200


def test_one_bad_event_fails_alone(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    writer = Writer(Counting(town))
    events = [opened(town, 1), opened(town, 2, data={"not": object()}), opened(town, 3)]
    first, bad, last = asyncio.run(store(writer, events))
    writer.stop()
    assert (first, last) == (["handled"], ["handled"])
    assert isinstance(bad, Exception)
    assert "could not be stored" in caplog.text


class Circle(Exception):
    """What PostgreSQL ends a transaction with that waits in a circle."""

    sqlstate = "40P01"


@pytest.mark.parametrize(("ended", "outcome"), [(3, "handled"), (4, "OperationalError")])
def test_one_request_that_meets_workers_in_a_circle_is_done_again_and_not_for_ever(
    town: Town, ended: int, outcome: str
) -> None:
    left = [None] * ended

    def end(_: sa.Connection) -> None:
        if left:
            left.pop()
            raise sa.exc.OperationalError("BEGIN", {}, Circle("deadlock detected"))

    sa.event.listen(town.rt.engine, "begin", end)
    writer = Writer(town.rt)
    [answer] = asyncio.run(store(writer, [opened(town, 1)]))
    writer.stop()
    sa.event.remove(town.rt.engine, "begin", end)
    assert (answer[0] if isinstance(answer, list) else type(answer).__name__) == outcome
    assert town.rows(inbound) == (outcome == "handled")


class Elsewhere(Counting):
    """The runtime with another database."""

    def __init__(self, town: Town, engine: sa.Engine) -> None:
        super().__init__(town)
        self.begin = engine.begin


def test_on_postgresql_it_gives_way_to_workers_twice_and_then_waits_as_they_do(
    town: Town, postgres_engine: sa.Engine
) -> None:
    left, said = [None] * 3, []

    def end(_: sa.Connection, __: object, statement: str, *___: object) -> None:
        said.append(statement)
        if left and statement.startswith("INSERT INTO inbound"):
            left.pop()
            raise sa.exc.OperationalError(statement, {}, Circle("deadlock detected"))

    sa.event.listen(postgres_engine, "before_cursor_execute", end)
    writer = Writer(Elsewhere(town, postgres_engine))
    assert asyncio.run(store(writer, [opened(town, 1)])) == [["unmatched"]]
    writer.stop()
    tries = [one for one in said if "lock_timeout" in one or one.startswith("INSERT INTO inbound")]
    assert ["lock_timeout" in one for one in tries] == [True, False, True, False, False, False]


def test_hits_that_wait_together_share_one_commit_and_each_is_led_on(town: Town) -> None:
    needs = Counting(town)
    writer = Writer(needs)

    async def hits() -> list[str]:
        waiting = [
            asyncio.ensure_future(
                writer.take(Hit(EventKind.CLICKED, town.sent, needs.now(), {"user_agent": f"{n}"}, url))
            )
            for n, url in enumerate(["https://a.example/", "https://b.example/", "https://c.example/"])
        ]
        waiting.append(asyncio.ensure_future(writer.take(Glance("weekly", "2026-12-01T12:00[UTC]", needs.now(), {}))))
        await asyncio.sleep(0)
        writer.start()
        return await asyncio.gather(*waiting)

    answers = asyncio.run(hits())
    writer.stop()
    assert answers == ["https://a.example/", "https://b.example/", "https://c.example/", ""]
    assert needs.commits == 1


def test_what_waits_is_written_before_the_writer_stops(town: Town) -> None:
    writer = Writer(Counting(town))

    async def leave() -> None:
        task = asyncio.ensure_future(writer.store(opened(town, 1)))
        await asyncio.sleep(0)
        writer.start()
        writer.stop()
        assert await task == ["handled"]

    asyncio.run(leave())
    assert town.rows(inbound) == 1
