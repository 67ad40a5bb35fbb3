"""Reads and validates a project's folders: every problem at once, with file, line, column and what to write instead."""

from vinculo.project.answers import Answers
from vinculo.project.lifecycle import USUAL, Lifecycle
from vinculo.project.load import check, find_root, load, survey
from vinculo.project.model import Project
from vinculo.project.rates import Rates
from vinculo.project.schema import Campaign, Company, Journey, Loyalty, Objective, Policy
from vinculo.project.settings import Origin, Settings, make_secret
from vinculo.project.shape import KINDS, json_schema
from vinculo.project.starter import lay_starter
from vinculo.project.template import Template

__all__ = [
    "KINDS",
    "USUAL",
    "Answers",
    "Campaign",
    "Company",
    "Journey",
    "Lifecycle",
    "Loyalty",
    "Objective",
    "Origin",
    "Policy",
    "Project",
    "Rates",
    "Settings",
    "Template",
    "check",
    "find_root",
    "json_schema",
    "lay_starter",
    "load",
    "make_secret",
    "survey",
]
