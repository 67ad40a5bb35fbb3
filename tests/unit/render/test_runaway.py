"""A template that runs away is cut within two seconds and 256 MB, and the campaign goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from vinculo.testing.project import write_project

DOUBLE = "{% set x = 'xxxxxxxxxx' %}"
LOOP = "{% for {0} in range(9999) %}"
SHAPES = {
    "a range in a range": "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}",
    "loops without output": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
    "a long range": "{{ range(1000000000)|list }}",
    "lorem": "{{ lipsum(n=10000000) }}",
    "a text times a number": "{{ 'x' * 10**9 }}",
    "a text times": "{{ 'x' * 1000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "a macro that calls its caller": "{% macro m(n) %}{% if n %}{{ caller(n) }}{% endif %}{% endmacro %}{% macro o(n) %}{% call(k) m(n) %}{{ o(k) }}{{ o(k) }}{% endcall %}{% endmacro %}{{ o(9) }}",
    "a loop that calls itself": "{% for a in [1, 2] recursive %}{{ loop([a, a]) }}{% endfor %}",
    "a huge join": "{{ range(9999)|join('y' ~ range(9999)|join) }}",
    "a growing replacement": "{% set x = range(9999)|join %}{{ x|replace('1', x)|replace('2', x) }}",
    "a replacement of nothing": "{% set x = range(9999)|join %}{{ x|replace('', x) }}",
    "doubling": DOUBLE + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "a long value, one after the other": DOUBLE + "{% set x = x ~ x %}" * 16 + "{{ x }}" * 1_000,
    "adding": DOUBLE + "{% set x = x + x %}" * 40 + "{{ x }}",
    "doubling by blocks": DOUBLE + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40 + "{{ x }}",
    "lists of lists": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
    "dicts of dicts": "{% set x = [1] %}" + "{% set x = {1: x, 2: x} %}" * 60 + "{{ x }}",
    "dicts by name": "{% set x = [1] %}" + "{% set x = dict(a=x, b=x) %}" * 60 + "{{ x|string }}",
    "lists compared": "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 60 + "{{ x == y }}",
    "a batch": "{{ [1]|batch(1000000000, 1)|list }}",
    "batches of batches": "{% set x = [1] %}" + "{% set x = [x]|batch(9999, x)|list %}" * 9 + "{{ x }}",
    "a width": "{{ '%1000000000d' % 1 }}",
    "a format": "{{ '{:1000000000}'.format(1) }}",
    "a format filter": "{{ '%1000000000d'|format(1) }}",
    "a filled number": "{{ '1'.zfill(1000000000) }}",
    "a centred text": "{{ 'x'|center(1000000000) }}",
    "an indented text": "{{ 'x'|indent(1000000000) }}",
    "a big slice": "{{ 'x'|slice(1000000000)|list }}",
    "arguments of arguments": "{% macro m() %}{{ m(varargs, varargs) if varargs|length < 99 }}{{ varargs }}{% endmacro %}{{ m(1, 1) }}",
    "lists by mapping": "{% set x = range(9999)|map(attribute='q', default='x')|list %}" + "{% set x = range(9999)|map(attribute='q', default=x)|list %}" * 9 + "{{ x }}",
    "a join of lists": "{% set x = range(9999)|list %}{{ range(9999)|map(attribute='q', default=x)|join }}",
    "a sum of lists": "{% set x = range(9999)|list %}{{ range(9999)|map(attribute='q', default=x)|sum(start=[]) }}",
    "a big number": "{{ 1|number(1000000000) ~ 9 * 10 ** 999999 }}",
    "a text split": "{% set x = range(9999)|join(' a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q r s t ') %}" + "".join(f"{{% set a{n} = x.split(' ') %}}" for n in range(30)),
    "a long output": "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    "a long stretch, often": "{% for a in range(9999) %}" + "<p>not long</p>" * 5000 + "{% endfor %}",
    "a long value, often": "{% for a in range(9999) %}{{ company.name ~ contact.key ~ 'y' * 1 }}{{ " + " ~ ".join(["contact.given_name"] * 600) + " }}{% endfor %}",
    "an include of itself": "{% include 'run00/email.html' %}",
    "an include in a loop": "{% for a in range(9999) %}{% include '_base/part.html' %}{% endfor %}",
    "a text of many values": "{% for a in range(9999) %}{% set x = range(9999)|join %}{{ x }}{% endfor %}",
}  # fmt: skip
WHOLE = {
    "an extends of itself": "{% extends 'run00/email.html' %}",
    "includes that branch": "{% include 'run00/email.html' %}{% include 'run00/email.html' %}",
    "a subject that loops": "<title>{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}</title>",
    "a link that loops": "<a href='https://a.example/{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}'>a</a>",
}
PART = "{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}"


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """What became of each template, by its shape."""
    root = tmp_path_factory.mktemp("runaway")
    names = {f"run{number:02}": shape for number, shape in enumerate([*SHAPES, *WHOLE])}
    files = {"templates/_base/part.html": PART}
    for name, shape in names.items():
        source = (SHAPES | WHOLE)[shape].replace("run00", name)
        files[f"templates/{name}/email.html"] = (
            source if shape in WHOLE else f"<html><title>T</title><body>Oi\n{source}</body></html>"
        )
        files[f"templates/{name}/sample.yaml"] = "contact: {}\n"
    write_project(root, **files)
    here = Path(__file__)
    done = subprocess.run(
        [sys.executable, str(here.with_name("runaway.py")), str(root)],
        env={**os.environ, "PYTHONPATH": str(here.parents[3])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {names[name]: result for name, result in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("shape", [*SHAPES, *WHOLE])
def test_a_template_that_runs_away_is_cut(outcomes: Mapping[str, Mapping[str, Any]], shape: str) -> None:
    outcome = outcomes[shape]
    assert outcome, "the process died, or ran out of memory"
    assert outcome["said"] != "nothing was cut"
    assert outcome["seconds"] < 2
    assert outcome["mb"] < 256
    assert outcome["next"] == "Olá, Ana"
