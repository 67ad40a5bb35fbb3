"""Every phrase stands in every language, is used, and is filled with the same names."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from vinculo.errors import UsageError
from vinculo.project import USUAL
from vinculo.web.page import HERE
from vinculo.web.words import LANGUAGES, phrases, term, wrong


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("name", phrases())
def test_a_phrase_has_every_language_and_the_same_holes(name: str) -> None:
    said = phrases()[name]
    assert set(said) == set(LANGUAGES)
    assert all(text.strip() for text in said.values())
    assert len({frozenset(holes(text)) for text in said.values()}) == 1


def test_every_phrase_that_a_page_names_is_there() -> None:
    sources = [*HERE.rglob("*.html"), *HERE.rglob("*.py")]
    named = {
        name
        for path in sources
        for name in re.findall(r"""\b(?:t|with_link)\(["']([a-z_]+\.[a-z_]+)["']""", path.read_text(encoding="utf-8"))
    }
    assert len(named) > 80
    assert {name for name in named if not name.endswith("_")} <= set(phrases())  # the others are named in pieces


#: Named in pieces: `"nav." ~ name`.
PIECES = (
    "common.",
    "nav.",
    "confirm.over_",
    "confirm.left_",
    "overview.",
    "inbox.state_",
    "inbox.intent_",
    "inbox.fate_",
    "inbox.did_",
    "error.",
    "prefs.frequency_",
    "survey.ask_",
    "survey.low_",
    "survey.high_",
    "campaign.paused",
    "campaign.cancelled",
    "term.",
    "kind.",
    "wrong.",
)


def test_every_phrase_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in [*HERE.rglob("*.html"), *HERE.rglob("*.py")])
    assert [name for name in phrases() if not name.startswith(PIECES) and name not in sources] == []


def test_every_error_that_names_a_phrase_has_it_and_each_is_named_by_one() -> None:
    """What a person can mend is said in the reader's language, with the values that the error brings."""
    code = "".join(path.read_text(encoding="utf-8") for path in HERE.parent.rglob("*.py"))
    named = set(re.findall(r'phrase="([a-z_]+)"', code))
    assert {f"wrong.{name}" for name in named} == {name for name in phrases() if name.startswith("wrong.")}


def test_an_error_without_a_phrase_is_said_as_everywhere_else() -> None:
    assert wrong(UsageError("No such thing", "Give another."), "pt") == "No such thing\n  Give another."
    assert wrong(UsageError("x", phrase="no_contact", key="bia"), "es") == "No hay contacto “bia”."


def test_a_state_has_our_word_and_a_name_we_have_no_word_for_stays() -> None:
    assert term("held", "pt") == "espera aprovação"
    assert term("no_consent", "es") == "sin consentimiento"
    assert term("my_state", "en") == "my state"


def test_every_stage_has_our_word() -> None:
    assert [stage.name for stage in USUAL.stages if f"term.{stage.name}" not in phrases()] == []


def test_a_shops_reader_is_spoken_to_as_a_shop_does() -> None:
    """In Spanish a `pedido` is what somebody has bought; in Portugal `a gente` is no way to write to a customer."""
    for name, said in phrases().items():
        assert not re.search(r"\bpedidos?\b|\btú\b|\btus?\b", said["es"], re.IGNORECASE), name
        assert not re.search(r"\b(d?a|pela) gente\b", said["pt"], re.IGNORECASE), name
