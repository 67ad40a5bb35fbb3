"""Published results that our own mathematics must give again."""

from __future__ import annotations

import csv
import time

from bench.evidence.fetch import cdnow
from bench.evidence.row import Row
from vinculo.scoring import purchasing, spending
from vinculo.scoring.purchasing import Past
from vinculo.scoring.spending import Spent
from vinculo.stats import sample_size

#: Fader, Hardie and Lee 2005 (BG/NBD), and Fader and Hardie 2013 (gamma-gamma), on CDNOW.
_PAPER = {
    "r": 0.243,
    "alpha": 4.414,
    "a": 0.793,
    "b": 2.426,
    "log-likelihood": -9582.4,
    "p": 6.25,
    "q": 3.74,
    "v": 15.44,
    "E[Y(39) | 2, 30.43, 38.86]": 1.226,
}


def lifetime_value() -> list[Row]:
    """The parameters of the papers, each within half a per cent, in under two seconds."""
    file = cdnow()
    if file is None:
        return []
    with file.open(encoding="utf-8") as lines:
        people = [
            (int(float(row["x"])), *(float(row[name]) for name in ("t_x", "T", "zbar")))
            for row in csv.DictReader(lines)
        ]
    began = time.process_time()
    buying = purchasing.fit([Past(x, last, age) for x, last, age, _ in people])
    spend = spending.fit([Spent(x, mean) for x, _, _, mean in people if x])
    seconds = time.process_time() - began
    assert buying
    assert spend
    found = dict(zip(_PAPER, (buying.r, buying.alpha, buying.a, buying.b, buying.log_likelihood), strict=False))
    found |= {"p": spend.p, "q": spend.q, "v": spend.v, [*_PAPER][-1]: buying.expected(Past(2, 30.43, 38.86), 39)}
    worst = max(abs(found[name] / value - 1) for name, value in _PAPER.items())
    corpus = f"CDNOW, {len(people):,} customers"
    return [
        Row("lifetime value, worst of nine", corpus, worst * 100, 0, 0.5, most=True, unit="% off the papers"),
        Row("lifetime value, time", corpus, seconds, 0, 2, most=True, unit="s CPU"),
    ]


def experiments() -> list[Row]:
    """Evan Miller's sample size: 20 % against 25 %, 80 % power, 5 % level."""
    return [Row("contacts an arm, off by", "Evan Miller", abs(sample_size(0.20, 0.25) - 1030), 0, 0, most=True)]
