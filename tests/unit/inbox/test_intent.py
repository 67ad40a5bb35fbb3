"""What a contact wants who writes back: measured on sentences in three languages (said.toml)."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from vinculo.inbox.intent import INTENTS, intents, plain, tone, wants_out

FILE = tomllib.loads((Path(__file__).parent / "said.toml").read_text(encoding="utf-8"))
SAID = FILE["said"]
LOOKALIKES = [text for group in FILE["lookalike"] for text in group["texts"]]
SENTENCES = [(text, frozenset(group["wants"])) for group in SAID for text in group["texts"]]


@pytest.mark.parametrize(("text", "wants"), [pair for pair in SENTENCES if "stop" in pair[1]])
def test_whoever_wants_out_is_heard(text: str, wants: frozenset[str]) -> None:
    assert wants_out(text)


@pytest.mark.parametrize(("text", "wants"), [pair for pair in SENTENCES if "stop" not in pair[1]])
def test_nobody_is_put_out_who_did_not_ask(text: str, wants: frozenset[str]) -> None:
    assert not wants_out(text)


@pytest.mark.parametrize("text", LOOKALIKES)
def test_nor_by_what_only_sounds_like_it(text: str) -> None:
    assert not wants_out(text)


@pytest.mark.parametrize("name", INTENTS[1:])
def test_the_other_intents_have_nine_in_ten_both_ways(name: str) -> None:
    count: Counter[str] = Counter()
    for text, wants in SENTENCES:
        if "stop" in wants:  # how to be let alone may be put as a question
            continue
        count[f"{name in intents(text)}/{name in wants}"] += 1
    found, wrong, missed = count["True/True"], count["True/False"], count["False/True"]
    print(f"{name}: precision {found / (found + wrong):.2f}, recall {found / (found + missed):.2f}")  # noqa: T201 - `-s`
    assert found >= 0.9 * (found + wrong)
    assert found >= 0.9 * (found + missed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Adorei o café, parabéns!", "positive"),
        ("The coffee is not good", "negative"),
        ("Péssimo, chegou atrasado", "negative"),
        ("Me encanta, muchas gracias", "positive"),
        ("Chega na terça", "neutral"),
        ("", "neutral"),
    ],
)
def test_the_tone(text: str, expected: str) -> None:
    assert tone(text) == expected


def test_accents_marks_and_emoji_do_not_matter() -> None:
    assert plain("  NÃO… quero mais!! 🛑") == "nao quero mais"


def test_a_long_text_costs_next_to_nothing() -> None:
    assert intents("não " * 50_000) == ()
    assert not wants_out("stop " * 3 + "x" * 100_000)
