"""What a template asks of a contact, looked up once a message and not at every mention.

`contact.city` and `contact.traits.get("brew")` are plain data: whether a branch asks for them or
not, they are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from vinculo.model import Contact
from vinculo.render.compile.form import SALT
from vinculo.render.sending import FIELDS

_OPEN = frozenset({"traits", "addresses"})


class Facts(NodeTransformer):
    """Replaces in *tree* each of them by a name, and looks them up."""

    def __init__(self, tree: nodes.Template) -> None:
        self.fields: dict[str, Callable[[Contact], Any]] = {}
        self._names: dict[str, str] = {}
        self.asked: dict[str, tuple[str, tuple[Any, ...]]] = {}
        if not any(each.name == "contact" and each.ctx != "load" for each in tree.find_all(nodes.Name)):
            self.visit(tree)

    def add(self, data: dict[str, Any], contact: Contact) -> None:
        """Add to *data* what the names stand for."""
        for name, of in self.fields.items():
            data[name] = of(contact)
        for name, (field, args) in self.asked.items():
            data[name] = (contact.traits if field == "traits" else FIELDS[field](contact)).get(*args)

    def visit_Getattr(self, node: nodes.Getattr) -> nodes.Node:  # noqa: N802 - the name that Jinja calls
        field = _field(node)
        if not field:
            return self.generic_visit(node)
        name = f"_{SALT}_{field}"
        self.fields[name] = FIELDS[field]
        return nodes.Name(name, "load", lineno=node.lineno)

    def visit_Filter(self, node: nodes.Filter) -> nodes.Node:  # noqa: N802
        field = _field(node.node) if node.name == "_get" else ""
        args = [each.value for each in node.args if isinstance(each, nodes.Const) and _plain(each.value)]
        if field not in _OPEN or len(args) != len(node.args) or not 1 <= len(args) <= 2:
            return self.generic_visit(node)
        # By how it is written: 1 and True are equal, and are not shown alike.
        name = self._names.setdefault(repr((field, args)), f"_{SALT}_{len(self._names)}")
        self.asked[name] = field, tuple(args)
        return nodes.Name(name, "load", lineno=node.lineno)


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _field(node: nodes.Node | None) -> str:
    """Return which field of the contact *node* asks for, or nothing."""
    if not isinstance(node, nodes.Getattr) or not isinstance(node.node, nodes.Name) or node.node.name != "contact":
        return ""
    return node.attr if node.attr in FIELDS and node.ctx == "load" else ""
