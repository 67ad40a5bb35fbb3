"""What a template says alike to everybody, worked out once: constants folded, conditions on them decided, short loops
over them written out. Jinja itself evaluates each expression, in the sandbox, as it would when rendering.
"""
# ruff: noqa: N802 - the names that Jinja calls

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.compiler import has_safe_repr
from jinja2.visitor import NodeTransformer
from markupsafe import escape

#: Longest loop that is written out.
_MOST_ITEMS = 64
_IN_LOOPS = (nodes.Output, nodes.If, nodes.FilterBlock, nodes.For)


def fold(tree: nodes.Template, environment: jinja2.Environment, name: str | None, known: Mapping[str, Any]) -> None:
    """Work out in *tree*, of template *name*, what depends on the *known* names alone. What fails is left as it is."""
    taken = {each.name for each in tree.find_all(nodes.Name) if each.ctx != "load"}
    taken |= {each.target for each in tree.find_all(nodes.Import)} | {each.name for each in tree.find_all(nodes.Macro)}
    for each in tree.find_all(nodes.FromImport):
        taken |= {one if isinstance(one, str) else one[1] for one in each.names}
    context = nodes.EvalContext(environment, name)
    _Fold(context, {name: value for name, value in known.items() if name not in taken}).visit(tree)
    _Restore().visit(tree)


class _Fold(NodeTransformer):
    """Replaces expressions by `Const`; each remembers as `origin` what it stood for."""

    def __init__(self, context: nodes.EvalContext, known: Mapping[str, Any]) -> None:
        self.context, self.known = context, known

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        node = super().visit(node, *args, **kwargs)
        if not isinstance(node, nodes.Expr) or isinstance(node, nodes.Const | nodes.TemplateData):
            return node
        try:
            value = node.as_const(self.context)
        except Exception:  # noqa: BLE001 - known only when rendered, or fails then: `Impossible` is one of many
            return node
        return node if hasattr(value, "__next__") else _const(node, value)  # what is used up is no constant

    def visit_Name(self, node: nodes.Name) -> nodes.Expr:
        known = node.ctx == "load" and node.name in self.known
        return _const(node, self.known[node.name]) if known else node

    def visit_Output(self, output: nodes.Output) -> nodes.Node:
        self.generic_visit(output)
        output.nodes = [self._text(node) for node in output.nodes]
        return output

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:
        self.generic_visit(node)
        decided = _truth(node.test)
        if decided is None or (not decided and node.expr2 is None):
            return node
        return node.expr1 if decided else node.expr2  # type: ignore[return-value]

    def visit_If(self, node: nodes.If) -> nodes.Node | list[nodes.Node]:
        open_, otherwise = [], node.else_
        for branch in (node, *node.elif_):
            branch.test = self.visit(branch.test)
            decided = _truth(branch.test)
            if decided:
                otherwise = branch.body
                break
            if decided is None:
                open_.append(branch)
        otherwise = self._statements(otherwise)
        if not open_:
            return otherwise
        for branch in open_:
            branch.body = self._statements(branch.body)
        open_[0].elif_, open_[0].else_ = open_[1:], otherwise
        return open_[0]

    def visit_For(self, loop: nodes.For) -> nodes.Node | list[nodes.Node]:
        loop.iter = self.visit(loop.iter)
        items = self._items(loop)
        if items is None:
            loop.body, loop.else_ = self._statements(loop.body), self._statements(loop.else_)
            loop.test = self.visit(loop.test) if loop.test else None
            return loop
        assert isinstance(loop.target, nodes.Name)  # so says _items
        said: list[nodes.Node] = []
        for item in items:
            inner = _Fold(self.context, {**self.known, loop.target.name: item})
            said += inner._statements([_copied(each) for each in loop.body])
        return said

    def _statements(self, body: list[nodes.Node]) -> list[nodes.Node]:
        said: list[nodes.Node] = []
        for each in body:
            said += self.visit_list(each)
        return said

    def _items(self, loop: nodes.For) -> list[Any] | None:
        """Return what *loop* goes over if that is known and short, and the body may be written out."""
        inside = [each for body in loop.body for each in (body, *body.find_all(nodes.Stmt))]
        free = isinstance(loop.target, nodes.Name) and not (loop.recursive or loop.test or loop.else_)
        asks = any(each.name == "loop" for body in loop.body for each in body.find_all(nodes.Name))
        if not free or asks or not all(isinstance(each, _IN_LOOPS) for each in inside):
            return None
        items = loop.iter.node if isinstance(loop.iter, nodes.Filter) else loop.iter  # under the filter with the clock
        if isinstance(items, nodes.Call):
            return self._range(items)
        if not isinstance(items, nodes.Const) or not isinstance(items.value, list | tuple):
            return None
        found = list(islice(items.value, _MOST_ITEMS + 1))
        return found if len(found) <= _MOST_ITEMS else None

    def _range(self, call: nodes.Call) -> list[int] | None:
        bounds = [each.value for each in call.args if isinstance(each, nodes.Const) and type(each.value) is int]
        named = isinstance(call.node, nodes.Name) and call.node.name == "range" and not (call.kwargs or call.dyn_args)
        if not named or len(bounds) != len(call.args) or not 1 <= len(bounds) <= 3 or 0 in bounds[2:]:
            return None
        numbers = range(*bounds)
        return list(numbers) if len(numbers) <= _MOST_ITEMS else None

    def _text(self, node: nodes.Expr) -> nodes.Expr:
        """Return *node* as the text that it shows, if that is known."""
        shown = node.node if isinstance(node, nodes.Filter) and node.name == "_hold" else node
        if not isinstance(shown, nodes.Const):
            return node
        try:
            return nodes.TemplateData(str(escape(shown.value) if self.context.autoescape else shown.value))
        except Exception:  # noqa: BLE001 - not there: an error when it is rendered, with its place
            return node


class _Restore(NodeTransformer):
    """Puts back the expressions whose values cannot be written as Python."""

    def visit_Const(self, node: nodes.Const) -> nodes.Node:
        origin = getattr(node, "origin", None)
        return node if origin is None or has_safe_repr(node.value) else self.visit(origin)


def _const(node: nodes.Expr, value: Any) -> nodes.Const:
    const = nodes.Const(value, lineno=node.lineno)
    const.origin = node  # type: ignore[attr-defined]
    return const


def _truth(node: nodes.Node) -> bool | None:
    """Return whether a test holds; None if nobody knows yet."""
    if not isinstance(node, nodes.Const):
        return None
    try:
        return bool(node.value)
    except Exception:  # noqa: BLE001 - an unknown name: an error when it is rendered, with its place
        return None


def _copied(node: nodes.Node) -> nodes.Node:
    fields = [_copied_field(value) for _, value in node.iter_fields()]
    return type(node)(*fields, lineno=node.lineno, environment=node.environment)


def _copied_field(value: Any) -> Any:
    if isinstance(value, list):
        return [_copied_field(each) for each in value]
    return _copied(value) if isinstance(value, nodes.Node) else value
