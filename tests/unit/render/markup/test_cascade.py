"""CSS decides who wins; a style attribute says what has won, spelt as its author did."""

from __future__ import annotations

import pytest

from vinculo.render import inline

CASES = {
    "fallbacks stay together": (".b { color: red; color: rgba(1,2,3,.5) }", "", "color:red; color:rgba(1,2,3,.5)"),
    "a later rule takes fallbacks off": ("p { color: red; color: var(--x) } .b { color: blue }", "", "color:blue"),
    "an important rule beats the style attribute": ("p { top: 0 !important }", "top: 1px; left: 0", "left:0; top:0"),
    "an important style attribute beats all": ("p { top: 0!important }", "top: 1px !important", "top:1px !important"),
    "an id beats ten classes": ("#i { top: 1px } .b.b.b.b.b.b.b.b.b.b { top: 2px }", "", "top:1px"),
    "an attribute counts as a class": ("[id] { top: 1px } p { top: 2px }", "", "top:1px"),
    "a place among siblings counts as a class": ("p:first-child { top: 1px } .b { top: 2px }", "", "top:1px"),
    "a negation counts as what it holds": (".b:not(div) { top: 1px } .b { top: 2px }", "", "top:1px"),
    "of equals the later one wins": (".b { top: 1px } .b { top: 2px }", "", "top:2px"),
    "a list of selectors is many rules": ("#i, p { top: 1px } .b { top: 2px }", "", "top:1px"),
    "a shorthand comes after what it overrides": ("p { margin-top: 1px } .b { margin: 0 }", "", "margin-top:1px; margin:0"),
    "a shorthand said again goes behind": (
        "p { margin: 1px } .b { margin-top: 2px } #i { margin: 3px }",
        "",
        "margin-top:2px; margin:3px",
    ),
    "values keep their spelling": ("p { color: #FFF; filter: Alpha(opacity=50) }", "", "color:#FFF; filter:Alpha(opacity=50)"),
    "what is no declaration is left out": ("p { color; top: ; left: 0 }", "", "left:0"),
    "the style attribute beats rules": ("#i { top: 1px }", "TOP: 2px", "TOP:2px"),
}  # fmt: skip


@pytest.mark.parametrize(("css", "own", "expected"), CASES.values(), ids=CASES)
def test_who_wins(css: str, own: str, expected: str) -> None:
    style = f' style="{own}"' if own else ""
    done = inline(f'<html><head><style>{css}</style></head><body><p class="b" id="i"{style}>x</p></body></html>')
    assert f'style="{expected}"' in done


def test_what_shows_nothing_gets_no_style() -> None:
    done = inline("<html><head><title>T</title><style>* { top: 0 } a { color: }</style></head><body><a>x</a></body></html>")  # fmt: skip
    assert done == '<html style="top:0"><head><title>T</title></head><body style="top:0"><a style="top:0">x</a></body></html>'  # fmt: skip


def test_a_doctype_behind_a_comment_and_empty_cells_stay() -> None:
    source = "<!-- ours -->\n<!DOCTYPE html>\n<html><head></head><body><table><tr><td></td><td></td></tr></table></body></html>"
    assert inline(source) == source
