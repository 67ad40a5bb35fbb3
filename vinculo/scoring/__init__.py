"""Scores: recency, frequency, value; engagement; the stage of the life cycle; expected purchases and lifetime value."""

from vinculo.scoring.basis import Basis, Rules, keep, kept
from vinculo.scoring.rfm import Span
from vinculo.scoring.run import Fitted, conclude, prepare, run, run_in_spans, score_span, spans
from vinculo.scoring.stages import Moves
from vinculo.scoring.view import Change, Scored, scored
from vinculo.scoring.worth import Unrated

__all__ = [
    "Basis",
    "Change",
    "Fitted",
    "Moves",
    "Rules",
    "Scored",
    "Span",
    "Unrated",
    "conclude",
    "keep",
    "kept",
    "prepare",
    "run",
    "run_in_spans",
    "score_span",
    "scored",
    "spans",
]
