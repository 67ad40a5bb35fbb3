"""The shape of a segment's file."""

from __future__ import annotations

from typing import Any

from vinculo.fields import Strict


class Segment(Strict):
    """A saved question whose answer is contacts. `who` is a tree of conditions; `sql` stands for a `.sql` file.

    `currency` is the company's, in which a plain amount is meant; the project sets it, no file does.
    """

    name: str = ""
    description: str = ""
    who: dict[str, Any] | None = None
    sql: str | None = None
    currency: str = ""
