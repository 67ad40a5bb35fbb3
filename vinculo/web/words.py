"""Our words on screen: words.toml, each phrase in every language; terms of the ledger come from the report's words."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from vinculo import consent
from vinculo.errors import UsageError, VinculoError
from vinculo.report.words import words

FILE = Path(__file__).parent / "words.toml"
LANGUAGES = ("pt", "en", "es")
#: How each language calls itself.
NAMES = {"pt": "Português", "en": "English", "es": "Español"}


@cache
def phrases() -> Mapping[str, Mapping[str, str]]:
    """Every phrase by its name, `section.phrase`, and language."""
    sections = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {f"{section}.{name}": said for section, names in sections.items() for name, said in names.items()}


def speaker(language: str) -> Callable[..., str]:
    """Return what says a phrase in *language*: `t("leave.title", topic="News")`."""

    def t(name: str, /, **values: object) -> str:
        return phrases()[name][language].format(**values)

    return t


def how_often(value: str, language: str) -> str:
    """The preference `frequency` in words; one of another form, which holds nobody back, as it stands."""
    t = speaker(language)
    if not value or value in consent.FREQUENCIES:
        return t(f"prefs.frequency_{value or 'any'}")
    try:
        number, days = consent.often(value)
    except UsageError:
        return value
    return t("prefs.frequency_own", number=number, days=days)


def wrong(error: VinculoError, language: str) -> str:
    """Say what a person can mend in *language*; what has no phrase of ours is said as everywhere else."""
    return speaker(language)(f"wrong.{error.phrase}", **error.values) if error.phrase else str(error)


def term(name: str, language: str) -> str:
    """Return our word for a state, a reason or a kind, in *language*; a name we have no word for stays as it is."""
    said = phrases().get(f"term.{name}")
    return said[language] if said else words(language).get(name, name.replace("_", " "))
