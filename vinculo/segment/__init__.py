"""A segment's file → one SELECT of contact ids."""

from vinculo.segment.bucket import bucket, bucket_of
from vinculo.segment.query import limits
from vinculo.segment.rule import rule_of
from vinculo.segment.schema import json_schema
from vinculo.segment.select import compile_segment, problems, references
from vinculo.segment.shape import Segment
from vinculo.segment.verdict import Verdict, explain_contact, sql
from vinculo.segment.words import LANGUAGES, explain

__all__ = [
    "LANGUAGES",
    "Segment",
    "Verdict",
    "bucket",
    "bucket_of",
    "compile_segment",
    "explain",
    "explain_contact",
    "json_schema",
    "limits",
    "problems",
    "references",
    "rule_of",
    "sql",
]
