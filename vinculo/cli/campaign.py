"""`vinculo run`: send an occurrence now, in this process, or a test of it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import given, output
from vinculo.cli.given import address, moment

if TYPE_CHECKING:
    from vinculo.model import Occurrence
    from vinculo.project import Campaign
    from vinculo.runtime import Runtime


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("run")(run_campaign)


def run_campaign(  # noqa: PLR0913, PLR0917 - a command's options
    campaign: Annotated[
        str, typer.Argument(metavar="CAMPAIGN", help="Name of a file in plan/calendar, without `.yaml`.")
    ],
    at: Annotated[
        str, typer.Option(metavar="TIME", help="The occurrence due at or before this time, e.g. 2026-12-01T09:00.")
    ] = "",
    to: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="Send a marked test here instead; never counted.")
    ] = None,
    variant: Annotated[
        list[str] | None, typer.Option(metavar="V", help="Of a test: only this variant; else each of them.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(metavar="L", help="Of a test: in this language, e.g. pt or es.")
    ] = None,
    dry_run: output.DryRunFlag = False,
    as_json: output.JsonFlag = False,
) -> None:
    """Send the current occurrence of CAMPAIGN now: the latest that is due, else the next, brought forward."""
    from vinculo import run
    from vinculo.errors import UsageError
    from vinculo.runtime import open_runtime

    with open_runtime(whole=False) as rt:
        definition = run.definition(rt, campaign)
        if to:
            tongues = [given.language(each) for each in language or ()]
            tests = _test(rt, definition, to, variant or [], tongues, dry_run=dry_run)
            output.answer(tests, as_json=as_json, text=lambda: output.line(_tell_test(tests)))
            return
        if variant or language:
            raise UsageError("Only a test is of one variant or language", "Say to whom: --to me@example.com.")
        one = run.read_definition(rt, definition)
        _refuse_cancelled(rt, campaign)
        occurrence = run.pick(rt, one, moment(at, rt.project.settings.company.timezone) if at else None)
        result = _preview(rt, one, occurrence) if dry_run else _send(rt, one, occurrence)
    output.answer(result, as_json=as_json, text=lambda: _show(result))
    if result.get("stopped"):
        raise typer.Exit(output.STOPPED)


def _test(
    rt: Runtime, definition: dict[str, Any], to: list[str], variants: list[str], languages: list[str], *, dry_run: bool
) -> dict[str, Any]:
    from vinculo import run

    channel, country = definition["channels"][0], rt.project.settings.company.country
    addresses = list(dict.fromkeys(address(channel, each, country) for each in to))
    made = run.tested(rt, run.read_definition(rt, definition), variants, languages)
    sent = 0 if dry_run else run.test_send(rt, definition, addresses, variants=variants, languages=languages)
    arms, tongues = ([name for name in dict.fromkeys(names) if name] for names in zip(*made, strict=True))
    named = {"variants": arms, "languages": tongues}
    return {"tests": sent, "to": addresses, "channel": channel, **named, "dry_run": dry_run}


def _tell_test(tests: dict[str, Any]) -> str:
    verb = "A test would be sent" if tests["dry_run"] else "Sent a test"
    of = f" of variant {' and of variant '.join(tests['variants'])}" if tests["variants"] else ""
    tongues = f", each in {', '.join(tests['languages'])}" if tests["languages"] else ""
    return f"{verb}{of} by {tests['channel']} to {', '.join(tests['to'])}{tongues}. It is marked and never counted."


def _refuse_cancelled(rt: Runtime, campaign: str) -> None:
    """Planned now, the occurrence would be cancelled for good: whoever says `run` does not want that."""
    from vinculo import ledger
    from vinculo.errors import UsageError

    with rt.read() as db:
        standing, cause = ledger.standing(db, campaign), ledger.cause(db, campaign)
    if standing == "cancelled":
        because = f" ({cause})" if cause else ""
        raise UsageError(
            f"Nothing is sent: `{campaign}` is cancelled{because}",
            f"`vinculo resume {campaign}` allows new occurrences; what was cancelled stays so.",
        )


def _preview(rt: Runtime, campaign: Campaign, occurrence: Occurrence) -> dict[str, Any]:
    from vinculo import run

    counts = run.rehearse(rt, campaign, occurrence)
    return {"campaign": campaign.name, "occurrence": occurrence.key, "dry_run": True, "funnel": run.funnel(counts)}


def _send(rt: Runtime, campaign: Campaign, occurrence: Occurrence) -> dict[str, Any]:
    import os
    import socket

    from vinculo import ledger, run

    worker = f"{socket.gethostname()}/{os.getpid()}"
    with _asked_to_stop() as stop:
        states = run.run_occurrence(rt, campaign, occurrence, worker=worker, due_now=True, stop=stop)
    with rt.read() as db:
        place = ledger.place(db, campaign.name, occurrence.key)
        counts = ledger.counts(db, campaign.name, occurrence.key)
        due = ledger.next_due(db, campaign.name, occurrence.key)
        held_until = ledger.held_until(db, campaign.name, occurrence.key, rt.now())
        standing, cause = ledger.standing(db, campaign.name), ledger.cause(db, campaign.name)
    return {
        "campaign": campaign.name,
        "occurrence": occurrence.key,
        "held_until": held_until,
        "state": place.state if place else "",
        "states": dict(states),
        "reasons": {reason: number for (_, reason), number in counts.items() if reason},
        "next_due": due,
        "standing": standing,
        "cause": cause,
        "stopped": stop(),
    }


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within the block the first Ctrl-C lets the message in flight have its answer; a second one ends at once."""
    asked: list[int] = []

    def hear(number: int, _: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        output.note("Stopping after the message in flight; what is left waits in the ledger.")

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _show(result: dict[str, Any]) -> None:
    output.line(f"{result['campaign']} {result['occurrence']}")
    if "funnel" in result:
        output.table(["step", "contacts"], [(row["step"], row["contacts"]) for row in result["funnel"]])
        return
    if not result["states"]:
        output.line("Nobody is in its segment: there was nothing to plan.")
        return
    rows = [*sorted(result["states"].items()), *((f"  {why}", n) for why, n in sorted(result["reasons"].items()))]
    output.table(["state", "deliveries"], rows)
    for words in _advice(result, result["states"]):
        output.line(words)


def _advice(result: dict[str, Any], states: dict[str, int]) -> Iterator[str]:
    """What is left to do, and who does it."""
    waiting = sum(states.get(state, 0) for state in ("planned", "claimed", "submitting", "deferred"))
    if result["reasons"].get("render_error"):
        yield "The template failed for some: `vinculo why CONTACT CAMPAIGN` says how."
    if states.get("in_doubt"):
        yield "Whether those in doubt left, nobody knows: `vinculo resolve` lists and settles them."
    if result["standing"] and (waiting or states.get("cancelled")):
        cause = f" ({result['cause']})" if result["cause"] else ""
        then = "allows new occurrences" if result["standing"] == "cancelled" else "lets it go on"
        yield f"The campaign is {result['standing']}{cause}: `vinculo resume {result['campaign']}` {then}."
    elif waiting and result["state"] == "held":
        yield "It needs approval first: on its page in the console, or in the Prefect UI."
    elif result["state"] == "cancelled":
        yield "This occurrence was cancelled, and stays so."
    elif waiting:
        due = f" The next is due {result['next_due']:%Y-%m-%d %H:%M} UTC." if result["next_due"] else ""
        yield f"{waiting:,} wait or are in another worker's hands: run it again, or leave it to `vinculo up`.{due}"
        if until := result["held_until"]:
            yield f"What another worker holds is free again at {until:%H:%M:%S} UTC, should it have died."
