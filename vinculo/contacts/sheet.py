"""Reading a file of rows, CSV or JSON lines, as people's programs write them: any encoding, delimiter and oddity."""

from __future__ import annotations

import codecs
import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from vinculo.errors import UsageError

_SAMPLE = 1 << 16
#: How a spreadsheet program's own files begin.
_ZIP = b"PK\x03\x04"
_DELIMITERS = ",;\t|"
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


class Sheet:
    """An open file of rows. A context manager; `rows()` may be called once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._binary: BinaryIO = path.open("rb")
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "Give the path of a CSV file.") from None
        try:
            self._sniff()
        except BaseException:
            self._binary.close()
            raise

    def _sniff(self) -> None:
        self.encoding = _encoding(self._binary)
        self._binary.seek(0)
        head = self._binary.read(_SAMPLE)
        if head.startswith(_ZIP) or (self.encoding == "cp1252" and b"\0" in head):
            raise UsageError(f"{self.path} is no text", "In the program that made it, save it as CSV.")
        self._binary.seek(0)
        self._text = io.TextIOWrapper(self._binary, self.encoding, errors="replace", newline="")
        sample = _decoded_sample(self.path, self.encoding)
        self.is_json = _is_json(self.path, sample)
        self.delimiter = "" if self.is_json else _delimiter(sample)
        self._quotes = 0
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
            start, quotes = self._reader.line_num + 1, self._quotes
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise _never_closed(self.path, start) from error
            lines, odd = self._reader.line_num - start, (self._quotes - quotes) % 2
            if lines > _LONGEST_CELL or (lines and odd):
                raise _never_closed(self.path, start)
            if cells:
                yield start, cells

    def _lines(self) -> Iterator[str]:
        for line in self._text:
            self._quotes += line.count('"')
            yield line.replace("\0", "")

    def _csv_rows(self) -> Iterator[Row | BadRow]:
        width = len(self.columns)
        for line, cells in self._records():
            values = [clean(cell) for cell in cells]
            if any(values):
                yield Row(line, dict(zip(self.columns, values, strict=False)), tuple(filter(None, values[width:])))

    def _json_rows(self) -> Iterator[Row | BadRow]:
        for number, text in enumerate(self._text, start=1):
            if not text.strip():
                continue
            try:
                value = _parsed(text)
            except (ValueError, RecursionError) as error:
                yield BadRow(number, text.strip(), f"not JSON: {error}")
                continue
            yield (
                Row(number, flatten(value))
                if isinstance(value, dict)
                else BadRow(number, text.strip(), "not an object: write one `{…}` a line")
            )


def clean(cell: str) -> str:
    """Return *cell* without blanks around it and without the apostrophe that keeps a spreadsheet from running it."""
    if cell[:1] == "'" and cell[1:2] in FORMULA and len(cell) > 1:
        cell = cell[1:]
    return cell.replace("\u00a0", " ").strip()


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


def _parsed(line: str) -> Any:
    """Read JSON by its letter (RFC 8259 §6, §8.1). Raises `ValueError` for what no database keeps."""
    value = json.loads(line, parse_constant=_finite, parse_float=_finite)
    if "\\u" in line:
        json.dumps(value, ensure_ascii=False).encode()  # half of a pair of surrogates is no character
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number")
    return number


def _never_closed(path: Path, line: int) -> UsageError:
    return UsageError(f'{path}:{line}: a quote (") opens in this row and is not closed', "Close it, and import again.")


def _refuse_twins(names: list[str], path: Path) -> None:
    twins = sorted({name for name in names if name and names.count(name) > 1})
    if twins:
        raise UsageError(f"{path}: two columns are called `{twins[0]}`", "Give each column a name of its own.")


# ── sniffing ─────────────────────────────────────────────────────────────────────────────────────────────────────
_ENCODING_WORDS = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252 (cp1252): it is not UTF-8"}


def _encoding(file: BinaryIO) -> str:
    """Return utf-16 by its mark or its zeros, utf-8-sig if the whole file is UTF-8, else cp1252."""
    head = file.read(_SAMPLE)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    pairs = len(head) // 2
    for zeros, name in ((head[1::2].count(0), "utf-16-le"), (head[0::2].count(0), "utf-16-be")):
        if pairs and zeros > 0.4 * pairs:
            return name
    return "utf-8-sig" if _is_utf8(file) else "cp1252"


def _is_utf8(file: BinaryIO) -> bool:
    file.seek(0)
    utf8 = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(1 << 20):
            utf8.decode(chunk)
        utf8.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _decoded_sample(path: Path, encoding: str) -> str:
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        return file.read(_SAMPLE).replace("\0", "")


def _is_json(path: Path, sample: str) -> bool:
    start = sample.lstrip()[:1]
    if start == "[" and (path.suffix == ".json" or sample.lstrip()[1:].lstrip()[:1] == "{"):
        raise UsageError(f"{path} is one JSON list", "Write JSON lines: one object a line, without the list around.")
    return path.suffix in {".jsonl", ".ndjson", ".json"} or start == "{"


def _delimiter(sample: str) -> str:
    lines = [line for line in sample.splitlines() if line.strip()]
    if not lines:
        return ","
    declared = re.fullmatch(r"sep=(.)", lines[0].strip(" "), re.IGNORECASE)
    if declared and declared[1] in _DELIMITERS:
        return declared[1]
    bare = re.sub(r'"[^"]*"', "", lines[0])
    return max(_DELIMITERS, key=bare.count) if any(map(bare.count, _DELIMITERS)) else ","


def _json_columns(sample: str, path: Path) -> list[str]:
    """Name the columns that the first rows use; later rows may bring others."""
    names: dict[str, None] = {}
    for line in sample.splitlines()[:200]:
        try:
            value = _parsed(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            names.update(dict.fromkeys(flatten(value)))
    if not names:
        raise UsageError(f"{path} has no rows", "Write one JSON object a line.")
    return list(names)
