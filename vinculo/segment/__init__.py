"""A segment's file → one SELECT of contact ids.

`read` makes of the file a tree of conditions, or says what is wrong with it; `compile` makes of the tree a SELECT;
`wording` puts it into words, and says why a contact is in or out.
"""

from vinculo.segment.compile.bucket import bucket, bucket_of
from vinculo.segment.compile.query import limits
from vinculo.segment.compile.rule import rule_of
from vinculo.segment.compile.select import compile_segment
from vinculo.segment.read.collection import problems, references
from vinculo.segment.read.schema import json_schema
from vinculo.segment.read.shape import Segment
from vinculo.segment.wording.verdict import Verdict, explain_contact, sql
from vinculo.segment.wording.words import LANGUAGES, explain

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
