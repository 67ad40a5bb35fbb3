"""Finding out how a file of rows is written: its encoding, its form, its delimiter."""

from __future__ import annotations

import codecs
import csv
import io
import re
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from vinculo.errors import UsageError

SAMPLE = 1 << 16
#: UTF-8, and between it letters in Windows-1252.
MIXED = "utf-8 and cp1252"
_ASCII = bytes(range(128))
_DELIMITERS = ",;\t|"
#: So many rows tell what parts their values.
_ROWS = 200


def encoding(file: BinaryIO) -> str:
    """Return utf-16 by its mark or its zeros, utf-8-sig if the file is UTF-8, `MIXED` if it mostly is, else cp1252."""
    head = file.read(SAMPLE)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    pairs = len(head) // 2
    for zeros, name in ((head[1::2].count(0), "utf-16-le"), (head[0::2].count(0), "utf-16-be")):
        if pairs and zeros > 0.4 * pairs:
            return name
    if _is_utf8(file):
        return "utf-8-sig"
    return MIXED if _is_mostly_utf8(file) else "cp1252"


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


def _is_mostly_utf8(file: BinaryIO) -> bool:
    """Whether more bytes beyond ASCII are letters in UTF-8 than are none: text in cp1252 has next to none of them."""
    file.seek(0)
    utf8 = codecs.getincrementaldecoder("utf-8")("ignore")
    letters = strays = 0
    while chunk := file.read(1 << 20):
        read = utf8.decode(chunk).encode()
        letters += len(read.translate(None, _ASCII))
        strays += len(chunk) - len(read)
    return strays < letters


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """What is no UTF-8 in a file that mostly is: lines of another file that were put behind it, a letter cut in two."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("vinculo.cp1252", _as_cp1252)


def opened(file: BinaryIO, written_in: str) -> io.TextIOWrapper:
    """*file* as text, from where it stands; what cannot be read is U+FFFD."""
    name, errors = ("utf-8-sig", "vinculo.cp1252") if written_in == MIXED else (written_in, "replace")
    return io.TextIOWrapper(file, name, errors=errors, newline="")


def decoded_sample(path: Path, written_in: str) -> str:
    with opened(path.open("rb"), written_in) as file:
        return file.read(SAMPLE).replace("\0", "")


def is_json(path: Path, sample: str) -> bool:
    start = sample.lstrip()[:1]
    if start == "[" and (path.suffix == ".json" or sample.lstrip()[1:].lstrip()[:1] == "{"):
        raise UsageError(f"{path} is one JSON list", "Write JSON lines: one object a line, without the list around.")
    return path.suffix in {".jsonl", ".ndjson", ".json"} or start == "{"


def delimiter(sample: str) -> str:
    """Return what stands between values: as the file says (`sep=;`), else what parts its header most often outside
    quotes, and its rows into as many values; of equals what has no blank after it, as a comma in a sentence has.
    """
    lines = [line for line in sample.splitlines(keepends=True) if line.strip()]
    if not lines:
        return ","
    declared = re.fullmatch(r"sep=(.)", lines[0].strip(" \r\n"), re.IGNORECASE)
    if declared and declared[1] in _DELIMITERS:
        return declared[1]
    bare = re.sub(r'"[^"]*"', "", lines[0])
    there = [mark for mark in _DELIMITERS if mark in bare]
    return max(there, key=lambda mark: _likelihood(mark, bare, lines), default=",")


def _likelihood(mark: str, header: str, lines: list[str]) -> tuple[float, int]:
    count = header.count(mark)
    return count * _agreement(lines, mark), count - header.count(f"{mark} ")


def _agreement(lines: list[str], mark: str) -> float:
    """The share of the first rows after the header that have as many values as it, parted by *mark*.

    Marks at the end of a line, with nothing after them, part no values.
    """
    header, *rows = islice(csv.reader(lines, delimiter=mark), _ROWS)
    width = max((place for place, name in enumerate(header, 1) if name.strip()), default=0)
    return sum(len(row) >= width and not any(row[width:]) for row in rows) / (1 + len(rows))
