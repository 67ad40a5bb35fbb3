"""A template made up for one campaign, day, language and variant: what its messages have in common is done once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Any, NamedTuple

import jinja2
from jinja2 import nodes

from vinculo.mail.compose import dotted, lines, plain
from vinculo.render.environment import Environment
from vinculo.render.fold import fold
from vinculo.render.form import form, gap
from vinculo.render.own import CLICK, LINKS, TOKEN, Own
from vinculo.render.sandbox import MAX_OUTPUT, LimitExceeded
from vinculo.render.shape import VALUES, Shape, one_line, shape_of, text_values, with_pixel
from vinculo.render.skeleton import Skeleton, skeleton
from vinculo.render.unit import Unit, Words

#: Shapes of one edition that are kept.
_MOST_SHAPES = 256
_INHERITS: tuple[type[nodes.Node], ...] = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)


class Page(NamedTuple):
    """The words for one contact; `body` is the content of the MIME message, in `encoding`, if it may go as it is.

    It is in parts: to join them only once, with the headers, saves a copy. `smooth`: no line of it begins with a dot.
    """

    words: Words
    body: Sequence[bytes] = ()
    encoding: str = ""
    smooth: bool = False


class Edition:
    """What is left to do for each contact: the decisions, the values, and putting them in."""

    def __init__(self, unit: Unit, environment: Environment, known: Mapping[str, Any], pixel: str) -> None:
        self.known, self.pixel = {**environment.globals, **known}, pixel
        self.names: set[str] = set()
        self.skeleton = self._skeleton(unit, environment)
        text = self._folded(unit.text, unit.text_source, environment)
        subject = self._folded(unit.subject, unit.subject_source, environment)
        self.unit = dataclasses.replace(unit, text=text, subject=subject)
        self.shapes: dict[str, Shape] = {}
        self.asked = self.made = 0

    def needs(self) -> set[Own]:
        """Which of our values for URLs its messages hold."""
        if self.skeleton is None and self.unit.plain is not None:
            return {*LINKS.values(), Own.CLICK, Own.PIXEL}
        text = self.pixel + "".join(self.skeleton.stretches if self.skeleton else ())
        found = {each for each in Own if gap(each) in text}
        if "links" in self.names:
            found |= {*LINKS.values()}
        return found | {Own.CLICK} if self.names & {CLICK, TOKEN, "_track"} else found

    def render(self, data: dict[str, Any], own: list[str]) -> Page:
        """Return the page for *data*; *own* are our own values, in the order of `Own`."""
        if self.skeleton is None:
            return self._by_itself(data, own)
        values = own.copy()
        shape = self._shape(self.skeleton, data, values)
        if shape is None:
            return self._by_itself(data, own)
        joined = "\n".join(values)  # there is no line end in any
        if len(joined) > MAX_OUTPUT:
            raise LimitExceeded(f"The template shows values of more than {MAX_OUTPUT:,} characters")
        raw = [unescape(each) for each in values] if "&" in joined else values
        said = text_values(raw) if "\xa0" in joined else raw
        subject, text = self.unit.subject, self.unit.text
        words = Words(
            shape.subject.fill(raw) if subject is None else one_line(subject.render(data)),
            shape.text.fill(said) if text is None else text.render(data),
            shape.html.fill(values),
        )
        return self._page(words, shape, values, said)

    def _page(self, words: Words, shape: Shape, values: list[str], said: list[str]) -> Page:
        text, joined = b"" if self.unit.text is None else lines(words.text), "\n".join(values)
        wide = shape.wide or not (joined.isascii() and text.isascii())
        encoding = said[Own.ENCODING] = values[Own.ENCODING] = "8bit" if wide else "7bit"
        spelt = "\n".join(values).encode().split(b"\n")
        plainly = spelt if said is values else "\n".join(said).encode().split(b"\n")
        body = [*shape.start.parts(plainly), text, *shape.rest.parts(spelt)]
        fits = plain(b"".join(body)) if text or max(map(len, spelt)) > shape.room >= 0 else shape.room >= 0
        if not fits:
            return Page(words)
        dots = shape.dotted or "\n." in joined or (text and dotted(text))
        return Page(words, body, encoding, smooth=not dots)

    def _by_itself(self, data: dict[str, Any], own: list[str]) -> Page:
        words = self.unit.render(data)
        pixel = form(self.pixel).fill(own) if words.html else ""
        return Page(Words(words.subject, words.text, with_pixel(words.html, pixel)))

    def _shape(self, made: Skeleton, data: dict[str, Any], values: list[str]) -> Shape | None:
        """Return the shape for *data*, and add to *values*; None where the message is better made by itself."""
        data[VALUES] = values
        try:
            key = made.render(data)
        except Exception:  # noqa: BLE001 - by itself it fails in the same way, and at the author's line
            return None
        finally:
            del data[VALUES]  # only the skeleton's values are held
        self.asked += 1
        shape = self.shapes.get(key)
        # Where hardly any shape is met twice, to make one does not pay.
        if shape is None and (self.made < _MOST_SHAPES or self.made * 2 < self.asked):
            self.made += 1
            while len(self.shapes) >= _MOST_SHAPES:
                self.shapes.pop(next(iter(self.shapes)), None)
            self.shapes[key] = shape = shape_of(made.expand(key), self.pixel, with_text=self.unit.text is None)
        return shape

    def _skeleton(self, unit: Unit, environment: Environment) -> Skeleton | None:
        if unit.plain is None or unit.held is None:
            return None
        tree = environment.parse(unit.held, unit.plain.name)
        fold(tree, environment, unit.plain.name, self.known)
        made = skeleton(environment, tree, unit.plain.name)
        self.names |= _names(tree)
        return made

    def _folded(self, part: jinja2.Template | None, source: str, environment: Environment) -> jinja2.Template | None:
        """Return a part of text with what is alike for everybody worked out; one of several files stays as it is."""
        if part is None:
            return None
        tree = environment.parse(source, part.name)
        if any(True for _ in tree.find_all(_INHERITS)):
            self.names |= {"links"}
            return part
        fold(tree, environment, part.name, self.known)
        self.names |= _names(tree)
        return environment.template(tree, part.name, part.filename)


def _names(tree: nodes.Template) -> set[str]:
    """Return the names that *tree* asks its context for, and the filters that stand around a part of it."""
    filters = {str(each.filter.name) for each in tree.find_all(nodes.FilterBlock)}
    return filters | {each.name for each in tree.find_all(nodes.Name) if each.ctx == "load"}
