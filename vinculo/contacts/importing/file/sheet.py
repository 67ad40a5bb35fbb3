"""Reading a file of rows, CSV or JSON lines, as people's programs write them: any encoding, delimiter and oddity."""

from __future__ import annotations

import csv
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from vinculo.contacts.importing.file import sniffing
from vinculo.contacts.importing.file.packing import Packed, packed, unpacked
from vinculo.errors import UsageError
from vinculo.model import json_number

#: How a spreadsheet program's own files begin.
_ZIP = b"PK\x03\x04"
_ENCODING_WORDS = {
    "utf-8-sig": "UTF-8",
    "cp1252": "Windows-1252 (cp1252): it is not UTF-8",
    sniffing.MIXED: "UTF-8, with letters in Windows-1252 (cp1252) between: look at those that are no UTF-8",
}
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
#: A cell of more lines than this is a quote that was never closed.
_LONGEST_CELL = 100
#: What a spreadsheet would run as a formula; exports put an apostrophe before it, and imports take it away.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: The first columns of a file of errors, so that the mended file can be imported as it is.
ERROR_COLUMNS = ("line", "value", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it starts on (from 1) and its values by column. *surplus*: values beyond the last column."""

    line: int
    cells: Mapping[str, Any]
    surplus: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not even be read."""

    line: int
    value: str
    reason: str


@dataclass(frozen=True, eq=False)
class Chunk:
    """Rows of one line each, a column at a time: at the same place of every list is the same row.

    *given*: `cells` or, from another process, as that packed them. *wide*: those between them that have more values
    than the file has columns.
    """

    lines: Sequence[int]
    given: Mapping[str, Packed]
    wide: Sequence[Row] = ()

    @cached_property
    def cells(self) -> Mapping[str, list[str]]:
        """The values by column: few chunks are looked at again where they are written, so not unpacked before."""
        return {name: unpacked(column) for name, column in self.given.items()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chunk) and self._said() == other._said()

    __hash__ = None  # type: ignore[assignment] # of lists

    def _said(self) -> tuple[Any, ...]:
        return self.lines, self.cells, self.wide

    def __reduce__(self) -> tuple[type[Chunk], tuple[Any, ...]]:
        return Chunk, (self.lines, {name: packed(column) for name, column in self.cells.items()}, self.wide)

    def row(self, at: int) -> Row | None:
        """The row at that place by itself; None if it is blank."""
        cells = {name: values[at] for name, values in self.cells.items()}
        return Row(self.lines[at], cells) if any(cells.values()) else None


class Sheet:
    """An open file of rows. A context manager; `rows()` or `chunks()` may be called, once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if path.exists() and not (path.is_file() or path.is_dir()):  # it may never end, or never begin
                raise UsageError(f"{path} is a pipe or a device", "Write what comes from it to a file: import that.")
            self._binary: BinaryIO = path.open("rb")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "Give the path of a CSV file.") from None
        try:
            self._sniff()
        except BaseException:
            self._binary.close()
            raise

    def _sniff(self) -> None:
        self.encoding = sniffing.encoding(self._binary)
        self._binary.seek(0)
        head = self._binary.read(sniffing.SAMPLE)
        if head.startswith(_ZIP) or (self.encoding in {"cp1252", sniffing.MIXED} and b"\0" in head):
            raise UsageError(f"{self.path} is no text", "In the program that made it, save it as CSV.")
        self._binary.seek(0)
        self._text = sniffing.opened(self._binary, self.encoding)
        sample = sniffing.decoded_sample(self.path, self.encoding)
        self.is_json = sniffing.is_json(self.path, sample)
        self.delimiter = "" if self.is_json else sniffing.delimiter(sample)
        self._quotes = self._skipped = 0
        #: Lines that have been looked at, and are to be read with care.
        self._ahead: deque[str] = deque()
        self._reader = csv.reader(self._lines(), delimiter=self.delimiter or ",")
        self.columns: list[str] = _json_columns(sample, self.path) if self.is_json else self._header()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._text.close()

    @property
    def position(self) -> int:
        """How many bytes have been read."""
        return self._binary.tell()

    def describe(self) -> str:
        """Say how the file is being read."""
        form = "JSON lines" if self.is_json else f"CSV, {_NAMES[self.delimiter]}"
        return f"{form}, {_ENCODING_WORDS.get(self.encoding, self.encoding)}"

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield every row that is not blank."""
        return self._json_rows() if self.is_json else self._csv_rows()

    def chunks(self, size: int) -> Iterator[Chunk | Row | BadRow]:
        """Yield every row that is not blank, as `rows` does, most of them in chunks of at most *size*."""
        careful = self.rows()
        while not self.is_json and (lines := list(islice(self._text, size))):
            text, first = "".join(lines), self._reader.line_num + self._skipped + 1
            columns = _columns(lines, text, self.delimiter, len(self.columns))
            records = None if columns else _one_a_line(lines, text, self.delimiter)
            if columns:
                yield Chunk(range(first, first + len(lines)), self._named(columns, _tidy(text)))
            elif records is not None:
                yield self._chunk(range(first, first + len(lines)), records, _tidy(text))
            else:
                self._ahead.extend(lines)
                while self._ahead:
                    yield from islice(careful, 1)
                continue
            self._skipped += len(lines)
        yield from careful

    def _named(self, columns: Iterable[Sequence[str]], tidy: Tidy) -> dict[str, list[str]]:
        return dict(zip(self.columns, (list(map(tidy, column)) for column in columns), strict=True))

    def _chunk(self, lines: Sequence[int], records: list[list[str]], tidy: Tidy) -> Chunk:
        wide: list[Row] = []
        if set(map(len, records)) != {len(self.columns)}:
            fitted = [self._fitted(line, cells, tidy) for line, cells in zip(lines, records, strict=True) if cells]
            wide = [row for row in fitted if isinstance(row, Row)]
            plain = [row for row in fitted if not isinstance(row, Row)]
            lines, records = [line for line, _ in plain], [cells for _, cells in plain]
        columns = list(zip(*records, strict=True)) or [()] * len(self.columns)
        return Chunk(lines, self._named(columns, tidy), wide)

    def _fitted(self, line: int, cells: list[str], tidy: Tidy) -> Row | tuple[int, list[str]]:
        """The row as wide as the header; by itself if it has more values than the file has columns."""
        width = len(self.columns)
        if any(map(tidy, cells[width:])):
            return self._row(line, list(map(tidy, cells)))
        return line, cells[:width] + [""] * (width - len(cells))

    def _row(self, line: int, values: list[str]) -> Row:
        width = len(self.columns)
        return Row(line, dict(zip(self.columns, values, strict=False)), tuple(filter(None, values[width:])))

    def _header(self) -> list[str]:
        for cells in self._records():
            if any(cell.strip() for cell in cells[1]) and not cells[1][0].lower().startswith("sep="):
                names = [clean(name) for name in cells[1]]
                if len(names) == 1 and "\n" in names[0]:
                    raise _never_closed(self.path, cells[0])
                while names and not names[-1]:
                    names.pop()
                _refuse_twins(names, self.path)
                return names
        raise UsageError(f"{self.path} has no rows", "The first line must name the columns.")

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            before, quotes = self._reader.line_num, self._quotes
            start = before + self._skipped + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                if self._quotes == quotes:
                    most = f"a cell has more than {csv.field_size_limit():,} characters"
                    raise UsageError(f"{self.path}:{start}: {most}", "Shorten it, and import again.") from error
                raise _never_closed(self.path, start) from error
            lines, odd = self._reader.line_num - before - 1, (self._quotes - quotes) % 2
            if lines > _LONGEST_CELL or (lines and odd):
                raise _never_closed(self.path, start)
            if cells:
                yield start, cells

    def _lines(self) -> Iterator[str]:
        while line := self._ahead.popleft() if self._ahead else next(self._text, ""):
            self._quotes += line.count('"')
            yield line.replace("\0", "")

    def _csv_rows(self) -> Iterator[Row | BadRow]:
        for line, cells in self._records():
            values = [clean(cell) for cell in cells]
            if any(values):
                yield self._row(line, values)

    def _json_rows(self) -> Iterator[Row | BadRow]:
        for number, text in enumerate(self._text, start=1):
            if not text.strip():
                continue
            try:
                yield Row(number, _cells(text))
            except ValueError as error:
                yield BadRow(number, text.strip(), str(error))


def clean(cell: str) -> str:
    """Return *cell* without blanks around it and without the apostrophe that keeps a spreadsheet from running it."""
    if cell[:1] == "'" and cell[1:2] in FORMULA and len(cell) > 1:
        cell = cell[1:]
    return cell.replace("\u00a0", " ").strip()


Tidy = Callable[[str], str]


def _tidy(text: str) -> Tidy:
    """What does to the cells of *text* as `clean` does."""
    return clean if "'" in text or "\u00a0" in text else str.strip


def _columns(lines: Sequence[str], text: str, delimiter: str, width: int) -> list[list[str]] | None:
    """The cells of *lines*, all of which are *text*, a column at a time; None where one is not a row of *width* cells
    that nobody quoted. In a third of the time that `csv` takes.
    """
    if width < 2 or any(mark in text for mark in _CAREFUL) or len(max(lines, key=len)) > csv.field_size_limit():
        return None
    text = text.replace("\r\n", "\n").removesuffix("\n") + "\n"
    if "\r" in text:
        return None
    # Each line becomes its cells and an end of line, as a cell of its own, which stands in its place in no other case.
    cells = text.replace("\n", f"{delimiter}\n{delimiter}").split(delimiter)
    if len(cells) != len(lines) * (width + 1) + 1 or cells[width :: width + 1].count("\n") < len(lines):
        return None
    return [cells[at : -1 : width + 1] for at in range(width)]


#: What may stand for something else than itself.
_CAREFUL = '"\0\ufffd'


def _one_a_line(lines: Sequence[str], text: str, delimiter: str) -> list[list[str]] | None:
    """Read *lines* where each is one row; None where one is not, or has a character that needs care."""
    if "\0" in text or "\ufffd" in text:
        return None
    try:
        records = list(csv.reader((*lines, _END), delimiter=delimiter))
    except csv.Error:
        return None
    # Of as many records as lines, none is of two; and no quote is open at the end, else it would have swallowed it.
    return records[:-1] if len(records) == len(lines) + 1 else None


_END = "end"


def guarded(cell: str) -> str:
    """Return *cell* so that no spreadsheet runs it as a formula: the reverse of `clean`."""
    return "'" + cell if cell.startswith(FORMULA) else cell


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Turn nested objects into dotted names: `{"consent": {"news": true}}` into `consent.news`."""
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, dict):
            flat.update(flatten(inner, f"{prefix}{name}."))
        else:
            flat[prefix + name] = _kept(inner)
    return flat


def _kept(value: Any) -> Any:
    """Return *value*, and what a list holds, without NUL: PostgreSQL keeps none."""
    if isinstance(value, list):
        return [_kept(each) for each in value]
    if isinstance(value, dict):
        return {name.replace("\0", ""): _kept(inner) for name, inner in value.items()}
    return clean(value.replace("\0", "")) if isinstance(value, str) else value


def _cells(line: str) -> dict[str, Any]:
    """Read an object of JSON by its letter (RFC 8259 §6, §8.1). Raises `ValueError` for what no database keeps."""
    try:
        value = json.loads(line, parse_constant=json_number, parse_float=json_number, parse_int=json_number)
        if "\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half of a pair of surrogates is no character
        cells = flatten(value) if isinstance(value, dict) else None
    except RecursionError:
        raise ValueError("lists or objects stand in each other hundreds deep: write them side by side") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if cells is None:
        raise ValueError("not an object: write one `{…}` a line")
    return cells


def _never_closed(path: Path, line: int) -> UsageError:
    return UsageError(f'{path}:{line}: a quote (") opens in this row and is not closed', "Close it, and import again.")


def _refuse_twins(names: list[str], path: Path) -> None:
    twins = sorted({name for name in names if name and names.count(name) > 1})
    if twins:
        raise UsageError(f"{path}: two columns are called `{twins[0]}`", "Give each column a name of its own.")


def _json_columns(sample: str, path: Path) -> list[str]:
    """Name the columns that the first rows use; later rows may bring others."""
    names: dict[str, None] = {}
    for line in sample.splitlines()[:200]:
        with suppress(ValueError):
            names.update(dict.fromkeys(_cells(line)))
    if not names:
        raise UsageError(f"{path} has no rows", "Write one JSON object a line.")
    return list(names)
