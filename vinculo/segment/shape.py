"""The shape of a segment's file."""

from __future__ import annotations

from typing import Any

from vinculo.fields import Strict


class Segment(Strict):
    """A saved question whose answer is contacts. `who` is a tree of conditions; `sql` stands for a `.sql` file."""

    name: str = ""
    description: str = ""
    who: dict[str, Any] | None = None
    sql: str | None = None
