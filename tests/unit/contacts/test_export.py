"""The export of a contact is what its published schema says, for every table there is."""

from __future__ import annotations

import json
from datetime import datetime

import jsonschema
import sqlalchemy as sa

from tests.unit.contacts.merging.test_parting import _pair
from vinculo import contacts
from vinculo.cli.output import plain
from vinculo.contacts.export import _ABOUT
from vinculo.db.tables import metadata
from vinculo.signing import Signer


def test_an_export_of_everything_is_valid_by_its_schema(engine: sa.Engine, signer: Signer, now: datetime) -> None:
    schema = contacts.export_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    check = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now, "one person")
        found = json.loads(json.dumps(contacts.export(db, a, now), default=plain))
    check.validate(found)
    assert found["merging"][0]["reason"] == "one person"
    broken = found | {"interaction": [{**found["interaction"][0], "surprise": 1}]}
    assert not check.is_valid(broken)


def test_what_was_said_of_a_merge_is_in_the_export_of_both_that_were_parted(
    engine: sa.Engine, signer: Signer, now: datetime
) -> None:
    with engine.begin() as db:
        a, b = _pair(db, signer, now)
        contacts.merge(db, a, b, now, "one person")
        contacts.part(db, f"#{b}", now, "mother and daughter")
        for who in (a, b):
            (told,) = contacts.export(db, who, now)["merging"]
            assert (told["reason"], told["undone_reason"]) == ("one person", "mother and daughter")


def test_every_table_with_rows_about_contacts_is_in_the_schema_with_words(engine: sa.Engine) -> None:
    tables = {table.name for table in metadata.sorted_tables if "contact_id" in table.c} | {"contact", "suppression"}
    parts = contacts.export_schema()["properties"].keys() - {"form", "exported_at"}
    assert parts == tables
    assert tables - set(_ABOUT) == set()
