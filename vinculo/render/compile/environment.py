"""The Jinja environment of a project: its templates' folder, the sandbox, the links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator

from vinculo.render.compile.shape import hold
from vinculo.render.compile.track import Tracker
from vinculo.render.jinja import local
from vinculo.render.jinja.sandbox import Sandbox


class Folder(jinja2.BaseLoader):
    """Loads from one folder and nothing outside of it, through whatever name or symbolic link.

    Each file is read once: what a contact is asked for, and what is rendered an hour later, come of the same words.
    """

    def __init__(self, root: Path, prepare: Callable[[str], str]) -> None:
        self.root, self.prepare = root.resolve(), prepare
        self._texts: dict[str, str] = {}
        self._prepared: dict[str, str] = {}

    def get_source(
        self,
        environment: jinja2.Environment,  # noqa: ARG002 - Jinja's signature
        template: str,
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return the source of *template*, a path within the folder; the links of HTML are rewritten."""
        return self.source(template), template, None

    def source(self, name: str) -> str:
        """Return the source of template *name* as Jinja gets it."""
        text = self.read(name)
        if not name.endswith(".html"):
            return text
        if name not in self._prepared:  # a layout is asked for with every template that extends it
            self._prepared[name] = self.prepare(text)
        return self._prepared[name]

    def read(self, name: str) -> str:
        """Return the file *name* as it was when it was first read. Raises `jinja2.TemplateNotFound`."""
        if name in self._texts:
            return self._texts[name]
        if "\0" in name or name.startswith(("/", "\\")) or ".." in Path(name).parts:
            raise jinja2.TemplateNotFound(name)
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root) or path.suffix not in {".html", ".txt"} or not path.is_file():
            raise jinja2.TemplateNotFound(name)
        text = path.read_text(encoding="utf-8-sig")
        return self._texts.setdefault(name, text)  # of two threads that read it, one was first


class Generator(CodeGenerator):
    """Writes what `_hold` returns as it is: it is escaped, and to look once more would cost more than to make it."""

    def _output_child_pre(self, node: nodes.Expr, frame: Any, finalize: Any) -> None:
        if isinstance(node, nodes.Filter) and node.name == "_hold":
            self.write("(")
        else:
            super()._output_child_pre(node, frame, finalize)


class Environment(Sandbox):
    """The sandbox over one folder; without a *tracker* links stay as they are written."""

    code_generator_class = Generator

    def __init__(self, root: Path, tracker: Tracker | None = None) -> None:
        self.folder = Folder(root, tracker.rewrite if tracker else str)
        super().__init__(self.folder, {**local.FILTERS, "_hold": hold, **(tracker.filters() if tracker else {})})
