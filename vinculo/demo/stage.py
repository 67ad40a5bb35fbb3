"""`vinculo demo`: the demo company at work on this machine, from the calendar to each contact's history."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from vinculo import feedback, loyalty, report, run, scoring
from vinculo.db import connect, migration
from vinculo.db.tables import conversation, interaction
from vinculo.demo import behaviour, company
from vinculo.errors import VinculoError
from vinculo.launch import Installation, Supervisor, free_port
from vinculo.runtime import Runtime, open_runtime
from vinculo.testing.gateway import GatewayFake
from vinculo.testing.smtp import SmtpSink

#: What the demo sends: the forms that a marketer fills in the Prefect UI.
SENDS: Mapping[str, Mapping[str, Any]] = {
    "newsletter": {
        "name": "demo-news",
        "template": "weekly-news",
        "segment": "active",
        "topic": "news",
        "channels": ["email"],
        "test": False,
    },
    "promotion": {
        "name": "demo-offer",
        "template": "black-friday",
        "segment": "customers",
        "topic": "offers",
        "channels": ["email", "sms"],
        "test": False,
    },
}
#: And a campaign of the calendar, brought forward as `vinculo run` does: who answers it gives the score, and who is
#: unhappy is heard.
SURVEY = "satisfaction"
#: How long one send may take before the demo says that something is wrong, in seconds.
PATIENCE = 900


@dataclass
class Stage:
    """The demo's parts: the installation, what catches its messages, and who is told of the progress."""

    installation: Installation
    catcher: SmtpSink
    gateway: GatewayFake
    listen_port: int
    contacts: int
    seed: int
    say: Callable[[str], None]

    def runtime(self) -> Runtime:
        """The demo's project, database and clock. Its settings are in the environment."""
        return open_runtime(self.installation.root)


@contextmanager
def prepared(root: Path, *, contacts: int, seed: int, say: Callable[[str], None]) -> Iterator[Stage]:
    """Clear the stage, choose ports, and start what catches messages; all of it ends with the block."""
    var = root / "var" / "demo"
    shutil.rmtree(var, ignore_errors=True)
    outbox = var / "outbox"
    outbox.mkdir(parents=True)
    ports = _ports(say)
    web_url = f"http://127.0.0.1:{ports['web']}"
    with (
        SmtpSink(folder=outbox) as catcher,
        GatewayFake(folder=outbox, webhook_url=f"{web_url}/webhooks/sms") as gateway,
    ):
        env = {
            "VINCULO__DATABASE__URL": f"sqlite:///{var / 'vinculo.db'}",
            "VINCULO__SECRET_KEY": secrets.token_urlsafe(32),
            "VINCULO__SMTP__URL": catcher.url,
            "VINCULO__GATEWAY__URL": gateway.url,
            "VINCULO__GATEWAY__TOKEN": gateway.token,
            "VINCULO__GATEWAY__WEBHOOK_SECRET": gateway.webhook_secret,
            "VINCULO__WEB__URL": web_url,
            "VINCULO__WEB__PORT": str(ports["web"]),
            "VINCULO__WEB__OUTBOX": str(outbox),
            "VINCULO__LISTEN__SMTP": f"127.0.0.1:{ports['listen']}",
        }
        installation = Installation(root, var, ports["prefect"], web_url, env)
        yield Stage(installation, catcher, gateway, ports["listen"], contacts, seed, say)


def _ports(say: Callable[[str], None]) -> dict[str, int]:
    ports: dict[str, int] = {}
    for name, wanted in {"prefect": 4200, "web": 8500, "listen": 2525}.items():
        ports[name] = free_port(wanted, set(ports.values()))
        if ports[name] != wanted:
            say(f"  port {wanted} is in use: {name} takes {ports[name]}")
    return ports


def play(stage: Stage, supervisor: Supervisor) -> list[str]:
    """Lay the company, start everything, send, let the contacts answer; return the names of what was sent."""
    stage.say(f"Laying Casa Aurora: {stage.contacts:,} contacts and three years of purchases …")
    lay(stage)
    stage.say("Starting the Prefect server, deploying the flows, starting worker and web app …")
    stage.installation.start(supervisor)
    for deployment in SENDS:
        send(stage, deployment)
    ask(stage)
    listen(stage)
    return [*(str(form["name"]) for form in SENDS.values()), SURVEY]


def lay(stage: Stage) -> None:
    """Make the database and fill it from the seed, then score everybody and give them their points."""
    engine = connect(stage.installation.env["VINCULO__DATABASE__URL"])
    migration.upgrade(engine)
    engine.dispose()
    now = datetime.now(UTC)
    with stage.runtime() as rt, rt.begin() as db:
        laid = company.lay(db, signer=rt.signer, seed=stage.seed, contacts=stage.contacts, now=now)
        rules = scoring.Rules.of(rt.project)
        scoring.run(db, now, rules)
        if rt.project.loyalty:
            loyalty.earn(db, rt.project.loyalty, now, rules.currency)
    stage.say("  " + ", ".join(f"{number:,} {what}" for what, number in laid.items()))


def send(stage: Stage, deployment: str) -> None:
    """Start a deployment run and show how the ledger moves until it has ended. Raises when it did not end well."""
    api, form = stage.installation.api, SENDS[deployment]
    stage.say(f"Starting the deployment {deployment} for {form['name']} …")
    number = api.start(f"{deployment}/{deployment}", {"form": form})

    def tick() -> None:
        with stage.runtime() as rt:
            states = run.states(rt, str(form["name"]), "")
        if states:
            stage.say("  " + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items())))

    state = api.wait(number, seconds=PATIENCE, tick=_every(5, tick))
    tick()
    if state["type"] != "COMPLETED":
        raise VinculoError(
            f"The {deployment} run ended {state['name']}: {state.get('message')}",
            f"See {api.run_url(number)} and {stage.installation.var / 'log'}.",
        )


def ask(stage: Stage) -> None:
    """Send the survey now, in this process."""
    stage.say(f"Asking recent buyers: {SURVEY}, the next of the calendar, brought forward …")
    with stage.runtime() as rt:
        campaign = rt.project.campaigns[SURVEY]
        states = run.run_occurrence(rt, campaign, run.pick(rt, campaign), worker="demo", due_now=True)
    stage.say("  " + ", ".join(f"{count:,} {state}" for state, count in sorted(states.items())))


def listen(stage: Stage) -> None:
    """Let the contacts answer through the real doors, and wait until all of it is in the history."""
    received = stage.catcher.received
    stage.say(f"The contacts look at {len(received):,} messages …")
    acts = behaviour.acts(received, seed=stage.seed, now=datetime.now(UTC))
    stage.say(f"The contacts answer: {len(acts):,} requests, mails and purchases …")
    last = [time.monotonic()]

    def progress(done: int) -> None:
        if time.monotonic() - last[0] > 5:
            last[0] = time.monotonic()
            stage.say(f"  {done:,} of {len(acts):,}")

    with stage.runtime() as rt:

        def buy(purchase: behaviour.Purchase) -> None:
            with rt.begin() as db:
                feedback.receive(db, purchase.event, signer=rt.signer, now=rt.now())

        done = behaviour.perform(acts, smtp=("127.0.0.1", stage.listen_port), progress=progress, buy=buy)
        if done["failed"]:
            raise VinculoError(
                f"{done['failed']} answers found a closed door", f"See {stage.installation.var / 'log'}."
            )
        with rt.read() as db:
            came = db.execute(_answers()).all()
    stage.say("  in the history now: " + ", ".join(f"{number:,} {kind}" for kind, number in came))


def _answers() -> sa.Select[tuple[str, int]]:
    i = interaction.c
    number = sa.func.count()
    mine = sa.select(i.kind, number).where(i.direction == "in", i.delivery_id.is_not(None))
    return mine.group_by(i.kind).order_by(number.desc(), i.kind)


def links(stage: Stage) -> dict[str, str]:
    """Where to look: the pages that show what happened."""
    web = stage.installation.web_url
    with stage.runtime() as rt, rt.read() as db:
        busiest = db.scalar(
            sa.select(interaction.c.contact_id)
            .where(interaction.c.direction == "in", interaction.c.delivery_id.is_not(None))
            .group_by(interaction.c.contact_id)
            .order_by(sa.func.count(sa.distinct(interaction.c.kind)).desc(), interaction.c.contact_id)
            .limit(1)
        )
    return {
        "Prefect UI": stage.installation.api.url.removesuffix("/api"),
        "calendar and plan": f"{web}/calendar",
        "outbox": f"{web}/outbox",
        "conversations": f"{web}/inbox",
        "the survey": f"{web}/campaigns/{SURVEY}",
        "a contact's history": f"{web}/contacts/{busiest or 1}",
    }


def figures(stage: Stage, names: list[str]) -> list[list[tuple[str, str]]]:
    """What each send brought, by name: the headline of its report, the survey's score, conversations."""
    with stage.runtime() as rt, rt.read() as db:
        reports = [report.campaign_report(db, name) for name in names]
        c = conversation.c
        talks = dict(db.execute(sa.select(c.campaign, sa.func.count()).group_by(c.campaign)).tuples().all())
    return [
        [("", one.campaign), *report.headline(one), ("net promoter score", _score(one)),
         ("conversations", f"{talks.get(one.campaign, 0):,}")]
        for one in reports
    ]  # fmt: skip


def _score(found: report.Report) -> str:
    """From -100 to 100, with the interval that holds the truth in 95 of 100 cases."""
    score = found.survey.score if found.survey else None
    return f"{100 * score.estimate:+.0f} ({100 * score.low:+.0f} to {100 * score.high:+.0f})" if score else "–"


def _every(seconds: float, call: Callable[[], None]) -> Callable[[], None]:
    last = [time.monotonic()]

    def maybe() -> None:
        if time.monotonic() - last[0] >= seconds:
            last[0] = time.monotonic()
            call()

    return maybe
