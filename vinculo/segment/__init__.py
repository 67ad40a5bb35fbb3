"""A segment's file → one SELECT of contact ids."""

from vinculo.segment.bucket import bucket, bucket_of
from vinculo.segment.query import limits
from vinculo.segment.select import compile_segment, problems, references
from vinculo.segment.shape import Segment

__all__ = ["Segment", "bucket", "bucket_of", "compile_segment", "limits", "problems", "references"]
