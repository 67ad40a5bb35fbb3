"""A segment's file → one SELECT of contact ids."""

from vinculo.segment.shape import Segment

__all__ = ["Segment"]
