"""Who a contact is: several addresses, other systems' names, what is said and what is only inferred."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import contacts
from vinculo.contacts import Duplicate, Options
from vinculo.contacts.importing.row import values
from vinculo.db.tables import consent as consents
from vinculo.db.tables import contact, identifier
from vinculo.errors import NotFound, UsageError
from vinculo.model import Contact, ContactKind
from vinculo.signing import Signer

Take = Callable[..., Any]


def _one(engine: sa.Engine, key: str) -> Contact:
    with engine.connect() as db:
        found = contacts.require(db, key)
        return contacts.load(db, [found])[found]


def _from(engine: sa.Engine, key: str) -> dict[str, tuple[str, str]]:
    with engine.connect() as db:
        row = db.execute(sa.select(contact).where(contact.c.key == key)).mappings().one()
    return {name: (row[name], row[f"{name}_from"]) for name in ("country", "language", "timezone")}


def test_several_columns_and_cells_are_addresses_in_order_of_preference(engine: sa.Engine, take: Take) -> None:
    take(
        "id;E-mail 2;e-mail;Celular 2;celular\n1;c@example.com;a@example.com;b@example.com;;+5511912345678\n".replace(
            "a@example.com;b@example.com;;", '"a@example.com;b@example.com";+351912345678;'
        )
    )
    found = [(each.channel, each.value) for each in _one(engine, "1").addresses]
    assert [value for channel, value in found if channel == "email"] == [
        "a@example.com",
        "b@example.com",
        "c@example.com",
    ]
    assert [value for channel, value in found if channel == "sms"] == ["+5511912345678", "+351912345678"]


def test_another_systems_identifier_finds_the_contact_and_names_it_in_a_file(engine: sa.Engine, take: Take) -> None:
    take("id;id.shop;email\n1;77;a@example.com\n")
    assert _one(engine, "shop:77").key == "1"
    done = take("id.shop;cidade\n77;Recife\n88;Natal\n")
    assert (done.created, done.updated) == (1, 1)
    assert (_one(engine, "1").city, _one(engine, "shop:88").city) == ("Recife", "Natal")
    take("id;id.shop\n2;77\n")
    with engine.connect() as db, pytest.raises(UsageError, match="Several contacts have the identifier `shop:77`"):
        contacts.find(db, "shop:77")


def test_what_was_inferred_is_marked_and_gives_way_to_what_is_said(engine: sa.Engine, take: Take) -> None:
    take("id;email;pais\n1;a@example.com;FR\n2;b@example.com;\n3;c@example.com;BR\n")
    assert _from(engine, "1") == {
        "country": ("FR", ""),
        "language": ("fr", "country"),
        "timezone": ("Europe/Paris", "country"),
    }
    assert _from(engine, "2") == {"country": ("", ""), "language": ("", ""), "timezone": ("", "")}
    assert _from(engine, "3")["timezone"] == ("", "")  # Brazil keeps several times
    take("id;celular\n2;+5511912345678\n3;+5592991234567\n")
    assert _from(engine, "2")["country"] == ("BR", "phone")
    assert _from(engine, "3")["timezone"] == ("America/Manaus", "phone")
    take("id;pais;fuso\n2;PT;\n3;;America/Recife\n")
    assert _from(engine, "2")["country"] == ("PT", "")
    assert _from(engine, "3")["timezone"] == ("America/Recife", "")
    take("id;celular;pais\n1;+5511912345678;\n3;+5511912345678;\n")
    assert _from(engine, "1")["country"] == ("FR", "")
    assert _from(engine, "3")["timezone"] == ("America/Recife", "")


def test_a_number_of_another_country_tells_nothing_of_where_the_contact_is(engine: sa.Engine, take: Take) -> None:
    take("id;celular;pais\n1;+5511912345678;FR\n")
    assert _from(engine, "1")["timezone"] == ("Europe/Paris", "country")


@pytest.mark.parametrize(
    ("country", "zone"), [("CO", "America/Bogota"), ("DE", "Europe/Berlin"), ("BR", ""), ("PT", ""), ("US", "")]
)
def test_only_a_country_of_one_time_has_a_zone(country: str, zone: str) -> None:
    assert values.zone_of(country) == zone


def test_the_source_is_where_the_contact_was_first_seen(engine: sa.Engine, take: Take) -> None:
    take("id;origem;cadastro\n1;shop;2024-03-01\n2;;\n")
    take("id;origem;cadastro\n1;page;2025-01-01\n2;page;\n")
    assert (_one(engine, "1").source, _one(engine, "2").source) == ("shop", "import people.csv")
    take("id;origem;cadastro\n1;fair;2020-01-01\n")
    assert (_one(engine, "1").source, _one(engine, "1").first_seen) == ("fair", datetime(2020, 1, 1, 3, tzinfo=UTC))


def test_a_consent_is_imported_with_all_its_proof(engine: sa.Engine, take: Take) -> None:
    text = "Quero receber novidades."
    take(
        "id;email;consent.news;data do consentimento;consent_source;base legal;consent_text;consent_expires\n"
        f"1;a@example.com;sim;2025-03-05 10:00;balcão;consent;{text};2027-03-05\n"
    )
    with engine.connect() as db:
        row = db.execute(sa.select(consents)).one()
    assert (row.source, row.legal_basis, row.at) == ("balcão", "consent", datetime(2025, 3, 5, 13, tzinfo=UTC))
    assert (row.text_hash, row.expires_at.date().isoformat()) == (
        hashlib.sha256(text.encode()).hexdigest(),
        "2027-03-05",
    )
    done = take("id;email;consent.news;consent_text_hash\n2;b@example.com;sim;abc\n")
    assert (done.failed, done.created) == (1, 0)


def test_one_contact_is_set_by_the_names_of_an_import(
    engine: sa.Engine, take: Take, signer: Signer, now: datetime
) -> None:
    take("id;email;responsavel\n1;a@example.com;ana\n")
    how: dict[str, Any] = {"signer": signer, "now": now, "options": Options(country="BR", topics={"news"})}
    with engine.begin() as db:
        who = contacts.require(db, "1")
        said = {"owner": "maria", "kind": "parceiro", "trait.size": "4", "email": "b@example.com", "id.crm": "9"}
        contacts.amend(db, who, said, **how)
        found = contacts.load(db, [who])[who]
        assert (found.owner, found.kind, found.traits) == ("maria", ContactKind.PARTNER, {"size": 4})
        assert [each.value for each in found.addresses] == ["b@example.com", "a@example.com"]
        contacts.amend(db, who, {"email": "a@example.com", "owner": ""}, **how)
        found = contacts.load(db, [who])[who]
        assert ([each.value for each in found.addresses], found.owner) == (["a@example.com", "b@example.com"], "")
    for wrong in (
        {"kind": "boss"},
        {"kind": ""},
        {"key": "2"},
        {"consent.email.nwes": "yes"},
        {"birthdate": "31/02/1980"},
    ):
        with engine.begin() as db, pytest.raises(UsageError):
            contacts.amend(db, who, wrong, **how)
    with engine.begin() as db:
        contacts.erase(db, who, now)
        with pytest.raises(NotFound):
            contacts.amend(db, who, {"owner": "maria"}, **how)


def test_duplicates_share_an_address_a_number_or_an_identifier(engine: sa.Engine, take: Take) -> None:
    take(
        "id;email;sms;whatsapp;id.shop\n1;a@example.com;;;7\n2;a@example.com;+5511912345678;;\n"
        "3;;;+5511912345678;\n4;d@example.com;;;7\n5;e@example.com;;;8\n"
    )
    with engine.connect() as db:
        ids = {key: contacts.require(db, key) for key in "12345"}
        found = contacts.duplicates(db)
        assert contacts.duplicates(db, contact_id=ids["5"]) == []
        assert [each.by for each in contacts.duplicates(db, contact_id=ids["1"])] == ["email", "shop"]
        assert len(contacts.duplicates(db, limit=1)) == 3
    assert found == [
        Duplicate("email", "a@example.com", (ids["1"], ids["2"])),
        Duplicate("phone", "+5511912345678", (ids["2"], ids["3"])),
        Duplicate("shop", "7", (ids["1"], ids["4"])),
    ]


def test_a_file_that_breaks_in_the_middle_leaves_whole_batches_and_says_where(
    engine: sa.Engine, take: Take, tmp_path: Path
) -> None:
    rows = "".join(f"{number};a{number}@example.com;{number}\n" for number in range(25))
    with pytest.raises(UsageError, match="quote"):
        take("id;email;id.shop\n" + rows + '99;"never closed' + "\nx;y" * 200, batch=10)
    with engine.connect() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(contact)) == 20
        assert db.scalar(sa.select(sa.func.count()).select_from(identifier)) == 20
    assert take("id;email;id.shop\n" + rows, batch=10).created == 5
