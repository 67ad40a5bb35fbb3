"""One occurrence from segment to history: start reading here.

A run plans an occurrence into the ledger, drains the ledger through the channels' connectors, and finishes it. Every
step may be repeated at any time, by any number of workers: the ledger hands out each delivery once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing

from vinculo import audience, contacts, ledger
from vinculo.connector import InDoubt
from vinculo.errors import NotReady, UsageError
from vinculo.model import Occurrence
from vinculo.project.schema import Campaign
from vinculo.render import RenderError, sample_sending
from vinculo.run.garbage import rarely_collected
from vinculo.run.needs import Needs, ProviderDown, Stop, Unless, never, require_whole
from vinculo.run.shift import Shift


def run_occurrence(
    rt: Needs, campaign: Campaign, occurrence: Occurrence, *, worker: str, due_now: bool = False, stop: Stop = never
) -> Counter[str]:
    """Send *occurrence* to its audience in this process; return the number of deliveries per state.

    Raises `ProviderDown` when a channel's provider works for nobody; run it again later.
    """
    begin(rt, campaign, occurrence, due_now=due_now)
    drain(rt, worker=worker, campaign=campaign.name, occurrence=occurrence.key, stop=stop)
    finish(rt, campaign.name, occurrence.key)
    return states(rt, campaign.name, occurrence.key)


def begin(
    rt: Needs, campaign: Campaign, occurrence: Occurrence, *, due_now: bool = False, stop: Stop = never,
    unless: Unless = never,
) -> int:  # fmt: skip
    """Plan *occurrence* into the ledger: every contact of the segment gets exactly one row. Safe to repeat.

    *due_now* brings an occurrence forward: everybody's message is due at once. Returns the number of new rows; none
    when *unless* says so. Raises `UsageError` when the template fails for its own sample; on SQLite `NotReady`, with
    nobody planned, when *stop* says so.
    """
    require_whole(rt.project)
    _try_template(rt, campaign)
    with rt.begin() as db:
        ledger.plan_alone(db)
        zones, now = contacts.zones(db), rt.now()
        if unless(db, zones):
            return 0
        return audience.enter(db, rt.project, campaign, occurrence, now, zones=zones, due_now=due_now, stop=stop)


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
        audience.enter(db, rt.project, campaign, occurrence, rt.now(), zones=contacts.zones(db), due_now=True)
        counts = ledger.counts(db, campaign.name, occurrence.key)
        trial.rollback()
    return counts


def drain(
    rt: Needs, *, worker: str, campaign: str = "", occurrence: str = "", stop: Callable[[], bool] = lambda: False
) -> Counter[str]:
    """Take due deliveries from the ledger by leases until nothing is left; return the number per outcome.

    What a rate holds back is waited for, unless its turn is minutes away. When *stop* says so, it ends after the
    message in flight; what was claimed and not sent is given back. Raises `ProviderDown` at the end, after the other
    channels have been served; before anything, `NotReady` when the database is a copy or a file of the plan is wrong.
    """
    require_whole(rt.project)
    with rarely_collected(), closing(Shift(rt, worker, campaign, occurrence, stop)) as shift:
        while not stop():
            claims = shift.claim()
            if claims is None and not shift.wait():
                break
            shift.round(claims or [])
    if shift.down:
        waits = "; ".join(f"{channel}: {reason}" for channel, reason in shift.down.items())
        raise ProviderDown(waits, f"{_in_doubt(shift.total)}What was not sent waits in the ledger for the next run.")
    if shift.paused:
        broken = "; ".join(f"{name} is paused, {reason}" for name, reason in shift.paused.items())
        raise NotReady(broken, "Nobody was left out for that. Mend the template, then `vinculo resume NAME`.")
    return shift.total


def _in_doubt(total: Counter[str]) -> str:
    """How many messages had no answer, for whoever would think that none of them left."""
    number = total[InDoubt.__name__.lower()]
    words = f"{number:,} had no answer, and may have arrived: `vinculo resolve` lists what is in doubt. "
    return words if number else ""


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
