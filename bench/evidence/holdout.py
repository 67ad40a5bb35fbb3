"""Weeks 40 to 78 of CDNOW, foretold from the first 39: what docs/scores.md says of it, and its picture.

`python -m bench.evidence.holdout` fits, prints the figures and draws docs/images/holdout.svg anew.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from bench.evidence.fetch import cdnow_purchases
from bench.stage import ROOT
from vinculo.scoring import outlook, spending
from vinculo.scoring.purchasing import Past
from vinculo.scoring.spending import Spent

PICTURE = ROOT / "docs" / "images" / "holdout.svg"
#: The last day of week 39, and how many weeks are foretold.
END, WEEKS = date(1997, 9, 30), 39
#: Contacts with so many repeat purchases or more stand together in the table.
_MANY = 7


@dataclass(frozen=True, slots=True)
class Person:
    """A customer: the past up to `END` in the models' terms, and the days of purchases after it with their amounts."""

    past: Past
    spent: Spent
    later: Sequence[tuple[date, float]]


@dataclass(frozen=True, slots=True)
class Result:
    """Purchases (days with one) in weeks 40 to 78: by week so far, by repeat purchases before, and a contact's error.

    *naive_error* is that of who carries each contact's old rate on. *spent*: dollars, really and as foretold.
    """

    real: Sequence[int]
    foretold: Sequence[float]
    groups: Sequence[tuple[str, int, float, float]]
    mean_error: float
    naive_error: float
    spent: tuple[float, float]

    @property
    def error(self) -> float:
        """How far the foretold total is from the real one, as a share of it."""
        return self.foretold[-1] / self.real[-1] - 1


def people(file: Path) -> list[Person]:
    """Read the purchases of the sample of 2,357 customers, a day's together."""
    days: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in file.read_text(encoding="utf-8").splitlines():
        _, owner, day, _, amount = line.split()
        days[owner][date(int(day[:4]), int(day[4:6]), int(day[6:]))] += float(amount)
    return [_person(sorted(each.items())) for _, each in sorted(days.items())]


def _person(days: Sequence[tuple[date, float]]) -> Person:
    early, later = [each for each in days if each[0] <= END], [each for each in days if each[0] > END]
    first, last, x = early[0][0], early[-1][0], len(early) - 1
    past = Past(x, (last - first).days / 7, (END - first).days / 7)
    return Person(past, Spent(x, sum(amount for _, amount in early[1:]) / x if x else 0.0), later)


def foretell(crowd: Sequence[Person]) -> Result:
    """Fit on the first 39 weeks; compare the next 39 with what was to be expected."""
    models = outlook.models([each.past for each in crowd], [each.spent for each in crowd])
    buying, paying = models.purchasing, models.spending
    assert buying
    assert paying
    weeks = range(1, WEEKS + 1)
    pasts = Counter(each.past for each in crowd)
    foretold = [sum(number * buying.expected(past, week) for past, number in pasts.items()) for week in weeks]
    when = [-(-(day - END).days // 7) for each in crowd for day, _ in each.later]
    expected = [buying.expected(each.past, WEEKS) for each in crowd]
    return Result(
        real=[sum(week <= until for week in when) for until in weeks],
        foretold=foretold,
        groups=list(_groups(crowd, expected)),
        mean_error=_mean(abs(len(each.later) - told) for each, told in zip(crowd, expected, strict=True)),
        naive_error=_mean(abs(len(each.later) - each.past.x / each.past.T * WEEKS) for each in crowd),
        spent=_spent(crowd, expected, paying),
    )


def _spent(crowd: Sequence[Person], expected: Sequence[float], paying: spending.Spending) -> tuple[float, float]:
    real = sum(amount for each in crowd for _, amount in each.later)
    return real, sum(told * paying.expected(each.spent) for each, told in zip(crowd, expected, strict=True))


def _groups(crowd: Sequence[Person], expected: Sequence[float]) -> Iterator[tuple[str, int, float, float]]:
    """Name, how many, purchases of each really, purchases of each as foretold."""
    for x in range(_MANY + 1):
        mine = [
            (len(each.later), told)
            for each, told in zip(crowd, expected, strict=True)
            if each.past.x == x or (x == _MANY and each.past.x > x)
        ]
        name = str(x) if x < _MANY else f"{x} or more"
        yield name, len(mine), _mean(real for real, _ in mine), _mean(told for _, told in mine)


def _mean(values: Iterator[float] | Sequence[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def table(result: Result) -> str:
    """The rows of docs/scores.md: what each group really bought, and what was foretold."""
    rows = [f"| {name} | {number:,} | {real:.2f} | {told:.2f} |" for name, number, real, told in result.groups]
    return "\n".join(
        [
            "| repeat purchases in weeks 1–39 | contacts | weeks 40–78, each | foretold, each |",
            "|---|--:|--:|--:|",
            *rows,
        ]
    )


def words(result: Result) -> list[str]:
    """The sentences of docs/scores.md."""
    real, told = result.spent
    return [
        f"{result.real[-1]:,} purchases came and {result.foretold[-1]:,.0f} were foretold: {result.error:+.1%}.",
        f"{real:,.0f} dollars were spent and {told:,.0f} foretold: {told / real - 1:+.1%}.",
        f"A contact's mean error is {result.mean_error:.2f} purchases; {result.naive_error:.2f} if each goes on.",
    ]


# ── the picture ──────────────────────────────────────────────────────────────────────────────────────────────────
_WIDE, _HIGH, _LEFT, _TOP = 640, 320, 56, 24


def draw(result: Result) -> str:
    """Purchases so far, really and as foretold, week by week, as SVG."""
    top = 500 * -(-max(*result.real, *result.foretold) // 500)
    grid = "".join(_rule(value, top) for value in range(0, int(top) + 1, 500))
    weeks = "".join(_week(number) for number in range(0, WEEKS + 1, 13))
    lines = _line(result.foretold, top, "foretold") + _line(result.real, top, "real")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE + 110} {_HIGH + 70}" role="img" '
        f'aria-label="CDNOW, weeks 40 to 78: {result.real[-1]:,} purchases, {result.foretold[-1]:,.0f} foretold">\n'
        f"<style>{_STYLE}</style>\n{grid}{weeks}{lines}"
        f'<text x="{_LEFT}" y="{_HIGH + 60}">week; purchases since week 39 of 2,357 customers of CDNOW</text>\n</svg>\n'
    )


_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#444}.grid{stroke:#ddd}.line{fill:none;stroke-width:2.5}"
    ".real{stroke:#1f5f4a}.foretold{stroke:#c4622d;stroke-dasharray:7 4}"
    ".end{text-anchor:end}.middle{text-anchor:middle}"
)


def _rule(value: int, top: float) -> str:
    y = _up(value, top)
    line = f'<line class="grid" x1="{_LEFT}" x2="{_WIDE}" y1="{y}" y2="{y}"/>'
    return f'{line}<text class="end" x="{_LEFT - 8}" y="{y + 4}">{value:,}</text>\n'


def _week(number: int) -> str:
    return f'<text class="middle" x="{_across(number)}" y="{_HIGH + 38}">{39 + number}</text>\n'


def _line(values: Sequence[float], top: float, name: str) -> str:
    points = " ".join(f"{_across(week)},{_up(value, top)}" for week, value in enumerate([0, *values]))
    label = f'<text x="{_WIDE + 8}" y="{_up(values[-1], top) + 4}">{name} {values[-1]:,.0f}</text>'
    return f'<polyline class="line {name}" points="{points}"/>{label}\n'


def _across(week: int) -> float:
    return round(_LEFT + week * (_WIDE - _LEFT) / WEEKS, 1)


def _up(value: float, top: float) -> float:
    return round(_TOP + (1 - value / top) * (_HIGH - _TOP), 1)


def main() -> None:
    """Print the figures; draw the picture."""
    file = cdnow_purchases()
    assert file is not None, "CDNOW cannot be had here: pip download lifetimes"
    result = foretell(people(file))
    print(table(result), *words(result), sep="\n")
    PICTURE.write_text(draw(result), encoding="utf-8")


if __name__ == "__main__":
    main()
