"""The goals, and whether they are reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Results = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True, slots=True)
class Target:
    """A goal for the median of one figure. *least*: the figure should be at least so much, else at most."""

    benchmark: str
    figure: str
    words: str
    gate: float
    aim: float
    least: bool = True

    def reached(self, value: float) -> str:
        """Which of `aim` and `gate` *value* reaches."""
        for name, bound in (("aim", self.aim), ("gate", self.gate)):
            if value >= bound if self.least else value <= bound:
                return name
        return "no"


TARGETS = (
    Target("path", "ratio", "end to end ÷ smtp-source -s 8, messages a second", 0.8, 1.0),
    Target("connector", "ratio", "SMTP connector alone ÷ smtp-source -s 8", 1.2, 1.4),
    Target("naive", "ratio", "naive loop ÷ engine, CPU a message", 100, 150),
    Target("ledger", "share", "the ledger's share of the engine's CPU, %", 8, 5, least=False),
    Target("memory", "ratio", "memory at 1,000,000 contacts ÷ at 10,000", 1.1, 1.05, least=False),
    Target("latency", "ratio", "rate ÷ (128 connections ÷ 50 ms)", 0.85, 0.9),
    Target("orchestration", "cost", "what Prefect adds at 100,000 messages, %", 2, 1, least=False),
    Target("orchestration", "two workers", "two workers ÷ one on PostgreSQL, messages a second", 1.0, 1.5),
    Target("value", "s", "RFM of a million contacts with 20,000,000 events, s", 5, 3, least=False),
    Target("tracking", "ratio", "nginx with a file ÷ a durable opening, CPU a request", 0.12, 0.2),
    Target("tracking", "hitwise", "a commit a hit ÷ a durable opening, CPU a request", 10, 20),
    Target("segments", "sqlite ratio", "worst segment ÷ best SQL by hand, 1M/20M, SQLite", 1.2, 1.05, least=False),
    Target(
        "segments", "postgresql ratio", "worst segment ÷ best SQL by hand, 1M/20M, PostgreSQL", 1.2, 1.05, least=False
    ),
    Target("segments", "sqlite facts", "slowest segment over maintained facts, ms, SQLite", 20, 5, least=False),
    Target("segments", "postgresql facts", "slowest segment over maintained facts, ms, PostgreSQL", 20, 5, least=False),
    Target("planning", "sqlite seconds", "planning a million, a promotion, SQLite, s", 10, 8, least=False),
    Target("planning", "postgresql seconds", "planning a million, a promotion, PostgreSQL, s", 10, 8, least=False),
    Target("planning", "sqlite newsletter seconds", "planning a million, a newsletter, SQLite, s", 10, 8, least=False),
    Target(
        "planning",
        "postgresql newsletter seconds",
        "planning a million, a newsletter, PostgreSQL, s",
        10,
        8,
        least=False,
    ),
    Target(
        "planning",
        "sqlite ratio to raw SQL",
        "planning ÷ INSERT … SELECT of the same rows, SQLite",
        3,
        2.5,
        least=False,
    ),
    Target(
        "planning",
        "postgresql ratio to raw SQL",
        "planning ÷ INSERT … SELECT of the same rows, PostgreSQL",
        1.5,
        1.25,
        least=False,
    ),
    Target("planning", "why: ms", "why one contact, 10,000,000 rows in the ledger, ms", 50, 20, least=False),
    Target("importing", "sqlite µs", "import on SQLite, µs a contact (15 is a million in 15 s)", 15, 10, least=False),
    Target("importing", "postgresql µs", "import on PostgreSQL, µs a contact", 15, 10, least=False),
    Target("importing", "sqlite known", "import of contacts that are there ÷ of new ones, SQLite", 1, 0.5, least=False),
    Target(
        "importing",
        "postgresql known",
        "import of contacts that are there ÷ of new ones, PostgreSQL",
        1,
        0.5,
        least=False,
    ),
    Target("importing", "sqlite memory", "memory of an import, all ÷ a tenth, SQLite", 1.1, 1.05, least=False),
    Target("importing", "postgresql memory", "memory of an import, all ÷ a tenth, PostgreSQL", 1.1, 1.05, least=False),
)


def table(results: Results) -> list[str]:
    """The goals of the benchmarks that ran, a line each."""
    lines = [f"{'goal':56} {'gate':>8} {'aim':>8} {'median':>9} {'min':>9} {'max':>9}  reached"]
    for target in TARGETS:
        found = results.get(target.benchmark, {}).get(target.figure)
        if found is not None:
            sign = "≥" if target.least else "≤"
            bounds = f"{sign + f'{target.gate:g}':>8} {sign + f'{target.aim:g}':>8}"
            values = " ".join(f"{found[name]:9.2f}" for name in ("median", "min", "max"))
            lines.append(f"{target.words:56} {bounds} {values}  {target.reached(found['median'])}")
    return lines


def missed(results: Results) -> list[str]:
    """The goals whose gate is not reached."""
    return [
        target.words
        for target in TARGETS
        if (found := results.get(target.benchmark, {}).get(target.figure)) is not None
        and target.reached(found["median"]) == "no"
    ]
