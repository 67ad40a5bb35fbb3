"""The main path against the naive loop, as ratios inside one run: `make bench`.

The naive loop renders with Jinja, inlines with premailer, builds an EmailMessage, sends with smtplib and commits, one
message at a time. Both send the weekly news to the same contacts through the same mail server, in turn; start-up is
not counted. CPU time is this process's own; the server runs in another.
"""

from __future__ import annotations

import json
import os
import smtplib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jinja2 import Environment, FileSystemLoader
from premailer import Premailer

from vinculo import contacts, project, run
from vinculo.db import connect, migration
from vinculo.demo import company
from vinculo.render import local, sample_sending
from vinculo.render.sending import context
from vinculo.runtime import Runtime, utcnow

ROUNDS, NAIVE, CONTACTS = 5, 30, 2000
ROOT = Path(__file__).parents[1]
SERVER = """
import sys, time
from vinculo.testing.smtp import SmtpSink
print(SmtpSink().start().url, flush=True)
sys.stdin.read()
"""


def measured(work: Callable[[], int]) -> tuple[float, float, int]:
    """Wall and CPU microseconds a message, and how many messages."""
    wall, cpu = time.perf_counter(), time.process_time()
    number = work()
    return (time.perf_counter() - wall) / number * 1e6, (time.process_time() - cpu) / number * 1e6, number


def naive(rt: Runtime, people: list[int], url: str) -> int:
    """What a weekend's script does."""
    jinja = Environment(loader=FileSystemLoader(ROOT / "templates"), autoescape=True)
    jinja.filters.update(local.FILTERS)
    facts = _facts(rt)
    host, port = url.removeprefix("smtp://").split(":")
    with rt.engine.connect() as db:
        for number in people:
            facts["contact"]["given_name"] = contacts.load(db, [number])[number].given_name
            html = jinja.get_template("weekly-news/email.pt.html").render(facts)
            message = EmailMessage()
            message["From"], message["To"], message["Subject"] = "ola@casaaurora.example", "a@correio.example", "News"
            message.set_content("text")
            inlined = Premailer(html, allow_network=False, disable_validation=True, cssutils_logging_level=50)
            message.add_alternative(inlined.transform(), subtype="html")
            with smtplib.SMTP(host, int(port)) as server:
                server.send_message(message)
            db.rollback()
            with rt.begin() as write:
                write.execute(sa.text("INSERT INTO note VALUES (:n, '') ON CONFLICT DO NOTHING"), {"n": f"{number}"})
    return len(people)


def _facts(rt: Runtime) -> dict[str, Any]:
    sending = sample_sending(rt.project, "weekly-news", "email", "pt", None)
    links = dict.fromkeys(("unsubscribe", "preferences", "view", "survey"), "https://casaaurora.example/x")
    return context(sending, rt.project.settings.company, "pt", links)


def engine(rt: Runtime, name: str) -> int:
    """One claimed batch after another through the ledger, until nothing is left."""
    outcomes = run.drain(rt, worker="bench", campaign=name)
    return outcomes["accepted"]


def plan(rt: Runtime, name: str) -> None:
    """An occurrence for a tenth of the contacts."""
    definition = {
        "name": name,
        "kind": "newsletter",
        "template": "weekly-news",
        "segment": "active",
        "topic": "news",
        "channels": ["email"],
        "holdout": 80,
    }
    run.start(rt, definition, utcnow(), adhoc=True)


def main() -> None:
    """Run the rounds, print medians, write them as JSON beside the printed ones."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert server.stdout
    url = server.stdout.readline().strip()
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "VINCULO__SMTP__URL": url, "VINCULO__SECRET_KEY": "of the benchmark alone"}
        store = connect(f"sqlite:///{folder}/vinculo.db")
        migration.upgrade(store)
        with Runtime(project.load(ROOT, environ), store, utcnow) as rt:
            with rt.begin() as db:
                company.lay(db, signer=rt.signer, seed=7, contacts=CONTACTS, now=datetime.now(UTC))
            rounds = [one_round(rt, number, url) for number in range(ROUNDS)]
    server.kill()
    report(rounds)


def one_round(rt: Runtime, number: int, url: str) -> dict[str, float]:
    """Both ways once; who begins alternates."""
    plan(rt, f"bench-{number}")
    ways: dict[str, Callable[[], int]] = {
        "engine": lambda: engine(rt, f"bench-{number}"),
        "naive": lambda: naive(rt, list(range(30, 30 + NAIVE)), url),
    }
    found: dict[str, float] = {}
    for name in sorted(ways, reverse=bool(number % 2)):
        wall, cpu, sent = measured(ways[name])
        found |= {f"{name} wall": wall, f"{name} cpu": cpu, f"{name} sent": sent}
    return found


def report(rounds: list[dict[str, float]]) -> None:
    """Medians over the rounds; the first round warms the caches and is left out."""
    counted = rounds[1:]
    median = {key: statistics.median(one[key] for one in counted) for key in counted[0]}
    for what in ("wall", "cpu"):
        ratios = [one[f"naive {what}"] / one[f"engine {what}"] for one in counted]
        median[f"naive / engine, {what}"] = statistics.median(ratios)
        ours, theirs = median[f"engine {what}"], median[f"naive {what}"]
        spread = f"{statistics.median(ratios):5.1f} ({min(ratios):.1f}–{max(ratios):.1f})"
        print(f"{what:4}  engine {ours:8.0f} µs a message   naive {theirs:8.0f} µs   naive ÷ engine {spread}")
    out = ROOT / "var" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(median, indent=2))
    print(f"medians of {len(counted)} rounds of {median['engine sent']:.0f} messages; in {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
