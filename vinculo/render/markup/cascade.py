"""Who wins when several rules speak of one element (CSS Cascading 4 §6.1).

premailer finds the elements and writes the attributes, but counts specificity by the letters of a selector, lets a
style attribute beat `!important`, and keeps one value where an author wrote fallbacks. So it is given one mark a rule,
and the marks become declarations here, their values as the author spelt them.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vinculo.render.markup.css import NOT, declarations

_BASIC = ["align", "valign", "bgcolor", "width", "height"]
_IMPORTANT = re.compile(r"\s*!\s*important\s*$", re.IGNORECASE)
_MARK = re.compile(r"-mark-(\d+):")
_OWN = "-own:here"
#: Elements that show nothing: `*` speaks of them, too.
_UNSEEN = frozenset({"base", "head", "link", "meta", "script", "style", "title"})
#: cssutils keeps state between calls.
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Declaration:
    """`name: value` of a rule or of an element's own style attribute."""

    name: str
    value: str
    important: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.value}{' !important' if self.important else ''}"


def apply(root: Any, rules: Sequence[tuple[str, str]]) -> None:
    """Move *rules*, (selector, declarations) as they stand in the style sheet, into the style attributes of *root*."""
    ordered = sorted(rules, key=lambda rule: _specificity(rule[0]))
    blocks = [list(parse(body)) for _, body in ordered]
    own = {element: element.get("style") for element in root.xpath("//*[@style]")}
    for element in own:
        element.set("style", _OWN)
    _mark(root, [selector for selector, _ in ordered])
    for element in root.xpath("//*[@style]"):
        marks = sorted({int(number) for number in _MARK.findall(element.get("style"))})
        found = [blocks[number] for number in marks if blocks[number] and element.tag not in _UNSEEN]
        if found:
            element.set("style", written(found, list(parse(own.get(element, "")))))
        elif element in own:
            element.set("style", own[element])
        else:
            del element.attrib["style"]


def parse(body: str) -> Iterator[Declaration]:
    """Read the inside of a rule; what is no declaration is left out."""
    for text in declarations(body):
        name, colon, value = text.partition(":")
        bare = _IMPORTANT.sub("", value).strip()
        if colon and bare:
            yield Declaration(name.strip(), bare, bare != value.strip())


def written(blocks: Sequence[Sequence[Declaration]], own: Sequence[Declaration]) -> str:
    """Return the style attribute that *blocks*, in ascending order, and the element's *own* declarations make.

    A rule's `!important` has done its work then, and goes: some mail programs skip what bears it.
    """
    plain = [[each for each in block if not each.important] for block in (*blocks, own)]
    urgent = [[replace(each, important=False) for each in block if each.important] for block in blocks]
    chosen: list[Declaration] = []
    for block in (*plain, *urgent, [each for each in own if each.important]):
        names = {each.name.lower() for each in block}
        # What a later rule says again goes to the end, behind the shorthands before it; fallbacks stay together.
        chosen = [*(each for each in chosen if each.name.lower() not in names), *block]
    return "; ".join(map(str, chosen))


def _specificity(selector: str) -> tuple[int, ...]:
    from cssselect import parse as parse_selector

    return max(each.specificity() for each in parse_selector(selector))


def _mark(root: Any, selectors: Sequence[str]) -> None:
    """Leave the number of each selector in the style attributes of the elements of *root* that it speaks of."""
    from lxml.cssselect import CSSSelector

    rules = []
    for number, selector in enumerate(selectors):
        if NOT.search(selector):  # premailer would look for what stands before the colon
            for element in CSSSelector(selector)(root):  # type: ignore[no-untyped-call]
                element.set("style", f"{element.get('style', '')};-mark-{number}:here".lstrip(";"))
        else:
            rules.append(f"{selector} {{ -mark-{number}: here }}")
    _run_premailer(root, "\n".join(rules))


def _run_premailer(root: Any, css: str) -> None:
    import cssutils
    from premailer.premailer import Premailer

    with _lock:
        cssutils.log.setLevel(logging.CRITICAL)
        Premailer(  # type: ignore[no-untyped-call]
            root,
            css_text=css,
            allow_network=False,
            disable_validation=True,
            disable_leftover_css=True,
            disable_basic_attributes=_BASIC,
            align_floating_images=False,
            exclude_pseudoclasses=False,
            include_star_selectors=True,
            cache_css_parsing=True,  # the languages of a template share their rules
        ).transform()
