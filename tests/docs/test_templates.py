"""The template of docs/templates.md renders, and the page names all that a template sees."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from vinculo.project import load
from vinculo.render import preview_renderer, sample_sending
from vinculo.render.jinja.local import FILTERS
from vinculo.render.sending import context
from vinculo.testing.project import write_project

PAGE = (Path(__file__).parents[2] / "docs" / "templates.md").read_text()


@pytest.mark.parametrize(("traits", "said"), [({}, False), ({"brew": "moka"}, True)])
def test_the_template_of_the_page_renders(tmp_path: Path, traits: dict[str, str], said: bool) -> None:
    source = re.search(r"```jinja\n(.*?)```", PAGE, re.DOTALL)
    assert source is not None
    one = preview_renderer(load(write_project(tmp_path, **{"templates/hello/email.html": source[1]}), {}))
    sample = sample_sending(one.project, "hello", "email", "pt", campaign=None)
    contact = dataclasses.replace(sample.contact, given_name="Ana", city="", traits=traits)
    message = one.message(dataclasses.replace(sample, contact=contact))
    assert message.subject == "Ana, chegou o café novo"
    assert "A carta de 1 de dezembro de 2026 para casa." in message.text
    assert "R$ 48,90" in message.text
    assert ("italiana" in message.text) is said


def test_the_page_names_all_that_a_template_sees(tmp_path: Path) -> None:
    one = preview_renderer(load(write_project(tmp_path), {}))
    sample = sample_sending(one.project, "hello", "email", "pt", campaign=None)
    seen = context(sample, one.company, "pt", dict.fromkeys(("unsubscribe", "preferences", "view", "survey"), ""))
    names = {*seen, *seen["contact"], *seen["campaign"], *seen["links"], *FILTERS}
    assert names <= set(re.findall(r"`(\w+)`", PAGE))
