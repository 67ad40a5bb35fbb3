"""From folders to a `Project`."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from vinculo.errors import Problem, ProjectError, UsageError
from vinculo.project.answers import Answers
from vinculo.project.checking import Draft, check_references, read_draft
from vinculo.project.lifecycle import USUAL
from vinculo.project.model import Project
from vinculo.project.rates import FILE as RATES
from vinculo.project.rates import Rates, read_rates
from vinculo.project.settings import FILE, Settings, read_settings


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from *start* (default: where we are) upwards, that has a vinculo.toml.

    Raises `UsageError` where there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise UsageError(
        f"There is no {FILE} in {here} or above it", "Go to a project's folder, or make one with `vinculo init DIR`."
    )


def load(root: Path, environ: Mapping[str, str] = os.environ, *, whole: bool = True) -> Project:
    """Read the project in *root*. Raises `ProjectError` with every problem there is.

    Not *whole*: only settings and policy must be right, and of the rest what is wrong is left out. For what contacts
    may ask for at any time, and for what stops a send, which no marketer's slip may stand in the way of.
    """
    project, problems = survey(root, environ)
    if project is None or (whole and problems):
        raise ProjectError(problems)
    if grave := [each for each in problems if not _can_wait(each.file)]:
        raise ProjectError(grave)
    return _without(project, problems) if problems else project


def _can_wait(file: str) -> bool:
    return file.startswith(("plan/", "segments/", "templates/")) and file != "plan/policy.yaml"


def _without(project: Project, problems: Collection[Problem]) -> Project:
    """The project less the files that have *problems*, and less the campaigns and journeys that need one of them."""

    def right(folder: str, name: str) -> bool:
        return not any(each.concerns(folder, name) for each in problems)

    segments = {name: each for name, each in project.segments.items() if right("segments", name)}
    campaigns = {
        name: each
        for name, each in project.campaigns.items()
        if right("plan/calendar", name)
        and each.template in project.templates
        and segments.keys() >= {each.segment, *each.exclude}
    }
    journeys = {name: each for name, each in project.journeys.items() if right("plan/journeys", name)}
    return replace(project, segments=segments, campaigns=campaigns, journeys=journeys, problems=tuple(problems))


def check(root: Path, environ: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return every problem of the files of the project in *root*, in the order of the files."""
    return survey(root, environ)[1]


def survey(root: Path, environ: Mapping[str, str] = os.environ) -> tuple[Project | None, list[Problem]]:
    """Return what can be read of the project in *root*, and every problem of its files.

    There is no project without settings and policy; of the rest, what is broken is left out.
    """
    problems: list[Problem] = []
    settings = read_settings(root, environ, problems)
    draft = read_draft(root)
    home = settings.company.currency if settings else ""
    draft.segments = {name: each.model_copy(update={"currency": home}) for name, each in draft.segments.items()}
    check_references(draft, settings)
    rates = _rates(home, draft)
    return _project(settings, draft, rates), sorted({*problems, *draft.problems})


def _rates(home: str, draft: Draft) -> Rates:
    path = draft.root / RATES
    text = draft.text(path) if path.is_file() else None
    if text is None:
        return Rates(home)
    rates, problems = read_rates(text, home)
    draft.stray += problems
    return rates


def _project(settings: Settings | None, draft: Draft, rates: Rates) -> Project | None:
    if settings is None or draft.policy is None:
        return None
    return Project(
        root=draft.root,
        settings=settings,
        campaigns=draft.campaigns,
        segments=draft.segments,
        templates=draft.templates,
        policy=draft.policy,
        objectives=draft.objectives,
        journeys=draft.journeys,
        loyalty=draft.loyalty,
        lifecycle=draft.lifecycle or USUAL,
        rates=rates,
        answers=draft.answers or Answers(),
    )
