"""The files of a project, each read and held against its shape; what they say of one another is checked elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from vinculo.errors import Problem
from vinculo.fields import Name
from vinculo.project.answers import Answers
from vinculo.project.checking.yaml import Document, read
from vinculo.project.complain import complaints
from vinculo.project.lifecycle import Lifecycle
from vinculo.project.schema import Campaign, Journey, Loyalty, Objective, Policy
from vinculo.project.template import Template, parts_of, syntax_problem
from vinculo.segment import Segment

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_ENDINGS = {".yml": ".yaml", ".json": ".yaml", ".htm": ".html", ".j2": ".html", ".text": ".txt"}
Shape = TypeVar("Shape", bound=BaseModel)


class Objectives(RootModel[dict[Name, Objective]]):
    """plan/objectives.yaml: objectives by name."""


@dataclass
class Draft:
    """What could be read, the documents it came from, by kind and name, and what is wrong with them."""

    root: Path
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    journeys: dict[str, Journey] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)
    templates: dict[str, Template] = field(default_factory=dict)
    objectives: dict[str, Objective] = field(default_factory=dict)
    policy: Policy | None = None
    loyalty: Loyalty | None = None
    lifecycle: Lifecycle | None = None
    answers: Answers | None = None
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    #: Names of files that are there, readable or not: a reference to a broken file is not a second problem.
    names: dict[str, set[str]] = field(default_factory=dict)
    stray: list[Problem] = field(default_factory=list)

    @property
    def problems(self) -> list[Problem]:
        """Everything found so far."""
        return [*self.stray, *(problem for document in self.documents.values() for problem in document.problems)]

    def text(self, path: Path) -> str | None:
        """Return the text of a file of the project; None, and a problem noted, when it cannot be read."""
        try:
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            column = error.start - error.object.rfind(b"\n", 0, error.start)
            self.stray.append(Problem(self.file(path), line, column, "this is not UTF-8", "Save the file as UTF-8."))
        except OSError as error:
            self.stray.append(Problem(self.file(path), 0, 0, f"the file cannot be read: {error.strerror}"))
        return None

    def file(self, path: Path) -> str:
        """The name by which a person knows the file."""
        return path.relative_to(self.root).as_posix()

    def document(self, kind: str, name: str, path: Path) -> Document | None:
        """Read a YAML file and keep it as *kind*, *name*."""
        text = self.text(path)
        if text is None:
            return None
        found = self.documents[kind, name] = read(self.file(path), text)
        return found

    def shaped(self, document: Document | None, shape: type[Shape]) -> Shape | None:
        """Hold *document* against *shape*; None when it does not fit."""
        if document is None or document.problems:
            return None
        if document.data is None:
            document.report((), "the file is empty", "`vinculo schema` shows what belongs in it.")
            return None
        try:
            return shape.model_validate(document.data)
        except ValidationError as error:
            for path, message, remedy, key in complaints(error, shape):
                document.report(path, message, remedy, key=key)
        return None


def read_draft(root: Path) -> Draft:
    """Read every file of the project in *root* but vinculo.toml."""
    draft = Draft(root)
    draft.policy = _single(draft, "policy", Policy, required=True)
    draft.loyalty = _single(draft, "loyalty", Loyalty)
    draft.lifecycle = _single(draft, "lifecycle", Lifecycle)
    draft.answers = _single(draft, "answers", Answers)
    objectives = _single(draft, "objectives", Objectives)
    draft.objectives = objectives.root if objectives else {}
    draft.campaigns = _named(draft, "campaign", "plan/calendar", Campaign)
    draft.journeys = _named(draft, "journey", "plan/journeys", Journey)
    draft.segments = _named(draft, "segment", "segments", Segment)
    _sql_segments(draft)
    _templates(draft)
    return draft


def _single(draft: Draft, kind: str, shape: type[Shape], *, required: bool = False) -> Shape | None:
    path = draft.root / "plan" / f"{kind}.yaml"
    if path.is_file():
        return draft.shaped(draft.document(kind, "", path), shape)
    if (wrong := path.with_suffix(".yml")).is_file():
        draft.stray.append(_ending(draft.file(wrong), wrong))
    elif required:
        draft.stray.append(
            Problem(f"plan/{kind}.yaml", 0, 0, "the file is missing", "A project needs its topics there.")
        )
    return None


def _named(draft: Draft, kind: str, folder: str, shape: type[Shape]) -> dict[str, Shape]:
    found = {}
    for name, path in _files(draft, kind, folder, ".yaml"):
        document = draft.document(kind, name, path)
        made = draft.shaped(document, shape)
        if made is not None and document is not None:
            if "name" in document.data:
                document.report(("name",), "a file's name is its name", "Leave `name` out.", key=True)
            found[name] = made.model_copy(update={"name": name})
    return found


def _sql_segments(draft: Draft) -> None:
    for name, path in _files(draft, "segment", "segments", ".sql"):
        text = draft.text(path)
        if text is not None:
            draft.documents["segment", name] = Document(draft.file(path))
            draft.segments[name] = Segment(name=name, description=_first_comment(text), sql=text)


def _first_comment(sql: str) -> str:
    """A `.sql` file says what it is in the comment it begins with."""
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def _files(draft: Draft, kind: str, folder: str, ending: str) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file of *kind*; names that cannot be, or are taken, become problems."""
    names = draft.names.setdefault(kind, set())
    for path in sorted((draft.root / folder).rglob("*")):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix != ending:
            if path.suffix in _ENDINGS and ending == ".yaml":
                draft.stray.append(_ending(draft.file(path), path))
            continue
        if problem := _name_problem(draft, path, names):
            draft.stray.append(problem)
        elif path.stem not in names:
            names.add(path.stem)
            yield path.stem, path


def _ending(file: str, path: Path) -> Problem:
    ending = _ENDINGS[path.suffix]
    return Problem(file, 0, 0, f"a file that ends in {path.suffix} is not read", f"Name it {path.stem}{ending}.")


def _name_problem(draft: Draft, path: Path, names: set[str]) -> Problem | None:
    if not _NAME.fullmatch(path.stem):
        remedy = "Names have small letters, digits, `-` and `_`: `weekly-news`."
        return Problem(draft.file(path), 0, 0, f"`{path.stem}` cannot be a name", remedy)
    if path.stem in names:
        return Problem(draft.file(path), 0, 0, f"another file is named `{path.stem}` too", "Rename one of them.")
    return None


# ── templates ────────────────────────────────────────────────────────────────────────────────────────────────────
def _templates(draft: Draft) -> None:
    names = draft.names.setdefault("template", set())
    home = draft.root / "templates"
    for folder in sorted(home.iterdir()) if home.is_dir() else []:
        if not folder.is_dir() or folder.name.startswith("."):
            continue
        _syntax(draft, folder)
        if folder.name.startswith("_"):
            continue
        if not _NAME.fullmatch(folder.name):
            remedy = "Names have small letters, digits, `-` and `_`: `weekly-news`."
            draft.stray.append(Problem(draft.file(folder), 0, 0, f"`{folder.name}` cannot be a name", remedy))
            continue
        names.add(folder.name)
        draft.templates[folder.name] = Template(folder.name, folder, parts_of(folder), _sample(draft, folder))


def _syntax(draft: Draft, folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _ENDINGS:
            draft.stray.append(_ending(draft.file(path), path))
        elif path.suffix in {".html", ".txt"} and (text := draft.text(path)) is not None:
            problem = syntax_problem(draft.file(path), text)
            draft.stray += [problem] if problem else []


def _sample(draft: Draft, folder: Path) -> Mapping[str, Any]:
    path = folder / "sample.yaml"
    if not path.is_file():
        return {}
    document = draft.document("sample", folder.name, path)
    data = document.data if document else None
    if document and not document.problems and not isinstance(data, dict | None):
        document.report((), "a sample has keys", "Write for example `contact: {given_name: Ana}`.")
    return data if isinstance(data, dict) else {}
