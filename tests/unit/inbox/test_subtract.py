"""What a person wrote, less what we had written."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.inbox import without

SENT = """\
Olá, Ana!

Chegou o café da Serra da Mantiqueira, com notas de chocolate e laranja. Torramos na terça,
e enviamos na quarta, sem custo para a Grande São Paulo.

Ver na loja: https://shop.example/c/abc/1

Até logo,
Marina
Rua da Aurora, 100, São Paulo
"""


@pytest.mark.parametrize("width", [40, 60, 76, 200])
@pytest.mark.parametrize("mark", ["", "> ", "| ", "    ", ">> "])
def test_our_words_go_however_they_are_wrapped_and_marked(width: int, mark: str) -> None:
    quoted = "\n".join(mark + line for each in SENT.split("\n") for line in (textwrap.wrap(each, width) or [""]))
    assert (
        without(f"Quero dois pacotes, por favor.\n\nAna\n\n{quoted}", SENT) == "Quero dois pacotes, por favor.\n\nAna"
    )


def test_what_stands_between_our_lines_stays() -> None:
    text = (
        "Torramos na terça, e enviamos na quarta, sem custo para a Grande São Paulo.\nE para Campinas?\n"
        "Chegou o café da Serra da Mantiqueira, com notas de chocolate e laranja.\nTem em grãos?"
    )
    assert without(text, SENT) == "E para Campinas?\nTem em grãos?"


@pytest.mark.parametrize("text", ["Olá, Ana!", "Marina", "Até logo,\nMarina", "sem custo?", "na terça", ""])
def test_a_few_words_that_we_used_too_are_the_contacts_own(text: str) -> None:
    assert without(text, SENT) == text


def test_whoever_sends_back_our_letter_alone_said_nothing() -> None:
    assert without(SENT, SENT) == ""


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_it_never_adds_a_line_and_of_nothing_takes_nothing(text: str, sent: str) -> None:
    assert set(without(text, sent).split("\n")) <= {*text.split("\n"), *(line.strip() for line in text.split("\n")), ""}
    assert without(text, "") == text


def test_long_texts_cost_little() -> None:
    began = time.process_time()
    without("palavra por palavra que nunca foi dita aqui\n" * 3_000, "outra coisa dita aqui " * 5_000)
    assert time.process_time() - began < 0.5
