"""A trait of one's own in the JSON of `contact.traits`, read with its type: text is never taken for a number.

The two databases turn JSON into text by different rules, so each has its own form here. The name is a bound
parameter in both; the parser lets no quote or backslash into it.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from vinculo.segment.read.tree import Test

_SIGNS = {"at_least": ">=", "at_most": "<=", "more_than": ">", "less_than": "<"}


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


class TraitWord(_Trait):
    """The trait as text, whatever its type: for what no number, flag, list or table is written like. Half the work."""

    type = sa.Text()
    inherit_cache = True
    sqlite = "json_extract({t}, {p})"
    postgresql = "({t} ->> {n})"


class TraitNumber(_Trait):
    """The trait when it is a number, else NULL."""

    type = sa.Double()
    inherit_cache = True
    sqlite = "CASE WHEN json_type({t}, {p}) IN ('integer', 'real') THEN CAST(json_extract({t}, {p}) AS REAL) END"
    postgresql = "CASE WHEN jsonb_typeof({t} -> {n}) = 'number' THEN CAST({t} ->> {n} AS DOUBLE PRECISION) END"


class TraitTrue(_Trait):
    """Whether the trait is `true`; NULL where there is none."""

    type = sa.Boolean()
    inherit_cache = True
    sqlite = "(json_type({t}, {p}) = 'true')"
    postgresql = "({t} -> {n} = CAST('true' AS JSONB))"


class TraitFalse(_Trait):
    """Whether the trait is `false`; NULL where there is none."""

    type = sa.Boolean()
    inherit_cache = True
    sqlite = "(json_type({t}, {p}) = 'false')"
    postgresql = "({t} -> {n} = CAST('false' AS JSONB))"


class TraitMeets(_Trait):
    """Whether the traits meet a path of `json_path`; PostgreSQL reads them once for it. NULL where there is none."""

    type = sa.Boolean()
    inherit_cache = True
    postgresql = "({t} @@ CAST({n} AS JSONPATH))"


class TraitThere(_Trait):
    """Whether the trait is there and says something."""

    type = sa.Boolean()
    inherit_cache = True
    sqlite = "(coalesce(json_type({t}, {p}), 'null') <> 'null' AND json_extract({t}, {p}) <> '')"
    postgresql = "(coalesce(jsonb_typeof({t} -> {n}), 'null') <> 'null' AND {t} ->> {n} <> '')"


def is_word(text: str) -> bool:
    """Whether what begins with *text* can be nothing but text: no number, flag, list or table is written so."""
    return text[:1] not in {*"-0123456789[{", ""} and not ("true".startswith(text) or "false".startswith(text))


def json_path(test: Test) -> str:
    """*test* of a trait that is a number, as PostgreSQL reads it. `strict`: a list of numbers is none."""
    trait = f"$.{json.dumps(test.field, ensure_ascii=False)}"
    low, *more = (f"{value!r}" for value in test.values)
    if test.operator == "in":
        return "strict " + " || ".join(f"{trait} == {value}" for value in (low, *more))
    if test.operator == "between":
        return f"strict {trait} >= {low} && {trait} <= {more[0]}"
    return f"strict {trait} {_SIGNS[test.operator]} {low}"


@compiles(_Trait)
def _compile(element: Any, compiler: Any, **options: Any) -> str:
    traits, name = (compiler.process(part, **options) for part in element.clauses)
    # SQLAlchemy also compiles it for no database, to tell what a segment selects from.
    form = element.sqlite if compiler.dialect.name == "sqlite" else element.postgresql
    path = f"('$.' || char(34) || {name} || char(34))"
    return f"({form.format(t=traits, n=name, p=path)})"
