"""`vinculo init`, `check` and `schema`: a project's files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vinculo.cli import output
from vinculo.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from vinculo.project import Project


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("init")(init)
    app.command("check")(check)
    app.command("schema")(schema)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is empty or not there yet.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Lay a starter project in DIR: a company, its calendar, templates and connectors to change into your own."""
    from vinculo import project

    laid = project.lay_starter(folder)
    output.answer({"folder": folder, "laid": laid}, as_json=as_json, text=lambda: _next_steps(folder, laid))


def _next_steps(folder: Path, laid: list[str]) -> None:
    output.line(f"Laid in {folder}: {', '.join(laid)}\n")
    output.line("What next:")
    output.line(f"  cd {folder}")
    output.line("  edit vinculo.toml       your company's name, sender and channels")
    output.line("  vinculo check           every problem of the files at once")
    output.line("  vinculo db upgrade      make the database")
    output.line("  vinculo contacts import FILE.csv --dry-run")
    output.line("  vinculo plan            what would go out, to whom, and to whom not")
    output.line("  vinculo up              start Prefect, the web app and the listeners")


def check(as_json: output.JsonFlag = False) -> None:
    """Read every file of the project, render every template's sample, and tell all problems with place and remedy."""
    from vinculo import project, render
    from vinculo.errors import ProjectError
    from vinculo.runtime import max_texts

    root = project.find_root()
    found, problems = project.survey(root)
    if found is None:
        raise ProjectError(problems)
    limits, wrong = max_texts(found)
    told = {each.file for each in problems}
    # What a broken file does to those that use it is no second problem.
    wrong += [each for each in render.problems(found, limits.get) if each.file not in told]
    if problems or wrong:
        raise ProjectError(sorted({*problems, *wrong}))
    counts = {
        name: len(getattr(found, name)) for name in ("campaigns", "journeys", "segments", "templates", "objectives")
    }
    words, notes = ", ".join(f"{number} {name}" for name, number in counts.items()), list(_notes(found))
    text = "\n".join([f"No problem found: {words}.", *(f"Note: {each}" for each in notes)])
    output.answer({"root": root, **counts, "notes": notes}, as_json=as_json, text=lambda: output.line(text))


def _notes(found: Project) -> Iterator[str]:
    """What is no mistake, and may not be meant."""
    confirm = found.policy.confirm
    if confirm is None:
        return
    for channel in sorted(set(found.settings.channels) - found.asks):
        yield (
            f"plan/policy.yaml: the template `{confirm.template}` has no part for {channel}, so no contact can say yes "
            f"there to {', '.join(confirm.topics)}. Write templates/{confirm.template}/{channel}.txt to have it asked."
        )


def schema(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="campaign, segment, policy, objectives, loyalty, lifecycle, journey, answers, settings or export.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="It is JSON in any case.")] = True,  # noqa: ARG001 - as said
) -> None:
    """Print the JSON Schema of a KIND of file, for completion in an editor, or of what `contacts export` prints."""
    from vinculo import contacts, project

    if kind not in (known := ["export", *project.KINDS]):
        raise UsageError(f"There is no schema `{kind}`", did_you_mean(kind, known))
    found = contacts.export_schema() if kind == "export" else project.json_schema(kind)
    output.answer(found, as_json=True, text=lambda: None)
