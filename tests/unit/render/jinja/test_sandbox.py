"""A template cannot leave the sandbox, and cannot run away."""

from __future__ import annotations

import time
from pathlib import Path

import jinja2
import pytest

from vinculo.render.compile.environment import Environment
from vinculo.render.jinja.sandbox import DEADLINE, MAX_OUTPUT, Facts, Sandbox

CORPUS = Path(__file__).parents[5] / "shared" / "corpora" / "hostile" / "ssti" / "ssti.fuzz"
DATA = {"contact": {"name": "Ana", "traits": Facts(a=1)}, "rows": list(range(100)), "language": "pt"}
RUNAWAY = {
    "loops in loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}",
    "a text times a number": "{{ 'x' * 10**9 }}",
    "a text times": "{{ 'x' * 1000000000 }}",
    "a list times": "{{ [1] * 1000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 }}",
    "a range": "{{ range(1000000000)|list }}",
    "doubling": "{% set x = 'xxxxxxxxxx' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "adding": "{% set x = 'xxxxxxxxxx' %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "a width": "{{ '%1000000000d' % 1 }}",
    "a format": "{{ '{:1000000000}'.format(1) }}",
    "a filled number": "{{ '1'.zfill(1000000000) }}",
    "a centred text": "{{ 'x'|center(1000000000) }}",
    "a macro that calls itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro that calls itself twice": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "a long output": "{% for a in range(9999) %}{% for b in range(9999) %}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfor %}",
    "a growing join": "{% set x = 'x' * 1 %}{{ range(9999)|join('y' ~ range(9999)|join) }}",
    "a growing replacement": "{% set x = range(9999)|join %}{{ x|replace('1', x)|replace('2', x) }}",
    "a batch": "{{ [1]|batch(1000000000, 1)|list }}",
    "lorem": "{{ lipsum(n=10000000) }}",
}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


def render(environment: Environment, source: str, seconds: float = 0.3) -> str:
    return environment.from_string(source).render(DATA, **{DEADLINE: time.thread_time() + seconds})


@pytest.mark.parametrize("source", RUNAWAY.values(), ids=RUNAWAY)
def test_a_runaway_template_is_cut(environment: Environment, source: str) -> None:
    started = time.monotonic()
    with pytest.raises((jinja2.TemplateError, RecursionError)):
        render(environment, source)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ contact|attr('__class__') }}",
        "{{ contact.items.__globals__ }}",
        "{{ contact.update({'a': 1}) }}",
        "{{ contact.traits.clear() }}",
        "{{ rows.append(1) }}",
        "{{ rows|map(attribute='__class__')|join }}",
        "{{ '{0.__class__}'.format(1) }}",
        "{{ ('{0.__class__}'|string).format_map({}) }}",
        "{{ 'a'|xmlattr }}",
        "{{ self.__init__ }}",
        "{{ cycler }}",
        "{{ joiner }}",
        "{{ namespace(a=1) }}",
        "{{ range.__self__ }}",
        "{% macro m() %}{% endmacro %}{{ m.__globals__ }}",
    ],
)
def test_what_reaches_for_more_than_data_is_refused(environment: Environment, source: str) -> None:
    with pytest.raises(jinja2.TemplateError):
        render(environment, source)


def escapes() -> list[str]:
    """The public payloads that show something of the machine."""
    environment, found = Environment(CORPUS.parent), []
    for payload in CORPUS.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = render(environment, payload)
        except (jinja2.TemplateError, RecursionError, TypeError, ValueError):
            continue
        signs = ("uid=", "root:", "<class", "<built-in", "Popen", "subprocess")
        if said != payload and any(sign in said for sign in signs):
            found.append(payload)
    return found


@pytest.mark.skipif(not CORPUS.exists(), reason="shared/corpora/hostile/ssti is not here")
def test_no_public_payload_gets_out() -> None:
    assert escapes() == []


def test_an_absent_fact_is_false_but_not_shown(environment: Environment) -> None:
    assert render(environment, "{% if contact.traits.brew %}a{% else %}b{% endif %}") == "b"
    assert render(environment, "{% if contact.traits.brew == 'x' %}a{% else %}b{% endif %}") == "b"
    assert render(environment, "{{ contact.traits.brew|default('none') }}") == "none"
    with pytest.raises(jinja2.UndefinedError, match="brew"):
        render(environment, "{{ contact.traits.brew }}")


def test_an_unknown_name_is_an_error_with_the_nearest(environment: Environment) -> None:
    with pytest.raises(jinja2.UndefinedError, match="Did you mean `name`"):
        render(environment, "{% if contact.nam %}{% endif %}")
    with pytest.raises(jinja2.UndefinedError, match="kontact"):
        render(environment, "{{ kontact }}")


@pytest.mark.parametrize(
    "name", ["../secret.html", "/etc/passwd", "a/../../secret.html", "a\0.html", "out.html", "x.yaml"]
)
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.html").write_text("secret")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "x.yaml").write_text("secret")
    (folder / "out.html").symlink_to(tmp_path / "secret.html")
    with pytest.raises(jinja2.TemplateNotFound):
        Environment(folder).get_template(name)


def test_the_output_may_be_as_long_as_the_limit(environment: Environment) -> None:
    assert len(environment.from_string("{{ a }}{{ a }}").render(a="x" * (MAX_OUTPUT // 2))) == MAX_OUTPUT


def test_what_is_not_known_of_a_contact_is_told_how_to_be_said_otherwise() -> None:
    """A trait that only some have is no misspelling: what is missing is the words for the others."""
    page = Sandbox(jinja2.DictLoader({"a": "{{ traits.colour }}", "b": "{{ traits.colour or 'blue' }}"}), {})
    with pytest.raises(jinja2.UndefinedError, match=r'`colour` is not known of this contact\..*….colour or "…"'):
        page.get_template("a").render(traits=Facts())
    with pytest.raises(jinja2.UndefinedError, match=r"`colour` is undefined\. Did you mean `colours`\?"):
        page.get_template("a").render(traits=Facts(colours=1))
    assert page.get_template("b").render(traits=Facts()) == "blue"
