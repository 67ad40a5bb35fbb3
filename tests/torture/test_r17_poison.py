"""R17–R18: one contact, or the template, is poison: the rest is sent, and the poison has a name in the ledger."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.torture.conftest import Tally, depth
from tests.torture.laboratory import Laboratory
from tests.torture.worker import NOT_READY
from vinculo.db.tables import address, contact, delivery, occurrence
from vinculo.ledger import counts

FAMILY = "R17-R18 poison"
HEAD = '{% extends "_base/email.html" %}{% block subject %}Olá{% endblock %}{% block content %}'
#: Raises for one contact only, and never for the sample.
DIVIDES = (
    HEAD + "{% if contact.given_name == 'Nome3' %}{{ 1 // 0 }}{% endif %}Olá {{ contact.given_name }}{% endblock %}"
)
#: What is wrong with contact 3 → what may become of its row.
WRONG: dict[str, tuple[dict[str, str], set[str]]] = {
    "a NUL in its name": ({"given_name": "No\0me"}, {"accepted", "skipped"}),
    "a name of a megabyte": ({"given_name": "x" * 1_000_000}, {"accepted", "skipped", "rejected"}),
    "line breaks in its name": ({"given_name": "x\r\nBcc: spy@example.com"}, {"accepted", "skipped"}),
    "an address that is none": ({"value": "nobody"}, {"rejected", "skipped"}),
    "an address with a command": ({"value": "a@b.example>\r\nRCPT TO:<spy@example.com"}, {"rejected", "skipped"}),
}


def _row(lab: Laboratory) -> Any:
    with lab.read() as db:
        return db.execute(sa.select(delivery).where(delivery.c.contact_id == 4)).one()


@pytest.mark.parametrize("wrong", WRONG)
def test_r17_who_cannot_be_written_to_stops_nobody_else(make_laboratory, tally: Tally, wrong: str) -> None:
    people = depth(25, 1000)
    lab = make_laboratory(people)
    values, states = WRONG[wrong]
    with lab.begin() as db:
        if "value" in values:
            db.execute(sa.update(address).where(address.c.contact_id == 4).values(**values))
        else:
            db.execute(sa.update(contact).where(contact.c.id == 4).values(**values))
    assert lab.run(durability="process") == 0
    tally["faults"] += 1
    row = _row(lab)
    assert row.state in states
    assert row.state == "accepted" or row.reason or row.response
    assert lab.count("accepted") == people - (row.state != "accepted")
    assert not any("spy@example.com" in one.to for one in lab.record())
    tally.judged(lab.judge(doubt=0))


def test_r17_a_template_that_fails_for_one_contact_skips_that_one_with_its_reason(
    make_laboratory, tally: Tally
) -> None:
    people = depth(25, 1000)
    lab = make_laboratory(people, files={"templates/hello/email.html": DIVIDES})
    assert lab.run(durability="process") == 0
    tally["faults"] += 1
    with lab.read() as db:
        assert counts(db, "weekly") == {("accepted", ""): people - 1, ("skipped", "render_error"): 1}
    assert "division" in _row(lab).response
    tally.judged(lab.judge(doubt=0))


def test_r17_a_contact_on_whom_three_workers_die_is_quarantined_and_the_rest_is_sent(
    make_laboratory, tally: Tally
) -> None:
    people = depth(25, 1000)
    lab = make_laboratory(people)
    doubt = 0
    while (ended := lab.run(poison="c00003", durability="process")) == -signal.SIGSEGV:
        tally["kills"] += 1
        doubt = lab.flight()
        lab.clock.forward(hours=1)
    assert ended == 0
    assert tally["kills"] == 3
    row = _row(lab)
    assert (row.state, row.reason) == ("skipped", "quarantined")
    # Only the first of the three takes others along: those that were being handed over.
    assert lab.count("accepted") >= people - 1 - doubt
    tally.judged(lab.judge(doubt=doubt))


RUNAWAY = {
    "syntax": "{% if %}",
    "undefined": "{{ nothing.at.all }}",
    "loop": "{% for a in range(90000) %}{% for b in range(90000) %}x{% endfor %}{% endfor %}",
    "gigabyte": "{{ 'x' * 1000000000 }}",
}


@pytest.mark.parametrize("fault", RUNAWAY)
def test_r18_a_template_that_cannot_work_is_refused_before_anything_is_sent(
    make_laboratory, tally: Tally, fault: str
) -> None:
    lab = make_laboratory(25)
    (lab.root / "templates/hello/email.html").write_text(HEAD + RUNAWAY[fault] + "{% endblock %}")
    assert lab.run() == NOT_READY
    tally["faults"] += 1
    assert lab.record() == []
    with lab.read() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(occurrence)) == 0


LATE = (
    HEAD
    + "{% if contact.given_name != 'Ana' %}{% for a in range(90000) %}{% for b in range(9000) %}x{% endfor %}{% endfor %}{% endif %}{% endblock %}"
)


def test_r18_a_loop_that_only_contacts_meet_is_cut_and_every_row_says_so(make_laboratory, tally: Tally) -> None:
    lab = make_laboratory(2, files={"templates/hello/email.html": LATE})
    assert lab.run() == 0
    tally["faults"] += 1
    assert lab.record() == []
    with lab.read() as db:
        assert counts(db, "weekly") == {("skipped", "render_error"): 2}
