"""The text part that is made of HTML reads as a person would write it."""

from __future__ import annotations

import pytest

from vinculo.render.markup.text import text_of


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('A <a href="https://a.example/x">receita inteira</a>.', "A receita inteira <https://a.example/x>."),
        ('Veja <a href="https://a.example"> aqui </a>já', "Veja aqui <https://a.example>já"),
        ('<a href="https://a.example/(x)_">a</a>', "a <https://a.example/(x)_>"),  # its end is no guess
        ('<a href="https://a.example"><img src="x" alt="Loja"></a>', "[Loja] <https://a.example>"),
        ('<a href="https://a.example"><img src="x"></a>', "<https://a.example>"),
        ('<a href="https://a.example"><div>Um</div></a>', "Um\n<https://a.example>"),
        ('<a href=" https://a.example/\n        um ">a</a> <a href=" #here">b</a>', "a <https://a.example/ um> b"),
        ('<a name="here">Um</a> <a>dois</a> <a href="#here">três</a>', "Um dois três"),
        ('<div style="display:none"><a href="https://a.example">Um</a></div>dois', "dois"),
        (f'<a href="https://a.example/{"x" * 2000}">Um</a>', f"Um <https://a.example/{'x' * 2000}>"),
        ('<p>Um</p><p style="display:none">dois</p><p>três</p>', "Um\n\ntrês"),
    ],
)
def test_a_links_address_stands_behind_its_words(html: str, text: str) -> None:
    assert text_of(f"<html><body>{html}</body></html>") == f"{text}\n"
