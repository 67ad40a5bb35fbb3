"""A project as the engine sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vinculo.errors import Problem
from vinculo.project.answers import OURS, Answers
from vinculo.project.lifecycle import USUAL, Lifecycle
from vinculo.project.rates import Rates
from vinculo.project.schema import Campaign, Journey, Loyalty, Objective, Policy
from vinculo.project.settings import Settings
from vinculo.project.template import Template
from vinculo.segment import Segment

#: A file here stands alone: what is wrong in it concerns no other file.
_ALONE = ("plan/calendar/", "plan/journeys/", "plan/objectives.yaml")


@dataclass(frozen=True, slots=True)
class Project:
    """The files of one company, read and checked. Names are the files' names."""

    root: Path
    settings: Settings
    campaigns: Mapping[str, Campaign]
    segments: Mapping[str, Segment]
    templates: Mapping[str, Template]
    policy: Policy
    objectives: Mapping[str, Objective]
    journeys: Mapping[str, Journey]
    loyalty: Loyalty | None = None
    lifecycle: Lifecycle = USUAL
    rates: Rates = field(default_factory=lambda: Rates(""))
    answers: Answers = field(default_factory=Answers)
    #: What is wrong in the files that were left out.
    problems: tuple[Problem, ...] = ()

    @property
    def own(self) -> frozenset[str]:
        """The campaigns that have no file, for Vinculo itself sends them: answers, and what asks to confirm a yes."""
        return OURS.union(self.policy.confirm.campaigns if self.policy.confirm else ())

    @property
    def asks(self) -> frozenset[str]:
        """The channels on which a yes can be confirmed: the template that asks has a part for each."""
        template = self.templates.get(self.policy.confirm.template) if self.policy.confirm else None
        language = self.settings.company.language
        return frozenset(
            channel for channel in self.settings.channels if template is not None and template.serves(channel, language)
        )

    @property
    def obstacles(self) -> tuple[Problem, ...]:
        """The problems because of which nothing is sent: those of files on which others may rest."""
        return tuple(each for each in self.problems if not each.file.startswith(_ALONE))
