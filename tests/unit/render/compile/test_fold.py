"""What is worked out beforehand is what would have been rendered, and what is not known is left alone."""

from __future__ import annotations

from datetime import date
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes

from vinculo.render.compile.environment import Environment
from vinculo.render.compile.fold import fold
from vinculo.render.jinja.local import FILTERS
from vinculo.render.jinja.sandbox import Facts, Sandbox

KNOWN: dict[str, Any] = {"language": "pt", "company": {"name": "A & B", "items": 3}, "occurrence": date(2026, 12, 1), "rows": [1, 2]}  # fmt: skip
CONTACT: dict[str, Any] = {"contact": {"name": "Ana", "country": "BR", "traits": Facts(brew="moka")}}
PARTS = [
    "{{ language }}",
    "{{ company.name }}",
    "{{ company['name']|upper }}",
    "{{ company.name ~ contact.name }}",
    "{{ occurrence|date }}",
    "{{ occurrence.year + 1 }}",
    "{{ contact.name if language == 'pt' else company.nope }}",
    "{{ company.name if contact.traits.brew else 'x' }}",
    "{{ company.nope|default('d') }}{{ company.nope is defined }}",
    "{{ [1, 2]|map('string')|join(language) }}{{ [3, 1]|sort|reverse|join }}{{ [1, 2, 3]|batch(2)|list }}",
    "{{ '<' }}{{ '<'|safe }}{{ ('a' ~ '<')|e }}",
    "{% if language == 'pt' %}p{% elif contact.name %}c{% else %}e{% endif %}",
    "{% if language == 'es' %}s{% elif contact.name == 'Ana' %}c{% elif language == 'pt' %}p{% else %}e{% endif %}",
    "{% if language == 'es' %}s{% elif language == 'pt' %}{% else %}e{% endif %}",
    "{% if contact.name == 'x' %}x{% elif language == 'es' %}s{% elif contact.name == 'Ana' %}{% else %}e{% endif %}",
    "{% for n in range(3) %}{{ n }}{% if n == 1 %}{{ contact.name }}{% endif %}{% endfor %}",
    "{% for n in rows %}{% for m in rows %}{{ n * m }}{% endfor %}{% else %}none{% endfor %}",
    "{% for n in rows %}{{ loop.index }}{{ n }}{% endfor %}{% for n in [] %}x{% else %}none{% endfor %}",
    "{% for n in range(2, 9, 3) %}{{ n }}{% endfor %}{% for a, b in [(1, 2)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for n in rows if n > 1 %}{{ n }}{% endfor %}{% for n in rows %}{% set m = n %}{{ m }}{% endfor %}",
    "{% set language = 'en' %}{{ language }}{{ occurrence|date }}",
    "{% with company = contact %}{{ company.name }}{% endwith %}{{ company.name }}",
    "{% macro m(language) %}{{ language }}{% endmacro %}{{ m('x') }}{{ language }}",
    "{% filter upper %}{{ language }}{{ contact.name }}{% endfilter %}",
    "{{ contact.traits.get('brew') }}{{ contact.traits.get('x', language) }}{{ company.get('name') }}",
    "{{ rows|length }}{{ rows[0] }}{{ rows[:1] }}{{ company.items }}",
    "{{ contact.nope|default(language) }}{{ not language }}{{ language and contact.name }}",
]
FAILS = ["{{ company.nope }}", "{% if company.nope %}{% endif %}", "{{ 'x' * 10**9 }}", "{{ language.nope() }}"]


def both(source: str, name: str | None = "a.html") -> tuple[str, str]:
    """Return what *source* renders, and what it renders when it was folded."""
    environment = Sandbox(jinja2.DictLoader({}), {**FILTERS})
    tree = environment.parse(source, name)
    fold(tree, environment, name, KNOWN)
    data = {**KNOWN, **CONTACT}
    return environment.template(source, name, None).render(data), environment.template(tree, name, None).render(data)


@pytest.mark.parametrize("source", PARTS)
@pytest.mark.parametrize("name", ["a.html", "a.txt"])
def test_a_folded_template_says_the_same(source: str, name: str) -> None:
    plain, folded = both(source, name)
    assert plain == folded


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([each for each in PARTS if "set language" not in each]), min_size=2, max_size=6))
def test_folded_parts_do_not_disturb_one_another(parts: list[str]) -> None:
    plain, folded = both("\n".join(parts))
    assert plain == folded


@pytest.mark.parametrize("source", FAILS)
def test_what_fails_still_fails_when_it_is_rendered(source: str) -> None:
    with pytest.raises(jinja2.TemplateError):
        both(source)


def test_what_is_known_is_gone_from_the_tree(tmp_path: Any) -> None:
    environment = Environment(tmp_path)
    source = "{% if language == 'pt' %}{{ company.name }}{% endif %}{% for n in range(3) %}{{ n }}{% endfor %}"
    tree = environment.parse(source, "a.html")
    fold(tree, environment, "a.html", KNOWN)
    assert not list(tree.find_all((nodes.Name, nodes.If, nodes.For)))
