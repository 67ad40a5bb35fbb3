"""A trait of one's own in the JSON of `contact.traits`, read with its type: text is never taken for a number.

The two databases turn JSON into text by different rules, so each has its own form here. The name is a bound
parameter in both; the parser lets no quote or backslash into it.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class _Trait(FunctionElement[Any]):
    inherit_cache = True

    def __init__(self, traits: sa.Column[Any], name: str) -> None:
        super().__init__(traits, sa.literal(name, sa.Text))


class TraitText(_Trait):
    """The trait when it is text, else NULL."""

    type = sa.Text()
    inherit_cache = True
    sqlite = "CASE WHEN json_type({t}, {p}) = 'text' THEN json_extract({t}, {p}) END"
    postgresql = "CASE WHEN jsonb_typeof({t} -> {n}) = 'string' THEN {t} ->> {n} END"


class TraitNumber(_Trait):
    """The trait when it is a number, else NULL."""

    type = sa.Double()
    inherit_cache = True
    sqlite = "CASE WHEN json_type({t}, {p}) IN ('integer', 'real') THEN CAST(json_extract({t}, {p}) AS REAL) END"
    postgresql = "CASE WHEN jsonb_typeof({t} -> {n}) = 'number' THEN CAST({t} ->> {n} AS DOUBLE PRECISION) END"


class TraitFlag(_Trait):
    """`true` or `false` as text when the trait is one, else NULL."""

    type = sa.Text()
    inherit_cache = True
    sqlite = "CASE WHEN json_type({t}, {p}) IN ('true', 'false') THEN json_type({t}, {p}) END"
    postgresql = "CASE WHEN jsonb_typeof({t} -> {n}) = 'boolean' THEN {t} ->> {n} END"


class TraitThere(_Trait):
    """Whether the trait is there and says something."""

    type = sa.Boolean()
    inherit_cache = True
    sqlite = "(coalesce(json_type({t}, {p}), 'null') <> 'null' AND json_extract({t}, {p}) <> '')"
    postgresql = "(coalesce(jsonb_typeof({t} -> {n}), 'null') <> 'null' AND {t} ->> {n} <> '')"


@compiles(_Trait)
def _compile(element: Any, compiler: Any, **options: Any) -> str:
    traits, name = (compiler.process(part, **options) for part in element.clauses)
    # SQLAlchemy also compiles it for no database, to tell what a segment selects from.
    form = element.sqlite if compiler.dialect.name == "sqlite" else element.postgresql
    path = f"('$.' || char(34) || {name} || char(34))"
    return f"({form.format(t=traits, n=name, p=path)})"
