"""Scores: recency, frequency, value; engagement; the stage of the life cycle; expected purchases and lifetime value."""

from vinculo.scoring.basis import Rules, keep, kept
from vinculo.scoring.rfm import Span
from vinculo.scoring.run import Fitted, aside, conclude, prepare, run, run_in_spans, score_span, spans
from vinculo.scoring.stages import Moves
from vinculo.scoring.view import Change, Scored, scored

__all__ = [
    "Change",
    "Fitted",
    "Moves",
    "Rules",
    "Scored",
    "Span",
    "aside",
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
