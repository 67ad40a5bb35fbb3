"""CSS into style attributes, once per template: on the Jinja source, its tags held out of the way.

The promise is `render(inline(T)) == inline(render(T))`, byte for byte. Where the CSS that applies depends on what is
rendered (a class from a variable, a position among siblings that a loop makes), `Dynamic` is raised, and the caller
inlines after rendering. Text, entities and addresses are held out of the way too, so that no parser respells them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from vinculo.render.markup.cascade import apply
from vinculo.render.markup.choice import Choices
from vinculo.render.markup.css import declarations, split
from vinculo.render.markup.mask import Mask, Piece, pieces
from vinculo.render.markup.structure import Dynamic, check_balance, check_places

_PART = re.compile(
    r"(?P<comment><!--.*?-->|<!\[.*?\]>|<\?.*?\?>|<%.*?%>)"
    r"|(?P<style><style\b(?P<media>[^>]*)>(?P<css>.*?)</style\s*>)"
    r"|(?P<open><(?P<raw>script|title|textarea)\b[^>]*>)(?P<words>.*?)(?P<close></(?P=raw)\s*>)"
    r"|<(?P<name>[a-zA-Z][\w:.-]*)(?P<attributes>(?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>",
    re.DOTALL | re.IGNORECASE,
)
#: What a parser would respell: character references, and controls that HTML has no place for.
_RESPELT = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_START = re.compile(r"\s*((?:<!--.*?-->\s*)*<!doctype[^>]*>)?\s*", re.DOTALL | re.IGNORECASE)
_VOID = frozenset(
    {*("area", "base", "br", "col", "embed", "hr", "img", "input"), *("link", "meta", "source", "track", "wbr")}
)
_ADDRESSES = frozenset({"href", "src", "background", "action", "cite", "longdesc", "usemap", "name"})


def inline(html: str, *, jinja: bool = True) -> str:
    """Return *html* with its CSS in style attributes; rules that need a <style> element stay in one.

    With *jinja* its tags are kept as they are, and `Dynamic` is raised if they decide which rules apply; without, it is
    HTML as it will be sent, and a `{{` in it is text.
    """
    mask = Mask(html)
    page = Page(mask, list(pieces(html)) if jinja else [Piece("data", html)])
    page.check()
    return mask.show(page.start + _written(page) + page.end)


def _written(page: Page) -> str:
    """Return the page parsed, styled and written again; comments that only held a place are gone."""
    from lxml import etree

    root = etree.fromstring(page.html or "<body></body>", etree.HTMLParser(huge_tree=True))
    check_places(root, page.jinja)
    unsettled = {value for name, value in page.varying if name == "style" and not page.settles(value)}
    apply(root, page.rules)
    for element in root.iter(etree.Element):
        if not len(element) and not element.text and element.tag not in _VOID:
            element.text = ""  # else libxml2 leaves out end tags such as </td>, which Outlook misses
    for value in unsettled - set(root.xpath("//@style")):
        raise Dynamic(f"the style `{page.mask.show(value)}` is joined with rules, and known only when rendered")
    text = _as_it_came(str(etree.tostring(root, method="html", encoding="unicode")), page.html)
    for word in page.choices:
        text = text.replace(f" {word}", word)
    return re.sub(rf"<!--({page.mask.word.pattern})-->", r"\1", text)


def _as_it_came(text: str, source: str) -> str:
    """Take off the elements around everything that a parser adds: a fragment stays one."""
    for name in ("html", "head", "body"):
        if not re.search(rf"<{name}\b", source, re.IGNORECASE):
            text = re.sub(rf"^((?:<html[^>]*>|<head>|</head>)*)<{name}>|</{name}>(?=(</html>)?$)", r"\1", text)
    return text


@dataclass
class Page:
    """A stretch of a template as a parser may read it, and what was found on the way."""

    mask: Mask
    source: list[Piece]
    #: Word of the mask → the Jinja piece it stands for.
    jinja: dict[str, Piece] = field(default_factory=dict)
    rules: list[tuple[str, str]] = field(default_factory=list)
    #: Attributes with Jinja in their value: (name, value).
    varying: list[tuple[str, str]] = field(default_factory=list)
    #: Words that stand for attributes of which Jinja decides whether they are there.
    choices: list[str] = field(default_factory=list)
    start: str = ""
    end: str = ""
    html: str = ""

    def __post_init__(self) -> None:
        text = "".join(each.text if each.kind == "data" else self._hide(each) for each in self.source)
        text = self._start(text)
        before, closing, self.end = text.rpartition("</html>")
        text = before + closing if closing else self.end
        self.end = self._statements(self.end) if closing else ""
        parts, at = [], 0
        for part in _PART.finditer(text):
            parts += [self._text(text[at : part.start()]), self._part(part)]
            at = part.end()
        self.html = "".join(parts) + self._text(text[at:])

    def check(self) -> None:
        """Raise `Dynamic` if a selector asks about what Jinja decides."""
        selectors = " ".join(selector for selector, _ in self.rules)
        for name, value in self.varying:
            asked = {"class": ".", "id": "#"}.get(name, f"[{name}")
            if asked in selectors or f"[{name}" in selectors.lower():
                raise Dynamic(f"the {name} `{self.mask.show(value)}` is known only when rendered")
        statements = [each for each in self.jinja.values() if each.kind == "statement"]
        if statements and re.search(r":(first|last|nth)-child|[+~](?!=)", selectors):
            raise Dynamic("a rule asks for the place among siblings, which Jinja decides", statements[0].line)

    def settles(self, style: str) -> bool:
        """Tell whether the names of *style*'s declarations are known: then it is known which of them win."""
        for each in declarations(style):
            for word in self.mask.word.finditer(each):
                piece = self.jinja.get(word[0])
                if piece and (piece.kind != "expression" or ":" not in each[: word.start()]):
                    return False
        return True

    def _hide(self, piece: Piece) -> str:
        word = self.mask.hide(piece.text)
        self.jinja[word] = piece
        return word

    def _start(self, text: str) -> str:
        """Take off what stands before the first element: a parser has no place for it."""
        while True:
            found = _START.match(text)
            word = self.mask.word.match(text, found.end() if found else 0)
            if word is None or (word[0] in self.jinja and self.jinja[word[0]].kind == "expression"):
                break
            self.start, text = self.start + text[: word.end()], text[word.end() :]
        found = _START.match(text)
        assert found is not None  # the pattern matches nothing, too
        if self.start or found[1]:
            self.start, text = self.start + found[0], text[found.end() :]
        return text

    def _part(self, part: re.Match[str]) -> str:
        if part["comment"]:
            check_balance([self.jinja[word[0]] for word in self.mask.word.finditer(part[0]) if word[0] in self.jinja])
            return f"<!--{self.mask.hide(part[0])}-->"
        if part["style"]:
            return self._style(part)
        if part["raw"]:
            return part["open"] + self.mask.hide(part["words"]) + part["close"] if part["words"] else part[0]
        return self._tag(part)

    def _style(self, part: re.Match[str]) -> str:
        """Take the rules of a <style> element; what can only work in one stays, as it was written."""
        word = self.mask.word.search(part[0])
        if word:
            raise Dynamic("a <style> element holds Jinja", self._line(word[0]))
        media = re.search(r"media\s*=\s*[\"']?([^\"'>]*)", part["media"], re.IGNORECASE)
        if (media and media[1].strip().lower() not in {"all", "screen"}) or "data-premailer" in part["media"]:
            return f"<!--{self.mask.hide(part[0])}-->"
        rules, kept = split(part["css"])
        self.rules += rules
        style = f"<style{part['media']}>\n{kept}\n</style>"
        return f"<!--{self.mask.hide(style)}-->" if kept else ""

    def _tag(self, part: re.Match[str]) -> str:
        name, attributes = part["name"], part["attributes"]
        if word := self.mask.word.search(name):  # `<td{% if wide %} …`
            name, attributes = name[: word.start()], name[word.start() :] + attributes
        choices = Choices(self.mask, self.jinja, self._attribute)
        attributes = choices.fold(attributes)
        self.choices += choices.words
        self.varying += [(each, "that a condition brings") for each in choices.names]
        return f"<{name}{attributes}>"

    def _attribute(self, found: re.Match[str]) -> str:
        name, value = found[1].lower(), found[2]
        quote = value[0] if value[0] in "\"'" else '"'
        value = value.strip(quote)
        if any(word[0] in self.jinja for word in self.mask.word.finditer(value)):
            self.varying.append((name, value))
        if name == "style":
            value = _RESPELT.sub(lambda each: self.mask.hide(each[0]), value)
        elif name in _ADDRESSES or _RESPELT.search(value):
            value = self.mask.hide(value)
        return f"{found[1]}={quote}{value}{quote}"

    def _text(self, text: str) -> str:
        return _RESPELT.sub(lambda each: self.mask.hide(each[0]), self._statements(text))

    def _statements(self, text: str) -> str:
        """Make comments of what gives no text by itself: a parser leaves them where they are, in tables too."""

        def comment(word: re.Match[str]) -> str:
            piece = self.jinja.get(word[0])
            return word[0] if piece is None or piece.kind in {"expression", "raw"} else f"<!--{word[0]}-->"

        return self.mask.word.sub(comment, text)

    def _line(self, word: str) -> int:
        return self.jinja[word].line if word in self.jinja else 0
