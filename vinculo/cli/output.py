"""What every command prints with: one layer for tables, JSON, notes and errors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from vinculo.errors import ProjectError, VinculoError

JsonFlag = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")]


#: Strangers' words are shown too, and a terminal takes orders: no character that gives one is printed.
_CONTROL = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n\r"}
#: What a command says after `--dry-run`.
UNCHANGED = "Nothing was changed: this was a dry run."
#: What a shell calls a program that Ctrl-C ended.
STOPPED = 130


class ReaderGone(Exception):
    """Whoever read our output has seen enough: `… | head`. No BrokenPipeError: typer would exit with 1."""


def guard(app: Callable[[], Any]) -> int:
    """Run *app*; turn what its user can mend into one clear message and the documented exit code."""
    try:
        return _run(app)
    except ReaderGone:
        _drop_output()
        return 0
    except Exception as error:
        from vinculo.cli.obstacle import obstacle

        known = obstacle(error)
        if known is None:
            raise
        report_error(known)
        _drop_output()
        return known.exit_code


def _run(app: Callable[[], Any]) -> int:
    try:
        app()
        code = 0
    except KeyboardInterrupt:
        code = STOPPED
    except SystemExit as end:  # None is what `sys.exit()` means by "all is well"
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    if code == STOPPED:
        note("Stopped. What was done is kept; the same command again goes on from there.")
    if sys.stdout:  # it has none when it was closed: `vinculo … >&-`
        _say(sys.stdout.flush)
    return code


def _drop_output() -> None:
    """Let what is still unwritten go nowhere, or Python would complain about it when it ends."""
    if sys.__stdout__ and sys.stdout is sys.__stdout__:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())


def _say(print_it: Callable[[], Any]) -> None:
    try:
        print_it()
    except BrokenPipeError:
        raise ReaderGone from None


def report_error(error: VinculoError) -> None:
    """Print *error* on standard error: as JSON when the command was asked for JSON, else as text."""
    if "--json" in sys.argv:
        problems = error.problems if isinstance(error, ProjectError) else ()
        print(  # noqa: T201
            _json({"error": str(error), "problems": [asdict(p) for p in problems]}, sys.stderr),
            file=sys.stderr,
        )
        return
    note(str(error))


def note(text: str) -> None:
    """Print *text* on standard error: what is for the person, not for the next program."""
    print(text.translate(_CONTROL), file=sys.stderr)  # noqa: T201


def line(text: str = "") -> None:
    """Print *text* on standard output."""
    _print(text.translate(_CONTROL))


def _print(text: str) -> None:
    _say(lambda: print(text))  # noqa: T201


def answer(value: Any, *, as_json: bool, text: Callable[[], None]) -> None:
    """Answer with *value* as JSON, or by calling *text*."""
    if as_json:
        _print(_json(value, sys.stdout, indent=2))
    else:
        text()


def _json(value: Any, to: TextIO, indent: int | None = None) -> str:
    """Spell *value* in letters that *to* has: as Python would write any other, it would be no JSON."""
    has_all = (getattr(to, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    return json.dumps(value, default=plain, ensure_ascii=not has_all, indent=indent)


def plain(value: Any) -> Any:
    """Turn what JSON has no word for into what it has."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, Decimal | Path):
        return str(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} has no JSON form")


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Print a table; columns of numbers are set to the right."""
    from rich.console import Console
    from rich.table import Table

    body = [["" if cell is None else cell for cell in row] for row in rows]
    drawn = Table(title=title or None, title_justify="left")
    for number, header in enumerate(headers):
        numeric = bool(body) and all(isinstance(row[number], int | float | Decimal) for row in body)
        drawn.add_column(header, justify="right" if numeric else "left", overflow="fold")
    for row in body:
        drawn.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell).translate(_CONTROL) for cell in row])
    console = Console(width=None if sys.stdout.isatty() else 160, markup=False, emoji=False)
    with console.capture() as drawing:
        console.print(drawn)
    _print(drawing.get().rstrip("\n"))


def counted(rows: int, counts: dict[str, int]) -> str:
    """Say in one line what became of a file's rows."""
    return ": ".join(filter(None, [f"{rows:,} rows", ", ".join(f"{n:,} {word}" for word, n in counts.items() if n)]))


def tell_thousands(thousands: Mapping[str, Mapping[str, int]], within: str = "") -> None:
    """Say what was taken for what of amounts that could mean two numbers; their columns are names *within*."""
    for name, taken in thousands.items():
        for written, read in taken.items():
            line(f"{within}{name}: `{written}` was taken for {read:,}, and its mark for one between thousands.")


def tell_errors(failed: int, errors_file: str, *, dry_run: bool) -> None:
    """Say where the wrong rows are, and whether anything was changed."""
    if failed:
        line(f"The wrong rows are in {errors_file}, each with its reason: mend them there and import that file.")
    if dry_run:
        line(UNCHANGED)


@contextmanager
def progress(file: Path, *, show: bool) -> Iterator[Callable[[int], None]]:
    """Show how much of *file* has been read: a bar on a terminal, else nothing until the end."""
    if not show or not sys.stderr.isatty() or not file.is_file():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(file.name, total=file.stat().st_size)
        yield lambda read: bar.update(task, completed=read)
