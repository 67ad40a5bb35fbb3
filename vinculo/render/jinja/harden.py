"""What a parsed template is made to do beside its author's words, so that it cannot run away."""
# ruff: noqa: N802 - the names that Jinja calls

from __future__ import annotations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer


def harden(tree: nodes.Template) -> nodes.Template:
    """Return *tree* with every loop looking at the clock, every `~` and list at its size, and what it imports too.

    `x.get(…)` becomes a filter: a call goes through all of the sandbox's questions, which for plain data have answers.
    """
    hardened: nodes.Template = _Hardener().visit(tree)
    return hardened


def filtered(node: nodes.Node, name: str, args: list[nodes.Expr] | None = None) -> nodes.Filter:
    """Return *node* with filter *name* upon it."""
    return nodes.Filter(node, name, args or [], [], None, None, lineno=node.lineno)


class _Hardener(NodeTransformer):
    def visit_For(self, loop: nodes.For) -> nodes.Node:
        loop.iter = filtered(loop.iter, "_ticking")
        return self.generic_visit(loop)

    def visit_Concat(self, concat: nodes.Concat) -> nodes.Node:
        concat.nodes = [filtered(node, "_bounded") for node in concat.nodes]
        return self.generic_visit(concat)

    def visit_List(self, made: nodes.List) -> nodes.Node:
        return self._weighed(made, made.items)

    def visit_Tuple(self, made: nodes.Tuple) -> nodes.Node:
        return self._weighed(made, made.items) if made.ctx == "load" else made

    def visit_Dict(self, made: nodes.Dict) -> nodes.Node:
        return self._weighed(made, [pair.value for pair in made.items])

    def _weighed(self, made: nodes.Expr, parts: list[nodes.Expr]) -> nodes.Node:
        plain = all(isinstance(part, nodes.Const) for part in parts)
        self.generic_visit(made)
        return made if plain else filtered(made, "_weighed")

    def visit_Import(self, node: nodes.Import) -> nodes.Node:
        node.with_context = True  # the clock and the links are in the context
        return node

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:
        node.with_context = True
        return node

    def visit_Call(self, call: nodes.Call) -> nodes.Node:
        self.generic_visit(call)
        asked = call.node
        plain = not (call.kwargs or call.dyn_args or call.dyn_kwargs)
        if plain and isinstance(asked, nodes.Getattr) and asked.attr == "get":
            return filtered(asked.node, "_get", call.args)
        return call
