"""A contact's page says who looks after it, what other systems call it, what is inferred and who may be the same."""

from __future__ import annotations

import sqlalchemy as sa

from tests.unit.web.conftest import Town
from vinculo import contacts
from vinculo.db.tables import contact, identifier
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
