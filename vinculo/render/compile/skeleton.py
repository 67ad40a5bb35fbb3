"""A template with its own words taken out. What it renders says only which stretches of them come, and in which order;
that is short, many contacts share it, and whatever is made of the whole text is made once for all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jinja2 import nodes
from jinja2.runtime import Context

from vinculo.model import Contact
from vinculo.render.compile.facts import Facts
from vinculo.render.compile.form import SALT, gap
from vinculo.render.compile.own import CLICK, LINKS, TOKEN, Own
from vinculo.render.jinja.sandbox import MAX_OUTPUT, LimitExceeded, Sandbox

#: What is looked up for the whole contact, or made of its tokens.
_MUCH = frozenset({"contact", "score", "links", CLICK, TOKEN})
_STRETCH = re.compile(rf"w{SALT}n(\d+)q")
#: Statements that leave what is rendered as it is.
_HARMLESS = (
    nodes.Output,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.With,
    nodes.FilterBlock,
    nodes.Break,
    nodes.Continue,
)


class Skeleton:
    """A template that renders its shape: words for stretches of text, words for values."""

    def __init__(self, environment: Sandbox, tree: nodes.Template, name: str | None) -> None:
        self.stretches: list[str] = []
        ours = not any(each.ctx != "load" and each.name in {"links", CLICK} for each in tree.find_all(nodes.Name))
        self.facts = Facts(tree)
        tree.body = self._taken(tree.body, ours=ours)
        self.names = {each.name for each in tree.find_all(nodes.Name)}
        filters = {each.name for each in tree.find_all(nodes.Filter)}
        #: It asks for more than single facts of the contact.
        self.asks = bool(self.names & _MUCH or "_track" in filters)
        #: It repeats or calls something: those look at the clock. Anything else ends by itself, after its last word.
        self.timed = "_get" in filters or any(True for _ in tree.find_all((nodes.For, nodes.Call)))
        template = environment.template(tree, name, f"{name} (skeleton)")
        self.run, self.concat = template.root_render_func, environment.concat
        # What `new_context` makes is the same each time, but for what a template may fill.
        self.context: type[Context] = type("_Context", (Context,), template.new_context().__dict__)

    def render(self, data: dict[str, Any], contact: Contact) -> str:
        """Return the shape for *data*, to which it adds facts of *contact*. Raises what a template may raise."""
        self.facts.add(data, contact)
        context = object.__new__(self.context)
        context.parent, context.vars, context.exported_vars = data, {}, set()
        return self.concat(self.run(context))

    def expand(self, shape: str) -> str:
        """Return *shape*, which the template rendered, with the text in it. Raises `LimitExceeded`."""
        if sum(len(self.stretches[int(number)]) for number in _STRETCH.findall(shape)) > MAX_OUTPUT:
            raise LimitExceeded(f"The template makes more than {MAX_OUTPUT:,} characters")
        return _STRETCH.sub(lambda word: self.stretches[int(word[1])], shape)

    def _taken(self, body: Sequence[nodes.Node], *, ours: bool) -> list[nodes.Node]:
        """Take the text out of *body*, neighbouring stretches as one."""
        kept: list[nodes.Node] = []
        for node in body:
            if not isinstance(node, nodes.Output):
                kept.append(self._within(node, ours=ours))
            elif kept and isinstance(kept[-1], nodes.Output):
                kept[-1].nodes += node.nodes
            else:
                kept.append(node)
        for node in kept:
            if isinstance(node, nodes.Output):
                node.nodes = self._words(node.nodes, ours=ours)
        return kept

    def _within(self, node: nodes.Node, *, ours: bool) -> nodes.Node:
        if isinstance(node, nodes.FilterBlock):
            return node  # the filter reads the text
        for name, value in node.iter_fields():
            if name in {"body", "else_"}:
                setattr(node, name, self._taken(value, ours=ours))
            elif name == "elif_":
                node.elif_ = [self._within(each, ours=ours) for each in value]  # type: ignore[attr-defined]
        return node

    def _words(self, said: Sequence[nodes.Expr], *, ours: bool) -> list[nodes.Expr]:
        words: list[nodes.Expr] = []
        text = ""
        for node in said:
            stretch = node.data if isinstance(node, nodes.TemplateData) else _own(node) if ours else None
            if stretch is not None:
                text += stretch
                continue
            words += [*self._word(text), node]
            text = ""
        return [*words, *self._word(text)]

    def _word(self, text: str) -> list[nodes.Expr]:
        if not text:
            return []
        self.stretches.append(text)
        return [nodes.TemplateData(f"w{SALT}n{len(self.stretches) - 1}q")]


def skeleton(environment: Sandbox, tree: nodes.Template, name: str | None) -> Skeleton | None:
    """Return the skeleton of *tree*, or None if it does more than choose and repeat."""
    plain = all(isinstance(each, _HARMLESS) for each in tree.find_all(nodes.Stmt))
    return Skeleton(environment, tree, name) if plain else None


def _own(node: nodes.Expr) -> str | None:
    """Return the word for *node* if it is a value of ours that is shown as it is."""
    if not (isinstance(node, nodes.Filter) and node.name == "_hold"):
        return None
    shown = node.node
    if isinstance(shown, nodes.Name) and shown.name == CLICK:
        return gap(Own.CLICK)
    if isinstance(shown, nodes.Getattr) and isinstance(shown.node, nodes.Name) and shown.node.name == "links":
        return gap(LINKS[shown.attr]) if shown.attr in LINKS else None
    return None
