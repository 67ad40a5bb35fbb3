"""The hold-out figures and their picture in docs/scores.md are what the models give today."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.evidence import holdout
from bench.evidence.row import FETCHED

FILE = FETCHED / "lifetimes" / "lifetimes" / "datasets" / "CDNOW_sample.txt"


@pytest.fixture(scope="module")
def result() -> holdout.Result:
    if not FILE.is_file():
        pytest.skip(f"CDNOW is not at {FILE}: `make evidence` fetches it")
    return holdout.foretell(holdout.people(FILE))


def test_the_documented_figures_are_worked_out_anew(result: holdout.Result, request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "scores.md").read_text(encoding="utf-8")
    assert holdout.table(result) in text
    for sentence in holdout.words(result):
        assert sentence in " ".join(text.split())


def test_the_picture_is_drawn_from_them(result: holdout.Result) -> None:
    assert Path(holdout.PICTURE).read_text(encoding="utf-8") == holdout.draw(result)


def test_what_the_papers_found_is_found_again(result: holdout.Result) -> None:
    """The conditional expectations of Fader, Hardie and Lee 2005, as the vignette of R's package BTYD prints them."""
    real = [0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359]
    foretold = [0.225, 0.523, 1.044, 1.521, 2.163, 2.653, 3.503, 6.155]
    assert [round(group[2], 3) for group in result.groups] == pytest.approx(real, abs=0.001)
    assert [group[3] for group in result.groups] == pytest.approx(foretold, rel=0.005)
