"""Cells as people and spreadsheets of three languages write them."""

from __future__ import annotations

import pytest

from vinculo.contacts.importing.row import values


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("99,90", 99.9),
        ("1.234,56", 1234.56),
        ("-1.234.567,8", -1234567.8),
        ("1,234.56", 1234.56),
        ("0,00", 0.0),
        ("4.5", 4.5),
        ("1,234", "1,234"),  # thousands or a decimal comma: nobody knows
        ("01,50", "01,50"),
        ("1.23,4", "1.23,4"),
        ("P,M", "P,M"),
        ("01310", "01310"),
    ],
)
def test_a_number_with_a_decimal_comma_is_a_number(written: str, read: object) -> None:
    assert values.trait(written) == read
    assert type(values.trait(written)) is type(read)


@pytest.mark.parametrize("word", ["Sim", "VERDADEIRO", "Verdadero", "Aceito", "acepto", "X", "1", "Opt-in"])
def test_a_yes(word: str) -> None:
    assert values.yes(word)


@pytest.mark.parametrize("word", ["Não", "FALSO", "Não aceito", "no acepto", "Recuso", "0", "opt-out"])
def test_a_no(word: str) -> None:
    assert not values.yes(word)


@pytest.mark.parametrize("word", ["talvez", "quizás", "2", "sim, mas só SMS"])
def test_neither(word: str) -> None:
    with pytest.raises(ValueError, match=r"write yes or no \(sim ou não, sí o no\)"):
        values.yes(word)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("Português (Portugal)", "pt-PT"),
        ("Portuguese - Brazil", "pt-BR"),
        ("español (México)", "es-MX"),
        ("PT", "pt"),
        ("zh_hant", "zh-Hant"),
        ("es_419", "es-419"),
    ],
)
def test_a_language_with_its_country(written: str, code: str) -> None:
    assert values.language(written) == code


@pytest.mark.parametrize(
    ("written", "home", "read"),
    [
        ("R$ 1.234,56", "BRL", 1234.56),
        ("R$\u00a01.234,56", "BRL", 1234.56),  # as a spreadsheet writes it: the blank does not break
        ("R$50", "BRL", 50),
        ("-R$ 5,50", "BRL", -5.5),
        ("R$ -5,50", "BRL", -5.5),
        ("€ 1.234,56", "EUR", 1234.56),
        ("1.234,56 €", "EUR", 1234.56),
        ("1\u202f234,56\u00a0€", "EUR", 1234.56),
        ("1234,56 EUR", "EUR", 1234.56),
        ("$ 1.500", "CLP", "$ 1.500"),  # thousands, or three decimals?
        ("$ 12.500,00", "ARS", 12500),
        ("$ 12", "BRL", "$ 12"),
        ("€ 10", "BRL", "€ 10"),
        ("ABC 12", "BRL", "ABC 12"),
        ("R$ 1 EUR", "BRL", "R$ 1 EUR"),
        ("R$ 12 a mais", "BRL", "R$ 12 a mais"),
        ("R$ 1.", "BRL", "R$ 1."),
        ("R$", "BRL", "R$"),
        ("R$ 1.234,56", "", "R$ 1.234,56"),
        ("R$ 999.999.999.999.999,99", "BRL", 999999999999999.99),
        ("R$ 1.000.000.000.000.000", "BRL", "R$ 1.000.000.000.000.000"),  # too large to be true
        ("R$ -" + "9" * 400 + ",5", "BRL", "R$ -" + "9" * 400 + ",5"),  # a float of it would be infinite
    ],
)
def test_an_amount_in_the_companys_currency_is_a_number(written: str, home: str, read: object) -> None:
    found = values.trait(written, home)
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize(
    ("written", "home", "country", "read"),
    [
        ("R$ 1.500", "BRL", "BR", 1500),
        ("-R$ 12.500", "BRL", "BR", -12500),
        ("1.500 €", "EUR", "PT", 1500),
        ("$ 1.500", "CLP", "CL", 1500),
        ("US$ 1,500", "USD", "US", 1500),
        ("R$ 5,899", "BRL", "BR", "R$ 5,899"),  # a litre of petrol, or thousands as in English
        ("$ 1.500", "MXN", "MX", "$ 1.500"),  # Mexico writes 1,500.00
        ("$ 1.500", "CAD", "CA", "$ 1.500"),  # as people write in English, or in French
        ("$ 1.500", "BRL", "BR", "$ 1.500"),  # of which country?
        ("1,500 KWD", "KWD", "KW", "1,500 KWD"),  # a dinar has a thousand parts
        ("R$ 0.500", "BRL", "BR", 0.5),
        ("R$ 1500.000", "BRL", "BR", "R$ 1500.000"),
        ("1.500", "BRL", "BR", 1.5),  # without a sign it need be no money
        ("R$ 1.500", "BRL", "", "R$ 1.500"),
    ],
)
def test_the_mark_between_thousands_is_that_of_the_companys_country(
    written: str, home: str, country: str, read: object
) -> None:
    found = values.trait(written, home, values.thousands_mark(country))
    assert (found, type(found)) == (read, type(read))
