"""A rule about contacts that are joined with their scores: a score is read where it stands, and not looked up again."""

from __future__ import annotations

from collections.abc import Mapping

from vinculo.model import Moment
from vinculo.segment.compile.condition import Compiler, of_score
from vinculo.segment.compile.person import Boolean
from vinculo.segment.compile.select import condition_of
from vinculo.segment.read.collection import tree
from vinculo.segment.read.shape import Segment
from vinculo.segment.read.tree import Condition, Test


def rule_of(rule: Segment, segments: Mapping[str, Segment], moment: Moment) -> Boolean:
    """Return *rule* as a condition on rows of `contact` joined with `score`; it may mention *segments*."""
    return _Beside(moment, lambda other: condition_of(segments, other, moment)).sql(tree(rule))


class _Beside(Compiler):
    def sql(self, condition: Condition) -> Boolean:
        if isinstance(condition, Test) and condition.home == "score":
            return of_score(condition, self._moment)
        return super().sql(condition)
