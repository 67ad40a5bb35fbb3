"""How a file is written is found out from all of it, and what parts its values from all of its first rows."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from vinculo.contacts.importing.file.sheet import Sheet
from vinculo.contacts.importing.file.sniffing import MIXED, delimiter
from vinculo.errors import UsageError

_SENTENCE = "Aceita, sim ou não, novidades, ofertas e eventos"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ","),
        ("id\n1\n", ","),
        ("id,email\n", ","),
        ("id;email\n1;a@e.org\n", ";"),
        ("id\temail\n1\ta@e.org\n", "\t"),
        ("id|email\n1|a@e.org\n", "|"),
        ("sep=|\nid|email\n", "|"),
        (f"id;{_SENTENCE};email\n1;sim;a@e.org\n2;não;b@e.org\n", ";"),
        (f"{_SENTENCE};email\n", ";"),  # no row helps: the commas stand in a sentence
        ("Nome;Cidade, UF\nAna;São Paulo, SP\n", ";"),
        ('"id","a;b;c;d"\n"1","x"\n', ","),
        ("id,notes;more;words\n1,a\n2,b\n", ","),
        ("id;amount\n" + "1;10,50\n" * 9, ";"),
        ("id;nome;valor (R$,00)\n1;Ana, Bia\n" + "2;Eva;10,50\n" * 9, ";"),  # one row is short, and each has one comma
        ("id;email;cidade, UF\n1;a@e.org;Recife, PE;\n2;b@e.org;Natal, RN;;\n", ";"),  # marks end its rows
        ("id;email;cidade, UF;\n1;a@e.org;Recife, PE\n2;b@e.org;Natal, RN\n", ";"),  # or its header
        ('id,note\n1,"over\ntwo; lines"\n2,"one"\n', ","),
        ('id,note\n1,"never closed\n', ","),
    ],
)
def test_what_parts_the_values_is_found(text: str, found: str) -> None:
    assert delimiter(text) == found


@pytest.mark.parametrize("mark", list(",;\t|"))
def test_a_file_of_errors_is_read_as_it_was_written_whatever_the_columns_are_called(mark: str) -> None:
    rows = [["line", "value", "reason", _SENTENCE, "Nome; sobrenome", "a|b|c|d|e|f|g"]]
    rows += [[str(n), "x, y", "write one, or the other; not both", "sim, claro", "Ana; Bia", ""] for n in range(3)]
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows(rows)
    assert delimiter(text.getvalue()) == mark


_TOWNS = ["id,cidade", "1,São Paulo", "2,Brasília", "3,€ Évora", "4,Recife"]


@pytest.mark.parametrize(
    ("file", "encoding"),
    [
        ("\n".join(_TOWNS).encode(), "utf-8-sig"),
        ("\n".join(_TOWNS).encode("utf-8-sig"), "utf-8-sig"),
        ("\n".join(_TOWNS).encode("cp1252"), "cp1252"),
        ("\n".join(_TOWNS).encode("utf-16"), "utf-16"),
        ("\n".join(_TOWNS).encode("utf-16-le"), "utf-16-le"),
        ("\n".join(_TOWNS[:-3]).encode("cp1252") + "\n".join(["", *_TOWNS[-3:]]).encode(), MIXED),
        ("\n".join(_TOWNS[:-2]).encode() + "\n".join(["", *_TOWNS[-2:]]).encode("cp1252"), MIXED),
    ],
)
def test_each_line_is_read_as_it_was_written(tmp_path: Path, file: bytes, encoding: str) -> None:
    path = tmp_path / "towns.csv"
    path.write_bytes(file)
    with Sheet(path) as sheet:
        assert sheet.encoding == encoding
        assert [",".join(row.cells.values()) for row in sheet.rows()] == _TOWNS[1:]


@pytest.mark.parametrize("before", range(4))
def test_a_letter_on_the_edge_of_what_is_read_at_once_is_read(tmp_path: Path, before: int) -> None:
    path = tmp_path / "towns.csv"
    rows = b"1," + b"x" * 63 + b"\n"
    rest = (1 << 20) - len("id,cidade\n2,") - before
    fill = b"id,cidade\n1," + b"x" * (rest % 66 + 63) + b"\n" + rows * (rest // 66 - 1)
    path.write_bytes(fill + "2,€\n3,São\n".encode() + "4,Évora".encode("cp1252"))
    with Sheet(path) as sheet:
        assert sheet.encoding == MIXED
        assert [row.cells["cidade"] for row in sheet.rows()][-3:] == ["€", "São", "Évora"]


def test_a_file_of_a_program_whose_words_are_in_utf8_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "towns.csv").write_bytes("São João da Boa Vista".encode() + b"\0\x96" + "Brasília".encode())
    with pytest.raises(UsageError, match="is no text"):
        Sheet(tmp_path / "towns.csv")
