"""The text part of an e-mail that has none of its own."""

from __future__ import annotations

import re
from functools import cache
from typing import Any


def text_of(html: str) -> str:
    """Return what *html* says: links stand beside their words, hidden text is left out."""
    from inscriptis import get_text

    # Tables of an e-mail make its layout: their padding says nothing, and would depend on the length of names.
    lines = [re.sub(r" {2,}", "  ", line.strip()) for line in str(get_text(html, _config())).splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


@cache
def _config() -> Any:
    from inscriptis.model.config import ParserConfig

    return ParserConfig(display_links=True, display_images=True, display_anchors=False)
