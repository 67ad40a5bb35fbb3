"""`make evidence`: the table, beside the best existing library; exit 1 when a bar is missed."""

from __future__ import annotations

import json
import sys

from bench.evidence import bounces, talk, templates, texts, values
from bench.evidence.row import CORPORA, FETCHED, Measure, Row

_OURS: tuple[Measure, ...] = (
    *(bounces.recipients, bounces.flufl, bounces.automatic, bounces.malformed),
    *(texts.replies, texts.agents, texts.addresses, texts.recurrence),
    *(templates.inlining, templates.safety),
)
#: What a package index serves, whether the corpora are there or not.
_FETCHED: tuple[Measure, ...] = (
    *(bounces.ordinary, values.lifetime_value, values.experiments),
    *(talk.wishes, talk.absences),  # no corpus of strangers: sentences that we wrote down
)


def main() -> int:
    """Measure, print, write the figures down."""
    if not CORPORA.is_dir():
        print(f"The corpora are not at {CORPORA}: set VINCULO_CORPORA to their folder.", file=sys.stderr)
    rows = [row for measure in (*(_OURS if CORPORA.is_dir() else ()), *_FETCHED) for row in measure()]
    print("\n".join(_table(rows)))
    FETCHED.parent.mkdir(exist_ok=True)
    figures = [{"area": row.area, "corpus": row.corpus, "ours": row.ours, "bar": row.bar} for row in rows]
    (FETCHED.parent / "evidence.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    missed = [row for row in rows if not row.reached]
    print(f"\n{len(rows) - len(missed)} of {len(rows)} bars reached.")
    return 1 if missed else 0


def _table(rows: list[Row]) -> list[str]:
    cells = [("", "what", "on", "ours", "the bar", "the best library")]
    cells += [("" if row.reached else "MISSED", row.area, row.corpus, row.words, row.wanted, row.rival) for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(6)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


if __name__ == "__main__":
    sys.exit(main())
