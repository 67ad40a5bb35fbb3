"""A contact's page says who looks after it, what other systems call it, what is inferred and who may be the same."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo import contacts
from vinculo.db.tables import contact, identifier, merging
from vinculo.testing.store import add_contact

HERE = {"sec-fetch-site": "same-origin"}


def test_the_owner_is_set_and_taken_away(town: Town) -> None:
    answer = town.client.post("/contacts/1/owner", data={"owner": "  Maria\n Silva <b> "}, headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/contacts/1")
    assert (
        '<input type="text" id="owner" name="owner" value="Maria Silva &lt;b&gt;"'
        in town.client.get("/contacts/1").text
    )
    town.client.post("/contacts/1/owner", data={}, headers=HERE)
    with town.rt.read() as db:
        assert contacts.load(db, [1])[1].owner == ""
    assert town.client.post("/contacts/99/owner", data={"owner": "x"}, headers=HERE).status_code == 404


def test_the_page_tells_identifiers_inferences_duplicates_and_merges(town: Town) -> None:
    with town.rt.begin() as db:
        mine = contacts.load(db, [1])[1].addresses[0].value
        twin = add_contact(db, key="twin", email=mine, signer=town.rt.signer)
        gone = add_contact(db, key="gone", email="gone@x.example", signer=town.rt.signer)
        db.execute(sa.insert(identifier).values(contact_id=1, system="shop", value="S-77"))
        db.execute(sa.update(contact).where(contact.c.id == 1).values(country="BR", country_from="phone"))
        contacts.merge(db, 1, gone, town.rt.now(), "one person, she says")
    page = town.client.get("/contacts/1?lang=en").text
    for words in ("S-77", "inferred from the number", f'href="/contacts/{twin}"', f"#{gone}", "one person, she says"):
        assert words in page
    assert "deduzido do telefone" in town.client.get("/contacts/1?lang=pt").text


def _twins(town: Town) -> int:
    with town.rt.begin() as db:
        mine = contacts.load(db, [1])[1].addresses[0].value
        return add_contact(db, key="twin", email=mine, given_name="Aninha", signer=town.rt.signer)


def test_duplicates_are_proposed_joined_with_a_reason_and_parted_with_one(town: Town) -> None:
    twin = _twins(town)
    page = town.client.get("/contacts/duplicates?lang=pt").text
    assert "ana@gmail.example" in page
    assert 'action="/contacts/1/merge"' in page
    joined = town.client.post("/contacts/1/merge", data={"other": f"#{twin}", "reason": "a mesma"}, headers=HERE)
    assert (joined.status_code, joined.headers["location"]) == (303, "/contacts/1")
    with town.rt.read() as db:
        assert contacts.find(db, "twin") == 1
    assert "a mesma" in town.client.get("/contacts/1").text
    assert "ana@gmail.example" not in town.client.get("/contacts/duplicates").text
    parted = town.client.post("/contacts/1/unmerge", data={"joined": f"#{twin}", "reason": "prima"}, headers=HERE)
    assert parted.status_code == 303
    with town.rt.read() as db:
        assert contacts.find(db, "twin") == twin


@pytest.mark.parametrize(
    ("what", "posted", "said"),
    [
        ("merge", {"other": "twin"}, "Falta o motivo"),
        ("merge", {"other": "twin", "reason": "x" * 501}, "Falta o motivo"),
        ("merge", {"other": "nobody", "reason": "x"}, "Não há contato “nobody”"),
        ("merge", {"other": "#99999999999999999999999", "reason": "x"}, "Não há contato"),
        ("merge", {"other": "ana@gmail.example", "reason": "x"}, "Vários contatos têm"),
        ("merge", {"other": "ana", "reason": "x"}, "não pode ser unido a si mesmo"),
        ("unmerge", {"joined": "rui", "reason": "x"}, "“rui” não foi unido a outro contato"),
    ],
)
def test_what_cannot_be_joined_is_said_in_the_readers_language_and_changes_nothing(
    town: Town, what: str, posted: dict[str, str], said: str
) -> None:
    twin = _twins(town)
    before = town.rows(merging)
    answer = town.client.post(f"/contacts/1/{what}?lang=pt", data=posted, headers=HERE)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert town.client.post(f"/contacts/1/{what}", data=posted).status_code == 403
    assert town.client.post(f"/contacts/99/{what}", data=posted, headers=HERE).status_code == 404
    with town.rt.read() as db:
        assert contacts.find(db, "twin") == twin
    assert town.rows(merging) == before


def test_nobody_is_parted_by_the_page_of_another(town: Town) -> None:
    twin = _twins(town)
    with town.rt.begin() as db:
        contacts.merge(db, 1, twin, town.rt.now(), "same")
    answer = town.client.post("/contacts/2/unmerge", data={"joined": "twin", "reason": "x"}, headers=HERE)
    assert answer.status_code == 404
    with town.rt.read() as db:
        assert contacts.find(db, "twin") == 1
