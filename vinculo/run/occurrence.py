"""One occurrence from segment to history: start reading here.

A run plans an occurrence into the ledger, drains the ledger through the channels' connectors, and finishes it. Every
step may be repeated at any time, by any number of workers: the ledger hands out each delivery once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby

import sqlalchemy as sa

from vinculo import audience, contacts, history, ledger
from vinculo.connector import Unavailable
from vinculo.deliver import State, deliver
from vinculo.errors import UsageError, VinculoError
from vinculo.ledger import Claim
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign
from vinculo.render import RenderError, sample_sending
from vinculo.run.batch import Batch
from vinculo.run.lease import Lease
from vinculo.run.needs import Needs, ProviderDown


def run_occurrence(
    rt: Needs, campaign: Campaign, occurrence: Occurrence, *, worker: str, due_now: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Counter[str]:  # fmt: skip
    """Send *occurrence* to its audience in this process; return the number of deliveries per state.

    Raises `ProviderDown` when a channel's provider works for nobody; run it again later.
    """
    begin(rt, campaign, occurrence, due_now=due_now)
    drain(rt, worker=worker, campaign=campaign.name, occurrence=occurrence.key, stop=stop)
    finish(rt, campaign.name, occurrence.key)
    return states(rt, campaign.name, occurrence.key)


def begin(rt: Needs, campaign: Campaign, occurrence: Occurrence, *, due_now: bool = False) -> int:
    """Plan *occurrence* into the ledger: every contact of the segment gets exactly one row. Safe to repeat.

    *due_now* brings an occurrence forward: everybody's message is due at once. Returns the number of new rows. Raises
    `UsageError` when the template fails for its own sample.
    """
    _try_template(rt, campaign)
    with rt.begin() as db:
        ledger.plan_alone(db)
        return _plan(rt, db, campaign, occurrence, due_now=due_now)


def _try_template(rt: Needs, campaign: Campaign) -> None:
    """Refuse a template that fails for its own sample before it fails, for good, for everybody."""
    language = rt.project.settings.company.language
    for channel in campaign.channels:
        try:
            rt.renderer.message(sample_sending(rt.project, campaign.template, channel, language, campaign))
        except RenderError as error:
            raise UsageError(
                f"Nothing is sent: the template fails for its own sample. {error}", "`vinculo preview` shows it."
            ) from None


def rehearse(rt: Needs, campaign: Campaign, occurrence: Occurrence) -> dict[tuple[str, str], int]:
    """What `begin` would plan, by state and reason: it is planned for real, counted, and taken back."""
    with rt.begin() as db:
        trial = db.begin_nested()
        _plan(rt, db, campaign, occurrence, due_now=True)
        counts = ledger.counts(db, campaign.name, occurrence.key)
        trial.rollback()
    return counts


def _plan(rt: Needs, db: sa.Connection, campaign: Campaign, occurrence: Occurrence, *, due_now: bool) -> int:
    zones = contacts.zones(db)
    return audience.enter(db, rt.project, campaign, occurrence, rt.now(), zones=zones, due_now=due_now)


def drain(
    rt: Needs, *, worker: str, campaign: str = "", occurrence: str = "", stop: Callable[[], bool] = lambda: False
) -> Counter[str]:
    """Take due deliveries from the ledger by leases until nothing is left; return the number per outcome.

    When *stop* says so, it ends after the message in flight; what was claimed and not sent is given back. Raises
    `ProviderDown` at the end, after the other channels have been served.
    """
    total: Counter[str] = Counter()
    down: dict[str, str] = {}
    while not stop():
        _recover(rt)
        with rt.begin() as db:
            claims = _claim(rt, db, worker, campaign, occurrence, down)
        if not claims:
            break
        down |= _round(rt, claims, total, stop)
    if down:
        waits = "; ".join(f"{channel}: {reason}" for channel, reason in down.items())
        raise ProviderDown(waits, "Nobody was lost: what was not sent waits in the ledger for the next run.")
    return total


def _recover(rt: Needs) -> None:
    """Take over what dead workers held; what is proved to have gone out enters the history."""
    more = True
    while more:
        now = rt.now()
        with rt.begin() as db:
            recovered = ledger.recover(db, now, idempotent_channels=rt.idempotent_channels)
            history.sent(db, [claim.id for claim in recovered.accepted], now)
        more = recovered.more


def _claim(
    rt: Needs, db: sa.Connection, worker: str, campaign: str, occurrence: str, down: Mapping[str, str]
) -> list[Claim]:
    limits = rt.project.settings.limits
    lease = timedelta(seconds=limits.lease)
    return ledger.claim(
        db, worker, limits.batch, rt.now(), lease, campaign=campaign, occurrence=occurrence, without=tuple(down)
    )


def _round(rt: Needs, claims: Sequence[Claim], total: Counter[str], stop: Callable[[], bool]) -> dict[str, str]:
    """Send *claims*, channel by channel, and give back what did not leave. Returns which channels are down, and why."""
    lease = Lease(rt, claims)
    down: dict[str, str] = {}
    try:
        for channel, share in groupby(sorted(claims, key=lambda claim: claim.channel), lambda claim: claim.channel):
            reason = _hand_over(rt, channel, list(share), lease, total, stop)
            if reason:
                down[channel] = reason
    finally:
        lease.end()
    return down


def _hand_over(
    rt: Needs, channel: str, claims: Sequence[Claim], lease: Lease, total: Counter[str], stop: Callable[[], bool]
) -> str:
    """Send *claims* through *channel*'s connector, as far as it pulls. Returns why it is down."""
    circuit = rt.circuit(channel)
    try:
        connector = rt.connector(channel)
    except VinculoError as error:  # vinculo.toml names none that works: the other channels have theirs
        return error.message
    batch = Batch(rt, connector, claims, lease)
    try:
        if circuit.state(rt.now()) is not State.OPEN:
            with connector:
                for key, outcome in deliver(connector, batch.messages(stop), circuit=circuit, now=rt.now):
                    batch.answer(key, outcome)
    except Unavailable as error:  # it could not even be opened
        circuit.learn(error, rt.now())
    finally:
        total.update(batch.close())
    return circuit.reason if circuit.state(rt.now()) is State.OPEN else ""


def finish(rt: Needs, campaign: str, occurrence: str) -> bool:
    """Mark the occurrence finished if nothing of it is open: no delivery planned, deferred or in doubt."""
    with rt.begin() as db:
        return ledger.finish(db, campaign, occurrence, rt.now())


def states(rt: Needs, campaign: str, occurrence: str) -> Counter[str]:
    """How many deliveries of the occurrence are in each state."""
    total: Counter[str] = Counter()
    with rt.read() as db:
        for (state, _), number in ledger.counts(db, campaign, occurrence).items():
            total[state] += number
    return total
