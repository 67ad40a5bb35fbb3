"""CSS goes into style attributes on the source as it does after rendering: byte for byte."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import jinja2
import pytest

from vinculo.render import Dynamic, inline
from vinculo.render.markup.flatten import flatten

CORPORA = Path(__file__).parents[5] / "shared" / "corpora" / "templates"
#: All with merge fields, and some of the others: inlining takes long.
_FOUND = sorted((CORPORA / "sendwithus").rglob("*.html"))
SENDWITHUS = [path for number, path in enumerate(_FOUND) if number % 12 == 0 or b"{{" in path.read_bytes()]
JUICE = sorted((CORPORA / "juice").glob("*.html"))
CSS = """<style>td { color: #ff0000; padding: 0 } .b { font-weight: bold } p.b { margin: 0 } #i { top: 1px }
 div a { color: green } a:hover { color: blue } img { border: 0 }
 @media (max-width: 480px) { .b { width: 100% } } @media (prefers-color-scheme: dark) { td { color: #fff !important } }
 @font-face { font-family: X; src: url("x;y.woff") } [data-ogsc] .b { color: red }</style>"""
DATA = {
    "rows": ["one", "<b>two</b>", 'O\'Brien & "Sons"', "", " ", "=?utf-8?q?x?=", "{{ 7 * 7 }}", "é\u2028😀"],
    "yes": True,
    "no": False,
    "n": 3,
    "word": "b",
    "url": "https://a.example/?q=é b&c='\"<>",
    "nobody": [],
}

#: Cases of juice that we answer otherwise, and why.
NOT_AS_JUICE = {
    "css-variables": "juice works out var(); we leave it to the reader's program",
    "integration": "juice adds width attributes from CSS",
    "pseudo-specificity": "juice counts :not() as a class; CSS does not (Selectors 3 §9)",
}

STATIC = {
    "a loop around rows": "<table>{% for r in rows %}<tr><td class='b'>{{ r }}</td></tr>{% endfor %}</table>",
    "a loop around cells": "<table><tr>{% for r in rows %}<td>{{ r }}</td>{% endfor %}</tr></table>",
    "an empty loop": "<table>{% for r in nobody %}<tr><td>x</td></tr>{% else %}<tr><td>none</td></tr>{% endfor %}</table>",
    "a condition with a comparison": "{% if n < 4 and n > 2 %}<p class='b'>few</p>{% else %}<p>many</p>{% endif %}",
    "an expression in an address": '<div><a href="https://x.example/{{ word }}?a=1&amp;u={{ url }}">{{ url }}</a></div>',
    "a condition in an address": "<div><a href='https://x.example/{% if yes %}a{% else %}b{% endif %}'>x</a></div>",
    "an image's address": '<img src="{{ url }}" alt="{{ rows[2] }}">',
    "style attributes that rules leave alone": '<u style="width:{{ n }}px; color: RED">x</u>',
    "style attributes beside rules": '<p class="b" style="color:red; font-family:&quot;A B&quot;, serif">x</p>',
    "text": "<p>{{ rows[1] }} &nbsp;&copy; Tom &amp; J &lt; &#233; &eacute; {{ rows[3] }}</p>",
    "comments": "<!-- {{ word }} --><p>{# not shown #}x</p><!--[if mso]><td width='{{ n }}'>{% if yes %}a{% endif %}</td><![endif]-->",
    "a part for all but Outlook": '<!--[if !mso]><!--><p class="b">{{ word }}</p><!--<![endif]-->',
    "raw": "<p>{% raw %}{{ not jinja }}{% endraw %}</p>",
    "tags within strings": "<p>{{ '}}' }}{{ '{% x %}' }}{{ \"<td>\" }}</p>",
    "blank signs": "<p>  {%- if yes -%}  a  {%- endif -%}  </p> {{- word -}} <p>b</p>",
    "assignments": "{% set a = 1 %}<p>{{ a }}</p>{% with b = 2 %}<p>{{ b }}</p>{% endwith %}",
    "attributes without quotes": "<table width=100% bgcolor=#ffffff><tr><td nowrap>{{ n }}</td></tr></table>",
    "a condition inside a tag": '<p class="b" {% if yes %}title="a"{% else %}title="b" lang="pt"{% endif %} align=left>x</p>',
    "a condition inside a tag that is not met": "<p class='b'{% if no %} title='a'{% endif %}>x</p>",
    "a choice that only blanks are left of": "<option {% if no %}selected{% endif %} >x</option><option{% if yes %} SELECTED{% endif %}>y</option>",
    "a condition in a condition inside a tag's value": '<td {% if yes %}width="{{ n }}" background="{{ url }}"{% elif no %}nowrap{% endif %}>x</td>',
    "a comment inside a tag": '<p {# why #} class="b">x</p>',
    "a value without quotes that ends in a stroke": "<a href=https://x.example/>x</a><br/><hr />",
    "a style that rules join": '<p class="b" style="width:{{ n }}px; font-weight:{{ n }}00">x</p>',
    "a link in a loop in a condition": "<div>{% if yes %}{% for r in rows %}<a href='https://x.example/{{ loop.index }}'>{{ r }}</a>{% endfor %}{% endif %}</div>",
}
DYNAMIC = {
    "a class from a variable": '<p class="{{ word }}">x</p>',
    "a class from a condition": '<p class="{% if yes %}b{% endif %}">x</p>',
    "an id from a variable": '<p id="{{ word }}">x</p>',
    "a condition inside a tag": '<p {% if yes %}class="b"{% endif %}>x</p>',
    "a style that is chosen": '<p {% if yes %}style="top:0"{% endif %}>x</p>',
    "attributes that a loop makes": '<p {% for r in rows %}data-{{ loop.index }}="1"{% endfor %}>x</p>',
    "an attribute that may be there twice": '<p title="a" {% if yes %}title="b"{% endif %}>x</p>',
    "an attribute that two conditions bring": '<p {% if yes %}title="a"{% endif %}{% if n %}title="b"{% endif %}>x</p>',
    "an attribute named by a variable": '<p data-{{ word }}="1">x</p>',
    "a chosen attribute that would be spelt otherwise": "<p {% if yes %}title='\"'{% endif %}>x</p>",
    "a condition that begins in a tag": '<p {% if yes %}title="a">x</p>{% endif %}',
    "declarations from a variable": '<p class="b" style="{{ word }}">x</p>',
    "declarations from a condition": '<p class="b" style="{% if yes %}margin:0{% endif %}">x</p>',
    "an element opened and closed by conditions": "{% if yes %}<div>{% endif %}<a href='#'>x</a>{% if yes %}</div>{% endif %}",
    "a macro": "{% macro row(t) %}<tr><td>{{ t }}</td></tr>{% endmacro %}<table>{{ row('a') }}</table>",
    "safe markup": "<p>{{ '<b class=b>x</b>'|safe }}</p>",
    "markup in a variable": "{% set x %}<p class='b'>y</p>{% endset %}<div>{{ x }}</div>",
    "an element's name": "<{{ word }}>x</{{ word }}>",
    "css from a variable": "<style>i { color: {{ word }} }</style><i>x</i>",
    "a place among siblings": "<style>li:first-child { color: red }</style><ul>{% for r in rows %}<li>{{ r }}</li>{% endfor %}</ul>",
    "a neighbour": "<style>li + li { color: red }</style><ul>{% for r in rows %}<li>{{ r }}</li>{% endfor %}</ul>",
    "an attribute that a selector asks for": '<style>[align=left] { color: red }</style><p align="{{ word }}">x</p>',
}


def page(body: str) -> str:
    return f"{{# top #}}\n<!DOCTYPE html>\n<html><head><title>{{% if yes %}}T{{% endif %}}</title>{CSS}</head><body>\n{body}\n</body></html>\n"


def render(source: str) -> str:
    environment = jinja2.Environment(autoescape=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source).render(DATA)


@pytest.mark.parametrize("body", STATIC.values(), ids=STATIC)
def test_inlining_and_rendering_may_change_places(body: str) -> None:
    assert render(inline(page(body))) == inline(render(page(body)), jinja=False)


@pytest.mark.parametrize("body", DYNAMIC.values(), ids=DYNAMIC)
def test_css_that_depends_on_what_is_rendered_is_found(body: str) -> None:
    with pytest.raises(Dynamic):
        inline(page(body))
    assert "<body" in inline(render(page(body)), jinja=False)


def test_rules_become_style_attributes_and_the_rest_stays() -> None:
    done = inline(page('<table><tr><td class="b">x</td></tr></table>'))
    assert '<td class="b" style="color:#ff0000; padding:0; font-weight:bold">' in done
    assert "@media (prefers-color-scheme: dark)" in done
    assert "a:hover { color: blue !important; }" in done
    assert ".b { width: 100% !important; }" in done
    assert '@font-face { font-family: X; src: url("x;y.woff") }' in done
    assert "[data-ogsc] .b" in done
    assert "td { color: #ff0000" not in done


def test_a_place_among_siblings_that_nothing_changes_is_inlined() -> None:
    done = inline(
        "<html><head><style>li:first-child { color: red }</style></head><body><ul><li>{{ a }}</li><li>b</li></ul></body></html>"
    )
    assert '<li style="color:red">{{ a }}</li><li>b</li>' in done


def test_a_contacts_name_that_looks_like_jinja_is_text() -> None:
    assert "{{ 7 * 7 }}{% if %}" in inline("<p>{{ 7 * 7 }}{% if %}</p>", jinja=False)


def test_a_layout_and_its_files_are_one_source_that_renders_the_same() -> None:
    files = {
        "base.html": page("{% block a %}<p class='b'>base {% block inner %}i{% endblock %}</p>{% endblock %}{% include 'foot.html' %}"),
        "middle.html": "{% extends 'base.html' %}{% block a %}<div>{{ super() }}</div>{% endblock %}",
        "child.html": "{#- x -#}\n{% extends 'middle.html' %}\nlost\n{% block inner -%}\n  {% for r in rows %}<a href='#'>{{ r }}</a>{% endfor %}\n{%- endblock %}",
        "foot.html": "{% if yes %}<p>{{ word }}</p>{% endif %}\n",
    }  # fmt: skip
    environment = jinja2.Environment(loader=jinja2.DictLoader(files), autoescape=True, keep_trailing_newline=True)
    plain = environment.get_template("child.html").render(DATA)
    flat = flatten("child.html", files.__getitem__)
    assert render(flat) == plain
    assert render(inline(flat)) == inline(plain, jinja=False)


@pytest.mark.parametrize(
    "source",
    [
        "{% include name %}",
        "{% import 'x.html' as x %}",
        "{% from 'x.html' import y %}",
        "{% macro a() %}{% endmacro %}",
        "{% extends 'base.html' %}{% set x = 1 %}",
        "{% include 'a.html' %}",
        "{{ self.a() }}",
    ],
)
def test_what_cannot_be_made_one_source_says_so(source: str) -> None:
    with pytest.raises(Dynamic):
        flatten("a.html", {"a.html": source, "base.html": ""}.__getitem__)


class Anything(jinja2.ChainableUndefined):
    """Every name that a template asks for, with what must be escaped in it."""

    def __str__(self) -> str:
        return "O'Brien & <Sons>"

    def __html__(self) -> str:
        return "O&#39;Brien &amp; &lt;Sons&gt;"


def both_ways(path: Path) -> bool:
    """Whether a template says the same when its CSS is inlined before and after it is rendered."""
    environment = jinja2.Environment(autoescape=True, keep_trailing_newline=True, undefined=Anything)
    source = path.read_text(encoding="utf-8")
    after = inline(environment.from_string(source).render(), jinja=False)
    try:
        return bool(environment.from_string(inline(source)).render() == after)
    except Dynamic:  # told, and inlined after rendering
        return True


@pytest.mark.skipif(not SENDWITHUS, reason="shared/corpora/templates/sendwithus is not here")
def test_real_templates_are_the_same_both_ways() -> None:
    assert [path for path in SENDWITHUS if not both_ways(path)] == []
    assert sum(_is_static(path) for path in SENDWITHUS) >= 0.9 * len(SENDWITHUS)


def _is_static(path: Path) -> bool:
    try:
        return bool(inline(path.read_text(encoding="utf-8")))
    except Dynamic:
        return False


def normal(html: str) -> str:
    """The same for what a browser shows in the same way: blanks, quotes, and the order of different properties."""
    html = re.sub(r"style=(\"[^\"]*\"|'[^']*')", lambda found: f'style="{style(unescape(found[1][1:-1]))}"', html)
    html = re.sub(r"\s+", " ", re.sub(r">\s+<", "><", unescape(html))).replace("'", '"').strip()
    return re.sub(r" ?/?> ?", ">", html).replace(" <", "<")


def style(text: str) -> str:
    """Declarations ordered by name, those of one name left in their order: they are fallbacks."""
    found = [each.split(":", 1) for each in text.replace('"', "'").split(";") if ":" in each]
    pairs = [(name.strip(), re.sub(r"\s*([,()])\s*", r"\1", value.strip())) for name, value in found]
    return "; ".join(f"{name}:{value}" for name, value in sorted(pairs, key=lambda pair: pair[0]))


def as_juice(path: Path) -> bool:
    """Whether a case of juice comes out as juice has it."""
    css, html = (path.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".css", ".html"))
    end = html.rfind("</body>") if "</body>" in html else len(html)
    done = inline(f"{html[:end]}<style>{css}</style>{html[end:]}", jinja=False)
    done = re.sub(r"<style.*?</style>", "", done, flags=re.DOTALL)
    return normal(done) == normal(path.with_suffix(".out").read_text(encoding="utf-8"))


@pytest.mark.skipif(not JUICE, reason="shared/corpora/templates/juice is not here")
def test_juices_cases_come_out_as_juice_has_them() -> None:
    assert {path.stem for path in JUICE if not as_juice(path)} <= NOT_AS_JUICE.keys()
