"""The ledger's share: CPU within the transactions of a drain that write, by all CPU of the same run.

Those transactions claim, check and mark, settle, record the history, give back and finish; beginning and commit
included. Clocks around each cost less than a microsecond a message; a profiler's would cost more than the ledger.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from bench.clock import Figures, ratios, spent
from bench.stage import CONTACTS, NULL, ROUNDS, Stage, smtp, stage
from vinculo.runtime import Runtime
from vinculo.testing.postfix import PostfixSink


def measure() -> Figures:
    """`share` in percent through SMTP; `share of null` of a run that hands over to nobody."""
    found: dict[str, list[float]] = defaultdict(list)
    with PostfixSink() as sink:
        for _ in range(ROUNDS):
            for target, name in ((smtp(sink.url), ""), (NULL, " of null")):
                with stage(CONTACTS, target) as on:
                    cpu, written, read, sent = _drained(on)
                found[f"cpu{name}"].append(cpu / sent * 1e6)
                found[f"ledger cpu{name}"].append(written / sent * 1e6)
                found[f"loading cpu{name}"].append(read / sent * 1e6)
    shares = {
        f"share{name}": [100 * part for part in ratios(found[f"ledger cpu{name}"], found[f"cpu{name}"])]
        for name in ("", " of null")
    }
    return {**found, **shares}


def _drained(on: Stage) -> tuple[float, float, float, int]:
    """CPU seconds of all, within transactions that write, within those that read; messages accepted."""
    on.plan()
    inside = {"begin": 0.0, "read": 0.0}

    def timed(name: str) -> Any:
        original = getattr(Runtime, name)

        @contextmanager
        def transaction(self: Runtime) -> Iterator[Any]:
            since = time.process_time()
            try:
                with original(self) as db:
                    yield db
            finally:
                inside[name] += time.process_time() - since

        return mock.patch.object(Runtime, name, transaction)

    with timed("begin"), timed("read"):
        took = spent(lambda: (on.drain(), on.finish()))
    return took.cpu, inside["begin"], inside["read"], on.finish()["accepted"]
