"""Drives a connector so that every message it takes has exactly one answer, whatever the connector does."""

from vinculo.deliver.circuit import Circuit, State
from vinculo.deliver.drive import deliver

__all__ = ["Circuit", "State", "deliver"]
