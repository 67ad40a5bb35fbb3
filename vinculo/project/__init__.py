"""Reads and validates a project's folders: every problem at once, with file, line, column and what to write instead."""

from vinculo.project.load import check, find_root, load
from vinculo.project.model import Project
from vinculo.project.settings import Origin, Settings, make_secret
from vinculo.project.template import Template

__all__ = ["Origin", "Project", "Settings", "Template", "check", "find_root", "load", "make_secret"]
