"""Planning an audience into the ledger, and `why` one contact gets a message, beside the plainest SQL for the same.

A promotion on two channels to everybody, with everything that policy.yaml can say: an excluded segment, a holdout, two
variants, three caps and the contacts' own wishes, quiet hours, routing by the value of a contact; and a newsletter by
the shipped policy. The rows that come of it are then written again by one plain INSERT … SELECT, in the same database,
and taken back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bench.clock import Figures
from bench.crowd import NOW, Crowd, crowd
from bench.stage import ROOT, SECRET
from vinculo import audience, contacts, project
from vinculo.audience import trace
from vinculo.model import Moment, Occurrence
from vinculo.project import Project
from vinculo.project.schema import Campaign, Policy

#: `CROWD_CONTACTS=100000 CROWD_EVENTS=2000000 LEDGER=1000000` is a quick look; the goals are set for the defaults.
CONTACTS = int(os.environ.get("CROWD_CONTACTS", "1000000"))
EVENTS = int(os.environ.get("CROWD_EVENTS", "20000000"))
LEDGER = int(os.environ.get("LEDGER", "10000000"))
DATABASES = os.environ.get("DATABASES", "sqlite,postgresql").split(",")
SALE = Campaign.model_validate(
    {
        "name": "bench-sale",
        "kind": "promotion",
        "segment": "everyone",
        "exclude": ["staff"],
        "topic": "offers",
        "channels": ["email", "sms"],
        "template": "black-friday",
        "holdout": "5%",
        "variants": {"a": {}, "b": {}},
    }
)
#: What most sends are: one channel, by the shipped policy.
NEWS = Campaign.model_validate(
    {
        "name": "bench-news",
        "kind": "newsletter",
        "segment": "everyone",
        "exclude": ["staff"],
        "topic": "news",
        "channels": ["email"],
        "template": "weekly-news",
    }
)
WHEN = Occurrence("bench-sale", datetime.fromisoformat("2026-12-01T09:00"), "contact")
ROUTING = {
    "costs": {"email": "0.002", "sms": "0.12"},
    "tiers": [{"name": "best", "stages": ["champion", "loyal"], "channels": ["email", "sms"]}],
}
#: Contacts of whom `why` is asked.
ASKED = 25
_COLUMNS = (
    "campaign, occurrence, contact_id, state, reason, channel, address, variant, due_at, expires_at, priority, topic, "
    "basis, consent_id, lapses_at"
)


def measure() -> Figures:
    """Seconds and ratios of planning on each database; milliseconds of `why`, on SQLite."""
    found: Figures = {}
    files = _files()
    for database in DATABASES:
        with crowd(Crowd(CONTACTS, EVENTS), database) as engine:
            found |= {f"{database} {name}": figure for name, figure in _planned(engine, files, SALE).items()}
            news = _planned(engine, _shipped(), NEWS)
            found |= {f"{database} newsletter {name}": figure for name, figure in news.items()}
    with crowd(Crowd(CONTACTS, 0, LEDGER), "sqlite") as engine:
        found |= _explained(engine, files)
    return found


def _shipped() -> Project:
    return project.load(ROOT, {**os.environ, "VINCULO__SECRET_KEY": SECRET})


def _files() -> Project:
    """The shipped project, with tiers."""
    from dataclasses import replace

    files = _shipped()
    routed = {**files.policy.model_dump(mode="json", by_alias=True), "routing": ROUTING}
    return replace(files, policy=Policy.model_validate(routed))


def _planned(engine: sa.Engine, files: Project, campaign: Campaign) -> Figures:
    when = Occurrence(campaign.name, WHEN.local, WHEN.zone)
    ours = f"campaign = '{campaign.name}'"
    _tidy(engine)
    with engine.begin() as db:
        zones = contacts.zones(db)
        wall, cpu = _spent(lambda: audience.enter(db, files, campaign, when, NOW, zones=zones))
        rows = db.scalar(sa.text(f"SELECT count(*) FROM delivery WHERE {ours}")) or 0
        db.execute(sa.text(f"CREATE TEMPORARY TABLE kept AS SELECT * FROM delivery WHERE {ours}"))
        db.execute(sa.text(f"DELETE FROM delivery WHERE {ours}"))
        again = sa.text(f"INSERT INTO delivery ({_COLUMNS}) SELECT {_COLUMNS} FROM kept ORDER BY contact_id")
        raw_wall, raw_cpu = _spent(lambda: db.execute(again))
        db.rollback()
    spent, raw = (cpu, raw_cpu) if engine.dialect.name == "sqlite" else (wall, raw_wall)
    return {
        "rows": float(rows), "seconds": wall, "cpu seconds": cpu, "seconds of raw SQL": raw_wall,
        "cpu seconds of raw SQL": raw_cpu, "ratio to raw SQL": spent / raw,
    }  # fmt: skip


def _tidy(engine: sa.Engine) -> None:
    """Take away what plans that were taken back have left: a company has none of it.

    PostgreSQL keeps their millions of dead rows and entries of indexes until it tidies up, and a unique index looks at
    each of them: rows that were ready took 12 s of CPU instead of 8.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(sa.text("VACUUM (FULL, ANALYZE) delivery"))


def _spent(work: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def _explained(engine: sa.Engine, files: Project) -> Figures:
    """Milliseconds of a trace: of the first in a process, and of those after it."""
    home = files.settings.company.timezone
    moment = Moment(NOW, WHEN.local.date())
    with engine.connect().execution_options(read_only=True) as db:
        rows = db.scalar(sa.text("SELECT max(id) FROM delivery")) or 0
        taken = []
        for number in range(ASKED):
            one = 1 + number * (CONTACTS // ASKED)
            asked = db, files, SALE, WHEN, moment, one
            taken.append(1000 * _spent(lambda asked=asked: trace(*asked, zones={home: NOW}))[1])  # type: ignore[misc]
    return {"why: rows of the ledger": float(rows), "why: first, ms": taken[0], "why: ms": taken[1:]}
