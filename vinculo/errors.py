"""What can go wrong, named after what its reader must do.

VinculoError
├── ProjectError     a file of the project is wrong: mend the file             exit 2
├── UsageError       an unknown name or a wrong value was given: give another  exit 2
├── NotFound         what was asked for is not there                           exit 1
└── NotReady         a database, provider or port is not there: start it       exit 3

Errors of sending stand apart, in `vinculo.connector`: they are named after the engine's decision.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import ClassVar, Literal, NamedTuple


class VinculoError(Exception):
    """Something the reader can mend. Shown without a traceback; *remedy* says what to do instead.

    *phrase*: how the console calls it, in the reader's language, with *values* filled in (`wrong` in web/words.toml).
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, remedy: str = "", *, phrase: str = "", **values: object) -> None:
        self.message, self.remedy = message, remedy
        self.phrase, self.values = phrase, values
        super().__init__(message if not remedy else f"{message}\n  {remedy}")


class UsageError(VinculoError):
    """An unknown name or a wrong value was given."""

    exit_code = 2


class NotFound(VinculoError):
    """What was asked for is not there."""

    exit_code = 1


class NotReady(VinculoError):
    """A database, provider, file system or port is not there, or not in the state we need."""

    exit_code = 3


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in one file of the project. Lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int
    column: int
    message: str
    remedy: str = ""

    def concerns(self, folder: str, name: str) -> bool:
        """Whether it is in the file of *name* in *folder*, or below it."""
        file = PurePosixPath(self.file)
        return file.stem == name and file.is_relative_to(folder)

    def __str__(self) -> str:
        place = self.file if not self.line else f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.message}" + (f"\n    {self.remedy}" if self.remedy else "")


class Finding(NamedTuple):
    """What one check of the installation found.

    *level* fail: something that is needed is not there. wrong: it is there, and must be mended. warn: look at it.
    """

    level: Literal["ok", "warn", "wrong", "fail"]
    check: str
    message: str
    remedy: str = ""


class ProjectError(VinculoError):
    """Files of the project are wrong. Carries every problem found, never only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))


#: Our words, and the Portuguese and Spanish ones that people write for them though they look nothing like ours.
_THEIRS = {
    ours: frozenset(words.split())
    for ours, words in {
        "kind": "tipo",
        "segment": "segmento publico",
        "topic": "topico assunto tema",
        "channel": "canal",
        "channels": "canal canais canales",
        "template": "modelo plantilla",
        "when": "quando cuando agenda",
        "every": "cada todo todos toda todas",
        "at": "as hora horario a_las",
        "timezone": "fuso fuso_horario zona zona_horaria huso_horario",
        "steps": "passos etapas pasos",
        "after": "depois despues apos",
        "again": "repetir de_novo otra_vez",
        "leave": "sair salir",
        "exclude": "excluir exceto excepto",
        "who": "quem quien",
        "city": "cidade ciudad",
        "country": "pais",
        "region": "estado uf provincia",
        "language": "idioma lingua",
        "birthdate": "nascimento nacimiento data_de_nascimento fecha_de_nacimiento",
        "birthday": "aniversario cumpleanos",
        "tag": "etiqueta",
        "stage": "estagio etapa",
        "consent": "consentimento consentimiento",
        "did": "fez hizo",
        "never": "nunca",
        "purchased": "comprou compro compra comprar",
        "opened": "abriu abrio abertura",
        "visited": "visitou visito visita",
        "replied": "respondeu respondio resposta respuesta",
        "news": "novidades noticias novedades",
        "offers": "ofertas promocoes promociones",
        "surveys": "pesquisas encuestas opiniao opinion",
    }.items()
}


def nearest(name: str, known: Iterable[str]) -> str:
    """The one of *known* that *name* may have been meant for, misspelt or in Portuguese or Spanish; "" for none."""
    names = sorted(known)
    bare = "".join(c for c in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(c))
    ours = [word for word in names if bare.replace(" ", "_") in _THEIRS.get(word, ())]
    return next(iter(ours or difflib.get_close_matches(name, names, n=1, cutoff=0.6)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a remedy that names the nearest of *known*, or lists what there is."""
    names = sorted(known)
    if near := nearest(name, names):
        return f"Did you mean `{near}`?"
    if not names:
        return "There are none yet."
    return "Known: " + ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "") + "."
