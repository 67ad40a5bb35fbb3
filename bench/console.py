"""The console and the contacts' pages on a crowd: how long each waits for its answer, the first asking left out.

The crowd has a ledger, conversations, and answers that belong to deliveries. Nothing is changed: a plan is taken back.
`ONLY=console CROWD_CONTACTS=1000000 CROWD_EVENTS=20000000 LEDGER=0` asks the crowd of the other benchmarks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from starlette.testclient import TestClient

from bench.clock import Figures
from bench.crowd import NOW, Crowd, crowd
from bench.stage import ROOT, ROUNDS, SECRET
from vinculo import project
from vinculo.db.tables import delivery, interaction
from vinculo.runtime import Runtime
from vinculo.web import create_app

#: The ledger holds the last ten sends to everybody.
SIZE = Crowd(
    int(os.environ.get("CROWD_CONTACTS", "100000")),
    int(os.environ.get("CROWD_EVENTS", "2000000")),
    int(os.environ.get("LEDGER", "1000000")),
)
DATABASES = os.environ.get("DATABASES", "sqlite,postgresql").split(",")
#: Only pages with this in their address, for a quick look.
PAGE = os.environ.get("PAGE", "")
_CONSOLE = (
    "/",
    "/calendar",
    "/plan",
    "/plan?anew=yes",
    "/campaigns",
    "/campaigns/weekly-news",
    "/campaigns/weekly-news?occurrence={occurrence}",
    "/contacts",
    "/contacts?q=silva",
    "/contacts?q=zzzz",
    "/contacts?q=c0000077",
    "/contacts/{contact}",
    "/contacts/{contact}?limit=2000",
    "/contacts/duplicates",
    "/inbox",
    "/inbox?state=all",
    "/inbox?state=closed&from=5000",
    "/inbox/times",
    "/inbox/times?weeks=104",
    "/inbox/{conversation}",
    "/outbox",
    "/login",
    "/healthz",
)
_THEIRS = ("/preferences/{preferences}", "/unsubscribe/{unsubscribe}", "/view/{view}")


def measure() -> Figures:
    """Milliseconds of each page on each database."""
    found: Figures = {}
    for database in DATABASES:
        with crowd(SIZE, database) as engine, _console(engine) as (rt, client):
            for page in _addresses(rt):
                taken = [_asked(client, page[1]) for _ in range(max(ROUNDS, 2))]
                found[f"{database} {page[0]}"] = taken[1:] or taken
                print(f"  {database} {page[0]:50} {taken[0]:9.0f} {min(taken[1:]):9.0f} ms", flush=True)
    return found


@contextmanager
def _console(engine: sa.Engine) -> Iterator[tuple[Runtime, TestClient]]:
    files = project.load(ROOT, {**os.environ, "VINCULO__SECRET_KEY": SECRET})
    rt = Runtime(files, engine, lambda: NOW)
    with TestClient(create_app(rt), base_url=files.settings.web.url, follow_redirects=False) as client:
        yield rt, client


def _addresses(rt: Runtime) -> list[tuple[str, str]]:
    """Each page as it is called here, and where it is found in this crowd."""
    d, i = delivery.c, interaction.c
    with rt.read() as db:
        newest = sa.select(d.id, d.occurrence, d.contact_id).where(d.campaign == "weekly-news")
        sent = db.execute(newest.order_by(d.due_at.desc()).limit(1)).first()
        busy = sa.select(i.contact_id).group_by(i.contact_id).order_by(sa.func.count().desc(), i.contact_id)
        contact = db.scalar(busy.limit(1))
        talk = db.scalar(sa.text("SELECT max(id) FROM conversation"))
    assert sent is not None
    known = {"occurrence": sent.occurrence, "contact": contact, "conversation": talk or 0}
    known |= {"preferences": rt.signer.token("preferences", sent.contact_id)}
    known |= {purpose: rt.signer.token(purpose, sent.id) for purpose in ("unsubscribe", "view")}
    pages = [page for page in (*_CONSOLE, *_THEIRS) if PAGE in page]
    return [(page, page.format(**known)) for page in pages if talk or "{conversation}" not in page]


def _asked(client: TestClient, address: str) -> float:
    since = time.perf_counter()
    answer = client.get(address)
    taken = time.perf_counter() - since
    assert answer.status_code in {200, 303}, (address, answer.status_code)
    return 1000 * taken
