"""A text part made once for all who share a shape is the one made from each one's HTML."""

from __future__ import annotations

from html import unescape
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.render.compile.own import Own
from vinculo.render.compile.shape import VALUES, held, hold, shape_of, text_values
from vinculo.render.markup.text import text_of

SOURCE = """<html><head><title>{{ a }}</title></head><body>{{ b }}<p>Hi {{ a }}{{ b }}, {% if a == b %}<b>same</b>{% endif %}</p>
<table><tr><td>{{ a }}</td><td align="right">{{ b }}</td></tr><tr><td>longer than most</td><td>x</td></tr></table>
<ul>{% for each in rows %}<li style="margin:0"><a href="https://a.example/{{ each }}" title="{{ a }}">{{ each }}</a></li>{% endfor %}</ul>
<img src="{{ a }}" alt="{{ b }}"><pre>{{ a }}</pre><!-- {{ a }} --><a href='{{ b }}'>{{ loop }}</a></body></html>"""
ODD = ["", " ", "a", "a b", "a  b", " a", "é", "\n", "a\nb", "\xa0", "<b>", "&amp;", "O'Brien", "R$\xa01.645,50", "a\xa0 b", '"', "\u2028", "[x](y)", "v0n0q", "\0", "1" * 3000]  # fmt: skip
environment = jinja2.Environment(autoescape=True)
environment.filters["_hold"] = hold


def both(source: str, **data: Any) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return HTML and text of *source* as they are made from a shape, and as they are made each time."""
    shaped, values = held(source), list[str]()
    assert shaped is not None
    shape = shape_of(environment.from_string(shaped).render(data, **{VALUES: values}), "", with_text=True)
    html = environment.from_string(source).render(data)
    said = text_values([unescape(each) for each in values])
    ours = [""] * len(Own)
    return (shape.html.fill(ours + values), shape.text.fill(ours + said)), (html, text_of(html))


@settings(max_examples=50, deadline=None)
@given(*[st.one_of(st.sampled_from(ODD), st.text(max_size=12))] * 2, st.lists(st.sampled_from(ODD), max_size=3))
def test_a_shape_with_its_values_is_what_would_have_been_rendered(a: str, b: str, rows: list[str]) -> None:
    for source in (SOURCE, SOURCE.replace("<pre>", "<div>").replace("</pre>", "</div>")):
        once, each_time = both(source, a=a, b=b, rows=rows, loop=7)
        assert once == each_time


def test_names_of_any_length_share_a_shape() -> None:
    shapes = set()
    for name in ("Ana", "Maria Eduarda", "O'Brien & Söhne", "R$\xa048,90"):
        shaped = held(SOURCE.replace("pre>", "div>")) or ""
        shapes.add(environment.from_string(shaped).render(a=name, b="x", rows=[name], **{VALUES: []}))
    assert len(shapes) == 1


@pytest.mark.parametrize(
    "statement",
    ["{% set x %}{{ a }}{% endset %}", "{% filter upper %}{{ a }}{% endfilter %}", "{% macro m() %}{% endmacro %}"],
)
def test_a_template_that_works_with_what_it_rendered_has_no_shape(statement: str) -> None:
    assert held(f"<p>{statement}</p>") is None


def test_an_assignment_of_a_value_has_a_shape() -> None:
    once, each_time = both("<p>{% set x = a|upper %}{{ x }} {% if x == 'ANA' %}!{% endif %}</p>", a="Ana")
    assert once == each_time
