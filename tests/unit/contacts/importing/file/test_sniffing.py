"""What parts the values of a file is found out from all of its first rows, and not from its header alone."""

from __future__ import annotations

import csv
import io

import pytest

from vinculo.contacts.importing.file.sniffing import delimiter

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
