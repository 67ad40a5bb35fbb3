"""Scores: recency, frequency and value; the stage of the life cycle; expected purchases and lifetime value."""

from vinculo.scoring.run import Fitted, run
from vinculo.scoring.stages import STAGES

__all__ = ["STAGES", "Fitted", "run"]
