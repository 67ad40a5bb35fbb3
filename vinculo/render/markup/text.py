"""The text part of an e-mail that has none of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any


def text_of(html: str) -> str:
    """Return what *html* says: a link's address stands behind its words, hidden text is left out."""
    from inscriptis import get_text

    # Tables of an e-mail make its layout: their padding says nothing, and would depend on the length of names.
    lines = [re.sub(r" {2,}", "  ", line.strip()) for line in str(get_text(html, _config())).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


@cache
def _config() -> Any:
    from inscriptis.model.config import ParserConfig
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping

    ours = CustomHtmlTagHandlerMapping({"a": _begin}, {"a": _end})
    return ParserConfig(display_links=True, display_images=True, custom_html_tag_handler_mapping=ours)


def _begin(state: Any, attributes: Mapping[str, str]) -> None:
    # As browsers do: what of it is only how the file is laid out is none of the address (URL Standard §4.4).
    target = re.sub(r"[\t\r\n]", "", attributes.get("href", "")).strip(" ")
    state.link_target = "" if target.startswith("#") else target  # a place in the HTML is none in the text


def _end(state: Any) -> None:
    """RFC 3986, appendix C: in a text, angle brackets tell best where an address begins and ends."""
    if state.link_target:
        state.tags[-1].write(f" <{state.link_target}>")
