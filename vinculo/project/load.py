"""From folders to a `Project`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from vinculo.errors import Problem, ProjectError, UsageError
from vinculo.project.draft import Draft, read_draft
from vinculo.project.model import Project
from vinculo.project.reference import check_references
from vinculo.project.settings import FILE, Settings, read_settings


def find_root(start: Path | None = None) -> Path:
    """Return the nearest folder, from *start* (default: where we are) upwards, that has a vinculo.toml."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise UsageError(
        f"There is no {FILE} in {here} or above it", "Go to a project's folder, or make one with `vinculo init DIR`."
    )


def load(root: Path, environ: Mapping[str, str] = os.environ) -> Project:
    """Read the project in *root*. Raises `ProjectError` with every problem there is."""
    settings, draft, problems = _read(root, environ)
    if problems or settings is None or draft.policy is None:
        raise ProjectError(problems)
    return Project(
        root=root,
        settings=settings,
        campaigns=draft.campaigns,
        segments=draft.segments,
        templates=draft.templates,
        policy=draft.policy,
        objectives=draft.objectives,
        journeys=draft.journeys,
        loyalty=draft.loyalty,
    )


def check(root: Path, environ: Mapping[str, str] = os.environ) -> list[Problem]:
    """Return every problem of the project in *root*, in the order of the files."""
    return _read(root, environ)[2]


def _read(root: Path, environ: Mapping[str, str]) -> tuple[Settings | None, Draft, list[Problem]]:
    problems: list[Problem] = []
    settings = read_settings(root, environ, problems)
    draft = read_draft(root)
    check_references(draft, settings)
    problems += draft.problems
    return settings, draft, sorted(set(problems))
