"""A file of contacts that cannot be read, or has wrong rows, says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.mistake.conftest import Break, Type, write


def _nothing(_: Path) -> None: ...


_XLSX = write("people.csv", b"PK\x03\x04\x14\x00\x06\x00 a workbook")
ROWS = {
    "no such file": (_nothing, 2, "No such file"),
    "an empty file": (write("people.csv", ""), 2, "has no rows"),
    "a workbook": (_XLSX, 2, "save it as CSV"),
    "bytes that are no text": (write("people.csv", b"id,email\n\x00\xff\x00\n"), 2, "no text"),
    "no column says who": (write("people.csv", "cor;peso\nazul;3\n"), 2, "--map"),
    "a delimiter nobody knows": (write("people.csv", "id:email\n1:a@example.com\n"), 2, "`id:email`"),
    "two columns of one name": (write("people.csv", "id,id\n1,2\n"), 2, "two columns"),
    "an open quote in the header": (write("people.csv", '"id;email\n1;a@example.com\n'), 2, "people.csv:1"),
    "an open quote in a row": (
        write("people.csv", 'id;email\n1;"a@example.com\n2;b@example.com\n'),
        2,
        "people.csv:2",
    ),
    "an impossible date": (write("people.csv", "id,birthdate\n1,1980-02-31\n2,1980-02-28\n"), 1, "1 new, 1 wrong"),
    "a birth in the future": (write("people.csv", "id,birthdate\n1,2999-01-01\n"), 1, "1 wrong"),
    "no e-mail address": (write("people.csv", "id,email\n1,nonsense\n"), 1, "people.csv.errors.csv"),
    "too many values": (write("people.csv", "id,email\n1,a@example.com,x\n"), 1, "1 wrong"),
    "Windows-1252": (write("people.csv", "id;nome\n1;José\n".encode("cp1252")), 0, "Windows-1252"),
    "UTF-16": (write("people.csv", "id\tnome\n1\tJosé\n".encode("utf-16")), 0, "1 new"),
    "bars": (write("people.csv", "id|nome\n1|José\n"), 0, "CSV, bar"),
    "a header alone": (write("people.csv", "id,email\n"), 0, "0 rows\n"),
}


@pytest.mark.parametrize(("change", "code", "said"), list(ROWS.values()), ids=list(ROWS))
def test_a_wrong_file_of_contacts_says_what_is_wrong(
    root: Path, type_in: Type, change: Break, code: int, said: str
) -> None:
    change(root)
    found, answer, notes = type_in("contacts", "import", "people.csv")
    assert found == code
    assert said in answer + notes
