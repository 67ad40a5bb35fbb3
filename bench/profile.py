"""Where each microsecond of a message goes: CPU of this process by stage, each without the stages inside it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest import mock

import inscriptis  # noqa: F401 - what rendering imports when it is first asked is no message's, here as in `path`
import premailer  # noqa: F401

from bench.clock import Figures
from bench.stage import CONTACTS, Stage, smtp, stage
from connectors.smtp import Smtp
from vinculo import history, ledger
from vinculo.deliver.feed import Feed
from vinculo.render import Renderer, renderer
from vinculo.run import batch
from vinculo.runtime import Runtime
from vinculo.testing.postfix import PostfixSink

#: Whose calls belong to which stage. What is outside of all of them is the `loop`.
HOOKS: tuple[tuple[str, Any, str], ...] = (
    ("claim", ledger, "recover"),
    ("claim", ledger, "claim"),
    ("load", batch, "sendings"),
    ("render", Renderer, "prepare"),
    ("render", Renderer, "message"),
    ("mime", renderer, "sealed"),
    ("mark", ledger, "submit"),
    ("settle", ledger, "settle"),
    ("settle", ledger, "release"),
    ("history", history, "sent"),
    ("loop", Feed, "__next__"),
)
STAGES = ("plan", "claim", "load", "render", "mime", "mark", "smtp", "settle", "history", "commit", "loop")


class Stages:
    """Hands the CPU time of this process to whichever stage is innermost, but for what looking at the clock takes."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._look = _cost_of_looking()
        self._stack = ["outside"]
        self._since = time.process_time_ns()

    def enter(self, name: str) -> None:
        self._book()
        self._stack.append(name)

    def leave(self) -> None:
        self._book()
        self._stack.pop()

    def _book(self) -> None:
        now = time.process_time_ns()
        self.spent[self._stack[-1]] += now - self._since - self._look
        self._since = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self.enter(name)
        try:
            yield
        finally:
            self.leave()

    def call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """*function*, booked on stage *name*."""

        @wraps(function)
        def booked(*args: Any, **options: Any) -> Any:
            self.enter(name)
            try:
                return function(*args, **options)
            finally:
                self.leave()

        return booked

    def each(self, name: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """The generator *function*, booked on stage *name* while it runs, not while it waits."""

        @wraps(function)
        def booked(*args: Any, **options: Any) -> Iterator[Any]:
            answers = function(*args, **options)
            while True:
                self.enter(name)
                try:
                    answer = next(answers)
                except StopIteration:
                    return
                finally:
                    self.leave()
                yield answer

        return booked

    def transaction(self, begin: Callable[..., AbstractContextManager[Any]]) -> Callable[..., Any]:
        """A transaction whose beginning and commit are booked as `commit`; its inside as what it calls."""

        @contextmanager
        def booked(*args: Any) -> Iterator[Any]:
            with ExitStack() as stack:
                with self.stage("commit"):
                    db = stack.enter_context(begin(*args))
                yield db
                with self.stage("commit"):
                    stack.close()

        return booked


def _cost_of_looking(times: int = 100_000) -> int:
    """Nanoseconds that one look at the CPU clock takes here; it is a call of the system."""
    since = time.process_time_ns()
    for _ in range(times):
        time.process_time_ns()
    return (time.process_time_ns() - since) // times


def measure() -> Figures:
    """Microseconds a message by stage, through SMTP into smtp-sink."""
    with PostfixSink() as sink, stage(CONTACTS, smtp(sink.url)) as on:
        return profiled(on)


def profiled(on: Stage) -> Figures:
    """Send once, with the stages booked."""
    stages = Stages()
    with hooked(stages):
        with stages.stage("plan"):
            on.plan()
        with stages.stage("loop"):
            on.drain()
            sent = on.finish()["accepted"]
    return {name: stages.spent[name] / sent / 1e3 for name in STAGES}


@contextmanager
def hooked(stages: Stages) -> Iterator[None]:
    """Book the calls of the path on *stages* until the block ends."""
    with ExitStack() as stack:
        put = [(owner, name, stages.call(stage, getattr(owner, name))) for stage, owner, name in HOOKS]
        put.append((Smtp, "send_many", stages.each("smtp", Smtp.send_many)))
        put.append((Runtime, "begin", stages.transaction(Runtime.begin)))
        for owner, name, function in put:
            stack.enter_context(mock.patch.object(owner, name, function))
        yield
