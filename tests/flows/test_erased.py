"""No word of a person reaches Prefect's store or our logs; and once erased, none is left anywhere in the installation."""

from __future__ import annotations

import smtplib
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.flows.conftest import House
from tests.flows.test_path import DSN, FORM
from vinculo import consent, contacts
from vinculo.contacts.erasure.naming import Naming
from vinculo.db.tables import address, contact, delivery
from vinculo.errors import NotReady
from vinculo.history import Interaction, record
from vinculo.model import Direction

pytestmark = pytest.mark.prefect

CANARY = "zyxcanary"
ADDRESS = f"{CANARY}@correio.example"


def _move_in(house: House) -> int:
    """A contact of the segment whose every field is the canary's, with two purchases."""
    now = datetime.now(UTC)
    with house.runtime() as rt, rt.begin() as db:
        row = {"key": f"key-{CANARY}", "given_name": f"{CANARY} Ana", "city": CANARY, "traits": {"brew": CANARY}}
        row |= {"kind": "customer", "language": "pt", "country": "BR", "first_seen": now, "updated_at": now}
        who = db.execute(sa.insert(contact).values(row).returning(contact.c.id)).scalar_one()
        hashed = consent.address_hash(rt.signer, "email", ADDRESS)
        place = {"contact_id": who, "channel": "email", "value": ADDRESS, "hash": hashed, "added_at": now}
        db.execute(sa.insert(address).values(place))
        consent.grant(db, who, "email", "news", now, source=CANARY)
        bought = {"amount": 9_900, "currency": "BRL", "summary": CANARY, "source": "shop"}
        record(db, [Interaction(who, now, Direction.IN, "purchased", event_id=f"{CANARY}-{n}", **bought) for n in "ab"])
        return who


def _answer(house: House) -> None:
    """A report and a reply come back, both full of the canary."""
    mail = EmailMessage()
    mail["From"], mail["To"] = f"{CANARY} <{ADDRESS}>", "respostas@casaaurora.example"
    mail["Subject"], mail["Message-ID"] = f"Re: {CANARY}", f"<{CANARY}@correio.example>"
    mail.set_content(f"Quanto custa o moedor? {CANARY}")
    with smtplib.SMTP("127.0.0.1", house.listen_port) as server:
        server.sendmail(ADDRESS, ["respostas@casaaurora.example"], mail.as_bytes())
        server.sendmail("", ["devolucoes@casaaurora.example"], DSN.format(address=ADDRESS).encode())


def _singing(folder: Path) -> Counter[str]:
    """How often the canary sings, by file."""
    found: Counter[str] = Counter()
    for path in (path for path in folder.rglob("*") if path.is_file()):
        try:
            content = path.read_bytes().lower()
        except OSError:  # gone meanwhile
            continue
        number = content.count(CANARY.encode())
        if not number and "storage" in path.parts:  # results of runs, which may be packed
            number = Naming([ADDRESS]).in_(content)
        found[str(path.relative_to(folder))] = number
    return +found


def _erase(house: House, who: int) -> bool:
    try:
        house.installation.command("vinculo", "contacts", "erase", f"#{who}", "--yes")
    except NotReady:  # somebody was at the database: erase the same again, says it
        return False
    return True


def _ended(house: House, deployment: str) -> str:
    """How a run of it ended; "" while the one that comes by its schedule is at it: Prefect cancels ours."""
    state: str = house.run(deployment, {})["type"]
    return "" if state == "CANCELLED" else state


def test_what_is_sent_to_a_person_leaves_no_word_in_prefects_store_nor_in_our_logs_and_erased_nowhere(
    house: House,
) -> None:
    who = _move_in(house)
    state = house.run(
        "newsletter/newsletter", {"form": FORM | {"name": "canary-news", "segment": "everyone", "test": False}}
    )
    assert state["type"] == "COMPLETED", state
    house.deliver()
    _answer(house)
    for deployment in ("scores/scores", "report/report", "listen/listen", "journeys/journeys"):
        assert house.wait_for(partial(_ended, house, deployment)) == "COMPLETED"
    with house.runtime() as rt, rt.read() as db:
        mine = delivery.c.contact_id == who, delivery.c.campaign == "canary-news"
        assert db.scalar(sa.select(delivery.c.attempts).where(*mine)) >= 1
    var = house.installation.var
    assert (var / "prefect").is_dir()
    assert (var / "log").is_dir()
    assert _singing(var) == {}
    assert any(name.startswith("vinculo.db") for name in _singing(house.root))
    house.wait_for(lambda: _erase(house, who))
    assert _singing(house.root) == {}
    with house.runtime() as rt, rt.read() as db:
        assert contacts.find(db, ADDRESS) is None
