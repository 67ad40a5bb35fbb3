"""`vinculo doctor`: is everything there that we need?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from vinculo.cli import output

if TYPE_CHECKING:
    from vinculo.errors import Finding
    from vinculo.project import Origin


def register(app: typer.Typer) -> None:
    """Add the command to *app*."""
    app.command("doctor")(doctor)


def doctor(as_json: output.JsonFlag = False) -> None:
    """Show every setting with its origin, and check what sending needs, the sender's domain included.

    Exit 3 when something needed is not there, 1 when something is there and must be mended.
    """
    from vinculo.cli.checkup import examine
    from vinculo.runtime import open_runtime

    with open_runtime(need_database=False, whole=False) as rt:
        settings, findings = rt.project.settings.origins(), examine(rt)
    result = {"settings": settings, "checks": [finding._asdict() for finding in findings]}
    output.answer(result, as_json=as_json, text=lambda: _show(settings, findings))
    levels = {finding.level for finding in findings}
    if code := 3 if "fail" in levels else int("wrong" in levels):
        raise typer.Exit(code)


def _show(settings: list[Origin], findings: list[Finding]) -> None:
    output.table(("setting", "value", "origin"), [(one.key, one.value, one.origin) for one in settings])
    output.line()
    for finding in findings:
        output.line(f"{finding.level:5} {finding.check}: {finding.message}")
        if finding.remedy:
            output.line(f"      {finding.remedy}")
    output.line()
    output.line(_summary(findings))


def _summary(findings: list[Finding]) -> str:
    """Say in one line whether there is anything to do."""
    names = {"fail": "not there", "wrong": "to mend", "warn": "to look at"}
    counts = {words: sum(finding.level == level for finding in findings) for level, words in names.items()}
    told = [f"{number} {words}" for words, number in counts.items() if number]
    return f"{len(findings)} checks: {', '.join(told) or 'all is well'}."
