"""Scoring everybody: the rates, the cuts and the models first; then contacts span by span, each in a transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from vinculo.db.shadow import shadow, shadowed
from vinculo.db.tables import contact, interaction, note, score
from vinculo.model import Moment, decimals
from vinculo.scoring import engagement, outlook, purchasing, rfm, spending, stages, worth
from vinculo.scoring.basis import Basis, Rules
from vinculo.scoring.outlook import Models
from vinculo.scoring.purchasing import Purchasing
from vinculo.scoring.rfm import Span
from vinculo.scoring.spending import Spending
from vinculo.scoring.stages import Moves
from vinculo.scoring.worth import Unrated

#: Contacts that one transaction scores: a second or two, after which others may write.
SPAN = 50_000
Begin = Callable[[], AbstractContextManager[sa.Connection]]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What scoring found: contacts per stage, how many moved, and the models' parameters.

    *changed*: contacts whose stage or RFM is another; each has a line of history about it. Time is in weeks, money in
    *currency*. A model is None, and *why* says so, when there are too few purchases to learn from. *errors* are the
    standard errors of the parameters.
    """

    contacts: int
    stages: Mapping[str, int]
    moved: int
    changed: int
    purchasing: Purchasing | None
    spending: Spending | None
    errors: Mapping[str, float]
    currency: str
    unrated: Sequence[Unrated]
    why: str = ""

    @property
    def notes(self) -> list[str]:
        """What a reader must know: what could not be learnt, and what was left out for want of a rate."""
        lines = [self.why] if self.why else []
        return lines + [
            f"{each.said} without a rate: counted, and of unknown value. {each.remedy}" for each in self.unrated
        ]

    @property
    def markdown(self) -> str:
        """The stages as a table, and the notes: what an artifact shows."""
        rows = "\n".join(f"| {name} | {number:,} |" for name, number in self.stages.items())
        moves = f"{self.moved:,} moved to another stage; stage or RFM of {self.changed:,} changed."
        return "\n\n".join((f"| stage | contacts |\n|---|--:|\n{rows}", moves, *self.notes)) + "\n"


def run(db: sa.Connection, now: datetime, rules: Rules, *, tell: bool = True) -> Fitted:
    """Score every contact as of *now* in one transaction; run again it gives the same.

    Purchases after *now* are left out, so a past date can be asked for. *tell*: the history of what has changed.
    """

    @contextmanager
    def here() -> Iterator[sa.Connection]:
        yield db

    return run_in_spans(here, now, rules, tell=tell)


@contextmanager
def aside(engine: sa.Engine, rules: Rules) -> Iterator[sa.Connection]:
    """A connection whose scores are a copy, for a look with `run` that is kept nowhere and that no writer waits for.

    The history is copied only when a rate is new, which takes time and room as there are events: elsewhere in the
    look nothing is written into it (`tell=False`). All of it sees one moment: a foreign purchase that comes after it
    was asked whether to copy would be converted where it is.
    """
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with shadowed(engine, (score, note)) as db, db.begin():
        if worth.pending(db, replace(rules.rates, home=rules.currency), rules.zone):
            shadow(db, (interaction,))
        yield db


def run_in_spans(
    begin: Begin, now: datetime, rules: Rules, size: int = SPAN, at_once: int = 1, *, tell: bool = True
) -> Fitted:
    """As `run`, in a transaction for each *size* contacts: others can write meanwhile, and nothing is half scored.

    So many are scored *at_once*, in threads: more than one is for a database with several writers.
    """
    with begin() as db:
        basis, todo = prepare(db, now, rules), spans(db, size)

    def scored(span: Span) -> Moves:
        with begin() as db:
            return score_span(db, basis, rules, span, tell=tell)

    if at_once > 1:
        with ThreadPoolExecutor(at_once) as pool:
            moves = sum(pool.map(scored, todo), Moves())
    else:
        moves = sum(map(scored, todo), Moves())
    with begin() as db:
        return conclude(db, basis, rules, moves)


def prepare(db: sa.Connection, now: datetime, rules: Rules) -> Basis:
    """Bring foreign purchases into the project's currency, find the cuts between fifths, and fit the models."""
    currency = rules.currency
    worth.convert(db, replace(rules.rates, home=currency), rules.zone)
    cuts = rfm.cuts(db, now, currency)
    models = outlook.fit(db, now, currency, cuts.buyers)
    return Basis(now, cuts, models, worth.unrated(db, currency, rules.zone, now))


def spans(db: sa.Connection, size: int = SPAN) -> list[Span]:
    """Return the spans of ids in which all contacts lie."""
    # Each by itself: of both at once SQLite looks through all contacts.
    first, last = (db.scalar(sa.select(end(contact.c.id))) for end in (sa.func.min, sa.func.max))
    return [] if first is None else [Span(start, start + size - 1) for start in range(first, last + 1, size)]


def score_span(db: sa.Connection, basis: Basis, rules: Rules, span: Span, *, tell: bool = True) -> Moves:
    """Score the contacts of *span*; return how many moved to another stage. *tell*: their histories, too."""
    now, currency = basis.at, rules.currency
    rfm.write(db, now, currency, basis.cuts, span)
    engagement.write(db, now, span)
    outlook.write(db, now, currency, basis.models, span)
    moment = Moment(now, now.astimezone(ZoneInfo(rules.zone)).date())
    new = stages.stage(rules.lifecycle, rules.segments, moment, rules.currency)
    return stages.move(db, now, new, span, tell=tell)


def conclude(db: sa.Connection, basis: Basis, rules: Rules, moves: Moves) -> Fitted:
    """Count who is in which stage, and tell what was found."""
    count = sa.select(score.c.stage, sa.func.count()).group_by(score.c.stage)
    there = dict(db.execute(count).tuples().all())
    ordered = {each.name: there[each.name] for each in rules.lifecycle.stages if each.name in there}
    models = basis.models
    return Fitted(
        contacts=sum(there.values()),
        stages=ordered | there,
        moved=moves.moved,
        changed=moves.changed,
        purchasing=models.purchasing,
        spending=_major(models.spending, rules.currency),
        errors=dict(_errors(models, rules.currency)),
        currency=rules.currency,
        unrated=basis.unrated,
        why=_why(models.purchasing, models.spending),
    )


def _errors(models: Models, currency: str) -> Iterator[tuple[str, float]]:
    """The standard error of each parameter: that of its logarithm, times itself."""
    told = (
        (models.purchasing, models.purchasing_spread, ("r", "alpha", "a", "b")),
        (_major(models.spending, currency), models.spending_spread, ("p", "q", "v")),
    )
    for model, spread, names in told:
        if model and spread:
            yield from ((name, getattr(model, name) * spread[i][i] ** 0.5) for i, name in enumerate(names))


def _major(spend: Spending | None, currency: str) -> Spending | None:
    """The model as people read it: its scale in whole units of money; its two shapes have none."""
    return spend and replace(spend, v=spend.v / 10 ** decimals(currency))


def _why(buying: Purchasing | None, spend: Spending | None) -> str:
    if buying is None:
        return (
            f"Too few purchases to expect anything from: it needs {purchasing.FEWEST_CONTACTS} buyers, of whom "
            f"{purchasing.FEWEST_RETURNED} came back on another day, and some who have stopped."
        )
    if spend is None:
        return (
            f"Too few amounts: lifetime value needs {spending.FEWEST_RETURNED} buyers who came back and paid, "
            "and not all the same."
        )
    return ""
