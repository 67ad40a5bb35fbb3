"""One line of the table: what was measured, on what, what the best library finds, and what ours must."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

#: Corpora with gold that nobody here wrote, beside the checkout or where VINCULO_CORPORA says.
CORPORA = Path(os.environ.get("VINCULO_CORPORA", Path(__file__).resolve().parents[3] / "shared" / "corpora"))
#: What a package index serves is unpacked here.
FETCHED = Path(__file__).resolve().parents[2] / "var" / "corpora"


@dataclass(frozen=True, slots=True)
class Row:
    """*ours* against *bar*: `least` what it must reach, or `most` what it may. *of*: out of how many."""

    area: str
    corpus: str
    ours: float
    of: float
    bar: float
    most: bool = False
    unit: str = ""
    #: What the best existing library does on the same corpus; as `../shared/corpora` tells it, unless *measured*.
    rival: str = ""

    @property
    def reached(self) -> bool:
        """Whether the bar is."""
        return self.ours <= self.bar if self.most else self.ours >= self.bar

    @property
    def words(self) -> str:
        """Our figure."""
        number = f"{self.ours:,.1f}".rstrip("0").rstrip(".")
        if self.unit:
            return f"{number} {self.unit}"
        return f"{number} of {self.of:,.0f} ({self.ours / self.of:.1%})" if self.of else number

    @property
    def wanted(self) -> str:
        """The bar."""
        number = f"{self.bar:,.1f}".rstrip("0").rstrip(".")
        return f"{'at most' if self.most else 'at least'} {number} {self.unit}".rstrip()


Measure = Callable[[], list[Row]]
