"""The documentation of columns is the code's, and no name goes to two places."""

from datetime import datetime
from itertools import chain

import pytest

from vinculo.contacts.importing import events
from vinculo.contacts.importing.row.columns import FAMILIES, PLACES, assign, place_of, plain, unheard
from vinculo.contacts.importing.row.reader import Reader
from vinculo.errors import UsageError


def test_every_place_and_name_is_in_the_documentation(request: pytest.FixtureRequest) -> None:
    text = (request.config.rootpath / "docs" / "contacts.md").read_text(encoding="utf-8")
    for place, (words, names) in chain(PLACES.items(), events.PLACES.items()):
        assert f"| `{place}` | {words} | {', '.join(f'`{name}`' for name in names)} |" in text
    for name, words in FAMILIES.items():
        assert f"| `{name}` | {words} |" in text
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert sorted(documented) == sorted([*PLACES, *events.PLACES, *FAMILIES])


@pytest.mark.parametrize("places", [PLACES, events.PLACES])
def test_no_name_goes_to_two_places(places: dict[str, tuple[str, tuple[str, ...]]]) -> None:
    names = [name for place, (_, known) in places.items() for name in (place, *known)]
    assert len(names) == len(set(names))
    assert names == [plain(name) for name in names]


def test_accents_case_and_signs_do_not_matter() -> None:
    assert place_of(" Data de Nascimento* ") == "birthdate"
    assert place_of("CÓDIGO") == "key"
    assert place_of("Correo electrónico") == "email"
    assert place_of("consent.sms.news") == "consent.sms.news"
    assert {place_of(name) for name in ("Código do Cliente", "Nº Cliente", "Cód. cliente", "Número de cliente")} == {
        "key"
    }
    assert place_of("Tamanho (cm)") == "trait.tamanho_cm"


def test_a_column_that_sounds_like_consent_and_says_not_for_what_is_noticed() -> None:
    columns = ["key", "Consentimento", "Opt-in", "consent.news", "Cor", "Aceita ofertas?"]
    assert unheard(assign(columns, {})) == ["Consentimento", "Opt-in", "Aceita ofertas?"]
    assert unheard(assign(columns[:3], {"Consentimento": "consent.news", "Opt-in": "trait.old"})) == []


def test_a_place_that_is_set_by_its_own_name_and_is_none_is_no_column() -> None:
    with pytest.raises(UsageError, match=r"^There is no place `foo\.bar`"):
        assign(["foo.bar"], {"foo.bar": "foo.bar"}, (), ())
    with pytest.raises(UsageError, match=r"^`nome=foo\.bar`: a column cannot go to `foo\.bar`"):
        assign(["nome"], {"nome": "foo.bar"}, (), ())


@pytest.mark.parametrize("said", [*PLACES, *FAMILIES, "traits.size", "email.2"])
def test_every_place_that_can_be_said_takes_a_value(said: str, now: datetime) -> None:
    places = assign(
        ["x"], {"x": said.replace("NAME", "n").replace("SYSTEM", "s").replace("TOPIC", "t").replace("CHANNEL", "sms")}
    )
    assert Reader(places, now).taker(places["x"])


@pytest.mark.parametrize(("said", "meant"), [("telefon", "sms"), ("e-mial", "email"), ("Data nasc", "birthdate")])
def test_a_place_that_is_misspelt_is_proposed(said: str, meant: str) -> None:
    with pytest.raises(UsageError) as told:
        assign(["x"], {"x": said})
    assert told.value.remedy == f"Did you mean `{meant}`?"


def test_two_columns_of_numbers_are_told_how_both_are_taken() -> None:
    with pytest.raises(UsageError) as told:
        assign(["Telefone", "Celular"], {})
    assert "--map 'Celular=sms.2'" in told.value.remedy
    assert assign(["Telefone", "Celular"], {"Celular": "sms.2"}) == {"Telefone": "sms", "Celular": "sms.2"}
