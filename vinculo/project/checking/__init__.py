"""What is wrong with a project's files: `yaml` reads one with the places of its words, `draft` holds each against its
shape, `reference` all against one another (`mention`: where they name one another; `ruling`: what policy.yaml may ask).
"""

from vinculo.project.checking.draft import Draft, Objectives, read_draft
from vinculo.project.checking.reference import check_references

__all__ = ["Draft", "Objectives", "check_references", "read_draft"]
