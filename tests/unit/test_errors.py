"""What a wrong name may have been meant for."""

from __future__ import annotations

import pytest

from vinculo.errors import did_you_mean, nearest


@pytest.mark.parametrize(
    ("written", "known", "meant"),
    [
        ("modelo", ["template", "topic", "kind"], "template"),
        ("Quando", ["when", "who"], "when"),
        ("canais", ["channels", "kind"], "channels"),
        ("canal", ["channel", "kind"], "channel"),
        ("às", ["at", "every"], "at"),
        ("fuso horário", ["timezone", "at"], "timezone"),
        ("comprou", ["purchased", "clicked"], "purchased"),
        ("compró", ["purchased", "clicked"], "purchased"),
        ("etapa", ["stage", "kind"], "stage"),
        ("etapas", ["steps", "stage"], "steps"),
        ("segmnt", ["segment", "template"], "segment"),
        ("modelo", ["modelos", "kind"], "modelos"),
        ("zzz", ["segment", "template"], ""),
    ],
)
def test_a_name_in_the_marketers_own_language_is_understood(written: str, known: list[str], meant: str) -> None:
    assert nearest(written, known) == meant


def test_a_remedy_names_the_nearest_or_lists_what_there_is() -> None:
    assert did_you_mean("modelo", ["template", "kind"]) == "Did you mean `template`?"
    assert did_you_mean("zzz", ["b", "a"]) == "Known: a, b."
