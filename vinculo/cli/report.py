"""`vinculo report` and `objectives`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vinculo.cli import output
from vinculo.errors import NotFound, UsageError, did_you_mean

if TYPE_CHECKING:
    from vinculo.project import Project
    from vinculo.report import Report, Standing
    from vinculo.report.survey import Surveyed
    from vinculo.report.variant import Compared
    from vinculo.stats import Interval


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("report")(report)
    app.command("objectives")(objectives)


def report(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Name of a file in plan/calendar/.")],
    occurrence: Annotated[
        str, typer.Option(metavar="KEY", help="Only this occurrence, such as 2026-12-01T09:00[contact].")
    ] = "",
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Also write one HTML file.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Tell what became of CAMPAIGN: from the segment to the purchases."""
    from vinculo.report import campaign_report, render
    from vinculo.runtime import open_runtime

    with open_runtime() as rt:
        with rt.read() as db:
            _known(db, campaign, rt.project)
            found = campaign_report(db, campaign, occurrence)
        if html:
            page = render(found, language=rt.project.settings.company.language, now=rt.now())
            html.write_text(page, encoding="utf-8")
    output.answer(found, as_json=as_json, text=lambda: _tell_report(found, html))


def _known(db: Any, campaign: str, project: Project) -> None:
    """Refuse a name that is neither in the calendar nor in the ledger (a deleted campaign keeps its results)."""
    import sqlalchemy as sa

    from vinculo import optin
    from vinculo.db.tables import delivery
    from vinculo.project.answers import OURS

    if db.scalar(sa.select(delivery.c.id).where(delivery.c.campaign == campaign).limit(1)) is not None:
        return
    if campaign in OURS:
        remedy = "It begins with the first; `vinculo inbox list` shows who waits for one."
        raise NotFound(f"Nothing was sent as `{campaign}` yet: that is what contacts are answered with", remedy)
    if topic := optin.campaigns(project).get(campaign):
        remedy = f"It begins with the first who says yes to `{topic}`, or with `vinculo consent ask`."
        raise NotFound(f"Nothing was sent as `{campaign}` yet: that is what asks contacts to confirm a yes", remedy)
    if campaign not in project.campaigns:
        raise UsageError(f"There is no campaign `{campaign}`", did_you_mean(campaign, project.campaigns))


def _tell_report(found: Report, html: Path | None) -> None:
    from vinculo.report.words import words

    named = words("en")
    segment, sent = found.funnel["segment"], found.funnel["sent"]
    rows = [[named[name], number, _share(number, segment)] for name, number in found.funnel.items()]
    rows += [[f"  {named.get(why, why)}", number, _share(number, segment)] for why, number in found.reasons.items()]
    output.table(["contacts", "number", "of segment"], rows, title=f"{found.campaign} {found.occurrence}".strip())
    seen = [
        [name, *(f"{n} ({each.rates[who]:.1%})" for who, n in _by_class(each)), f"{each.raw} ({each.rates['raw']:.1%})"]
        for name, each in _seen(found)
    ]
    output.table(["seen", "by people", "by proxies", "by machines", "every time (by anyone)"], seen)
    if found.opened.unnamed:
        by = ", ".join(f"{number:,} by {who}" for who, number in found.opened.unnamed.items())
        output.line(f"Openings counted without a person: {by}.")
    output.table(["came back", "number", "of sent"], [[named[k], n, _share(n, sent)] for k, n in found.answers.items()])
    _tell_survey(found.survey)
    _tell_effect(found)
    for each in found.variants:
        words_ = "" if each.against_first is None else f"; against the first {_range(each.against_first)}"
        decision = "" if each.against_first is None or each.decided else f": no decision{_needed(found.variants[0])}"
        output.line(f"Variant {each.name}: {each.clicked:,} of {each.sent:,} clicked{words_}{decision}")
    if html:
        output.line(f"Written to {html}.")


def _tell_survey(said: Surveyed | None) -> None:
    if said is None:
        return
    rows = [[name, number, _share(number, said.answered)] for name, number in said.answers.items()]
    output.table(["answer", "number", "of answers"], rows, title=f"{said.answered:,} of {said.asked:,} answered")
    output.line(f"Response rate {said.rate.estimate:.1%} ({said.rate.low:.1%} to {said.rate.high:.1%}).")
    if said.score is not None:
        low, high = (100 * end for end in (said.score.low, said.score.high))
        name = {"nps": "Net promoter score", "csat": "Satisfied (4 or 5), in percent"}[said.kind]
        output.line(f"{name}: {100 * said.score.estimate:.0f} ({low:.0f} … {high:.0f}).")
    if said.few:
        output.line("Too few have answered to say what the others think.")


def _needed(first: Compared) -> str:
    """How large each variant must be to show a quarter more clicks than the first has (power 80 %, two-sided 5 %)."""
    from vinculo.stats import sample_size

    rate = first.click_rate.estimate
    if not 0 < rate < 0.8:
        return ""
    return f"; to show a quarter more clicks each needs about {sample_size(rate, rate * 1.25):,} deliveries"


def _by_class(seen: Any) -> list[tuple[str, int]]:
    return [("human", seen.human), ("proxy", seen.proxy), ("machine", seen.machine)]


def _seen(found: Report) -> list[tuple[str, Any]]:
    return [("opened", found.opened), ("clicked", found.clicked)]


def _tell_effect(found: Report) -> None:
    from vinculo.model import Money
    from vinculo.report.words import words

    effect = found.effect
    revenue = ", ".join(f"{Money(minor, name).amount} {name}" for name, minor in effect.revenue.items()) or "nothing"
    output.line(f"Within 7 days of the send {effect.buyers:,} bought, for {revenue}.")
    if effect.conversion is None:
        nobody = "Nobody was left out to measure: what the campaign itself brought cannot be told."
        output.line(words("en")["not_yet"] if effect.holdout.trials else nobody)
        return
    verdict = "a difference" if effect.decided else "no decision"
    output.line(f"Against those left out: {_range(effect.conversion)} more buyers: {verdict}.")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _range(interval: Interval) -> str:
    return f"{interval.estimate:+.1%} ({interval.low:+.1%} to {interval.high:+.1%})"


def objectives(as_json: output.JsonFlag = False) -> None:
    """Measure every objective of plan/objectives.yaml now, against its baseline, target and deadline."""
    from vinculo import report as reports
    from vinculo.runtime import open_runtime

    with open_runtime() as rt, rt.read() as db:
        found = reports.objectives(db, rt.project.objectives, rt.project.campaigns, rt.now())
    rows = [_row(each) for each in found]
    headers = ["objective", "metric", "was", "is", "should be", "of the way", "by", "days left"]
    output.answer(found, as_json=as_json, text=lambda: output.table(headers, rows))


def _row(each: Standing) -> list[Any]:
    now = "–" if each.now is None else f"{each.now:.1f}"
    way = "–" if each.done is None else f"{each.done:.0%}"
    wanted = [f"{each.baseline:g}", now, f"{each.target:g}", way]
    return [each.name, each.metric, *wanted, str(each.deadline), each.days_left]
