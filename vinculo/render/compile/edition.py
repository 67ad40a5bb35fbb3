"""A template made up for one campaign, day, language and variant: what its messages have in common is done once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from html import unescape
from typing import Any

import jinja2
from jinja2 import nodes

from vinculo.mail.compose import dotted, lines, plain
from vinculo.model import Contact
from vinculo.render.compile.environment import Environment
from vinculo.render.compile.fold import fold
from vinculo.render.compile.form import bytes_form, gap
from vinculo.render.compile.own import CLICK, LINKS, LONGEST_TOKEN, TOKEN, Own, OwnLinks
from vinculo.render.compile.shape import VALUES, Shape, one_line, shape_of, text_values, with_pixel
from vinculo.render.compile.skeleton import Skeleton, skeleton
from vinculo.render.compile.unit import Unit, Words
from vinculo.render.jinja.sandbox import DEADLINE, MAX_OUTPUT, LimitExceeded

#: Shapes of one edition that are kept.
_MOST_SHAPES = 256
#: What is put in when a message is sealed stands together.
_PIXEL, _TO, _AFTER = int(Own.PIXEL), int(Own.TO), int(Own.TEXT) + 1
_INHERITS: tuple[type[nodes.Node], ...] = (nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport, nodes.Block)


class Filled:
    """What a template says to one contact, as a shape and values. What nobody asks for is not put together."""

    __slots__ = ("_own", "_said", "_shape", "_text", "_values", "smooth", "subject")

    def __init__(self, shape: Shape, own: list[bytes], values: list[str], said: list[str], text: str | None) -> None:
        self._shape, self._own, self._values, self._said, self._text = shape, own, values, said, text
        self.subject = ""
        #: Of what was sealed no line begins with a dot, and the headers are in ASCII but for the contact's address.
        self.smooth = False

    @property
    def text(self) -> str:
        """The text part."""
        return self._shape.text.fill(self._all(self._said)) if self._text is None else self._text

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._shape.html.fill(self._all(self._values))

    @property
    def says(self) -> bool:
        """Whether there is something to read in the text part."""
        return (self._shape.says and self._text is None) or bool(self.text.strip())

    def seal(self, to: bytes, subject: bytes, date: bytes) -> bytes:
        """Return the MIME message with these headers; nothing where it may not go as it is."""
        shape, own, shown = self._shape, self._own, "\0".join(self._values)  # there is no NUL in any
        text, coded = b"" if self._text is None else lines(self._text), shown.encode()
        spelt = coded.split(b"\0")
        longest = max(len(coded), len(own[_PIXEL]), LONGEST_TOKEN)
        if longest > shape.room and max(map(len, (*spelt, *own[:_TO]))) > shape.room:
            return b""
        if text and not plain(text):
            return b""
        wide = shape.wide or not (shown.isascii() and text.isascii())
        own[_TO:_AFTER] = to, subject, date, b"8bit" if wide else b"7bit", text
        self.smooth = not (shape.rough or shown[:1] == "." or "\0." in shown or (text and dotted(text)))
        if self._said is self._values:
            return shape.whole.fill(own + spelt)
        said = own + "\0".join(self._said).encode().split(b"\0")
        return b"".join((shape.head.fill(own), shape.start.fill(said), shape.rest.fill(own + spelt)))

    def _all(self, values: list[str]) -> list[str]:
        return [each.decode() for each in self._own] + values


class Edition:
    """What is left to do for each contact: the decisions, the values, and putting them in.

    *end* stands at the end of each HTML part, *head* is what the MIME message begins with: both with gaps.
    """

    def __init__(
        self,
        unit: Unit,
        environment: Environment,
        known: Mapping[str, Any],
        own_links: OwnLinks,
        end: str = "",
        head: bytes = b"",
    ) -> None:
        self.known, self.own_links, self.end, self.head = {**environment.globals, **known}, own_links, end, head
        self.names: set[str] = set()
        self.skeleton = self._skeleton(unit, environment)
        text = self._folded(unit.text, unit.text_source, environment)
        subject = self._folded(unit.subject, unit.subject_source, environment)
        self.unit = dataclasses.replace(unit, text=text, subject=subject)
        #: Single facts of the contact are not enough.
        self.asks = self.skeleton is None or self.skeleton.asks or not (text is None is subject)
        #: It may take long.
        self.timed = self.asks or self.skeleton is None or self.skeleton.timed
        self.shapes: dict[str, Shape] = {}
        self.asked = self.made = 0

    def needs(self) -> set[Own]:
        """Which of our values for URLs its messages hold."""
        if self.skeleton is None and self.unit.plain is not None:
            return {*LINKS.values(), Own.CLICK, Own.PIXEL}
        text = self.end + "".join(self.skeleton.stretches if self.skeleton else ())
        found = {each for each in Own if gap(each) in text}
        if "links" in self.names:
            found |= {*LINKS.values()}
        return found | {Own.CLICK} if self.names & {CLICK, TOKEN, "_track"} else found

    def render(
        self, contact: Contact, own: list[bytes], data: Callable[[], dict[str, Any]], deadline: float
    ) -> Words | Filled:
        """Return what is said to *contact*; *own* are our own values, in the order of `Own`.

        *data* gives all that a template sees, where that is needed. *deadline*: when rendering is cut.
        """
        # The country is for the filters that write money and dates.
        brief = {"contact": {"country": contact.country}, DEADLINE: deadline}
        seen = data() if self.asks else {**self.known, **brief}
        if self.skeleton is None:
            return self._by_itself(seen, own)
        values: list[str] = []
        shape = self._shape(self.skeleton, contact, seen, values)
        if shape is None:
            return self._by_itself(seen if self.asks else data(), own)
        shown = "\0".join(values)
        if len(shown) > MAX_OUTPUT:
            raise LimitExceeded(f"The template shows values of more than {MAX_OUTPUT:,} characters")
        raw = [unescape(each) for each in values] if "&" in shown else values
        said = text_values(raw) if "\xa0" in shown else raw
        text, subject = self.unit.text, self.unit.subject
        filled = Filled(shape, own, values, said, None if text is None else text.render(seen))
        filled.subject = shape.title(raw, own) if subject is None else one_line(subject.render(seen))
        return filled

    def _by_itself(self, data: dict[str, Any], own: list[bytes]) -> Words:
        words = self.unit.render(data)
        end = bytes_form(self.own_links.write(self.end).encode()).fill(own).decode() if words.html else ""
        return Words(words.subject, words.text, with_pixel(words.html, end))

    def _shape(self, made: Skeleton, contact: Contact, data: dict[str, Any], values: list[str]) -> Shape | None:
        """Return the shape for *data*, and add to *values*; None where the message is better made by itself."""
        data[VALUES] = values
        try:
            key = made.render(data, contact)
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
            html, with_text = made.expand(key), self.unit.text is None
            self.shapes[key] = shape = shape_of(
                html, self.end, self.own_links.write, with_text=with_text, head=self.head
            )
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
