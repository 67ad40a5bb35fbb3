"""A style sheet cut in two: what goes into style attributes, and what can only work in a <style> element."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Comment, string, or a character that ends a rule, a declaration or a block.
_TOKEN = re.compile(r"/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[{}();]", re.DOTALL)
_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
#: The pseudo-classes that premailer can inline, where it can: they ask for the place among siblings.
PLACE = re.compile(r":(first-child|last-child)$|:nth-child\([^)]*\)[^:]*$")
#: A negation that asks for no state of the reader's program.
NOT = re.compile(r":not\([^():]*\)")
#: Names by which mail programs wrap a message: they are in no template.
_HOOK = re.compile(
    r"^\s*(\[(data-og|owa)|u\s*\+|#outlook|#MessageView|\.ExternalClass|\.ReadMsgBody|\.yshortcuts)", re.IGNORECASE
)
#: Groups of rules whose declarations must beat the style attributes that other rules became.
_GROUPS = ("@media", "@supports")


def split(css: str) -> tuple[list[tuple[str, str]], str]:
    """Return the rules of *css* to inline, as (selector, declarations), and the text of the rest.

    What stays behind loses to a style attribute unless it is `!important`, so it is made so.
    """
    inlined: list[tuple[str, str]] = []
    kept: list[str] = []
    for prelude, body in _rules(_COMMENT.sub("", css)):
        if body is None:
            kept.append(f"{prelude};")
        elif prelude.startswith("@"):
            kept.append(_group(prelude, body))
        else:
            stays = [each for each in _selectors(prelude) if _stays(each)]
            goes = [each for each in _selectors(prelude) if each not in stays]
            inlined.extend((each, body.strip()) for each in goes)
            if stays:
                kept.append(f"{', '.join(stays)} {{ {_important(body)} }}")
    return inlined, "\n".join(kept)


def _rules(css: str) -> Iterator[tuple[str, str | None]]:
    """Cut *css* at the outermost braces: (selector or at-rule, body); the body of `@import …;` is None."""
    start, open_at, depth = 0, 0, 0
    for token in _TOKEN.finditer(css):
        if token[0] == "{":
            open_at = open_at if depth else token.start()
            depth += 1
        elif token[0] == "}" and depth:
            depth -= 1
            if not depth:
                yield css[start:open_at].strip(), css[open_at + 1 : token.start()]
                start = token.end()
        elif token[0] == ";" and not depth and css[start : token.start()].strip().startswith("@"):
            yield css[start : token.start()].strip(), None
            start = token.end()


def _selectors(prelude: str) -> list[str]:
    return [each.strip() for each in re.split(r",(?![^(\[]*[)\]])", prelude) if each.strip()]


def _stays(selector: str) -> bool:
    return ":" in PLACE.sub("", NOT.sub("", selector)) or bool(_HOOK.match(selector)) or not _is_known(selector)


def _is_known(selector: str) -> bool:
    """Tell whether *selector* can be looked for in a template; a newer one is left to the reader's program."""
    from lxml.cssselect import CSSSelector, SelectorError

    try:
        CSSSelector(selector)  # type: ignore[no-untyped-call]
    except SelectorError:
        return False
    return True


def _group(prelude: str, body: str) -> str:
    if not prelude.lower().startswith(_GROUPS):
        return f"{prelude} {{{body}}}"
    inner = [
        _group(name, text or "") if name.startswith("@") else f"{name} {{ {_important(text or '')} }}"
        for name, text in _rules(body)
    ]
    return prelude + " {\n" + "\n".join(f"  {line}" for line in inner) + "\n}"


def _important(body: str) -> str:
    return " ".join(
        f"{each};" if each.lower().endswith("!important") else f"{each} !important;" for each in declarations(body)
    )


def declarations(body: str) -> list[str]:
    """Cut the inside of a rule at its semicolons, those in strings and brackets left alone."""
    found, start, depth = [], 0, 0
    for token in _TOKEN.finditer(body):
        depth += (token[0] == "(") - (token[0] == ")")
        if token[0] == ";" and depth <= 0:
            found.append(body[start : token.start()].strip())
            start = token.end()
    return [each for each in (*found, body[start:].strip()) if each]
