"""The segments of `bench.segments`, and each by hand: what somebody would write who knows tables, indexes and data.

All is allowed that gives the same contacts: `fact` is read where it knows the answer, `contact` is left out where
nothing of it is asked, and nothing is recorded after the moment of asking.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_DAY = 86_400_000_000
_SHIPPED = ("recent-buyers", "quiet-loyal-brazil", "leads", "active", "sao-paulo", "staff")
_MORE = """
this-week:
  did: {event: purchased, within: 7 days}
twice-then-silent:
  all:
    - did: {event: purchased, at_least: 2, within: 1 year}
    - never: {event: purchased, within: 90 days}
clicked-not-bought:
  all:
    - did: {event: clicked, within: 14 days}
    - never: {event: purchased, within: 30 days}
of-the-design:
  all:
    - country: BR
    - stage: {in: [loyal, champion]}
    - did: {event: purchased, at_least: 2, within: 1 year}
    - not: {did: {event: purchased, within: 90 days}}
    - did: {event: opened, of_last: 5 newsletters}
    - not: {segment: staff}
of-two-stages:
  stage: {in: [loyal, champion]}
spenders:
  did: {event: purchased, amount_at_least: 1500 BRL, within: 1 year}
answered-twice:
  did: {event: clicked, campaign: monthly-offer, at_least: 2}
may-be-called:
  all:
    - consent: {topic: offers, channel: sms}
    - reachable: sms
"""
_FILES = Path(__file__).parents[1] / "segments"
SEGMENTS: dict[str, dict[str, Any]] = {
    **yaml.safe_load(_MORE),
    **{name: yaml.safe_load((_FILES / f"{name}.yaml").read_text())["who"] for name in _SHIPPED},
}


def _ago(days: int) -> str:
    return f"(:now - {days * _DAY})"


_WHO = "SELECT c.id AS contact_id FROM"
_GONE = "SELECT id FROM contact WHERE erased_at IS NOT NULL"
_BOUGHT = "SELECT contact_id FROM fact WHERE kind = 'purchased'"
# At the newest purchase but one begins who knows how many there are; at_1 is then no bound.
_SILENT = f"at_2 > {_ago(365)} AND +at_1 <= {_ago(90)}"
_LAST = """SELECT o.campaign, o.occurrence FROM occurrence o
  WHERE {kind} = 'newsletter' AND o.due_at <= :now AND EXISTS (SELECT 1 FROM delivery d
    WHERE d.campaign = o.campaign AND d.occurrence = o.occurrence AND d.state = 'accepted')
  ORDER BY o.due_at DESC LIMIT 5"""
_OPENED = f"""SELECT contact_id FROM interaction WHERE (campaign, occurrence) IN ({_LAST}) AND kind = 'opened'
  AND campaign <> '' AND kind <> 'sent' AND kind <> 'delivered'"""
_ACTIVE = [f"kind = 'purchased' AND at_1 > {_ago(540)}", f"kind = 'opened' AND at_1 > {_ago(180)}",
           f"kind = 'clicked' AND at_1 > {_ago(180)}"]  # fmt: skip
_TOWNS = "'São Paulo', 'Guarulhos', 'Osasco', 'Santo André', 'São Bernardo do Campo'"
_SMS = f"""p.channel = 'sms' AND p.topic = 'offers' AND p.granted AND (p.expires_at IS NULL OR p.expires_at > :now)
  AND p.contact_id NOT IN ({_GONE})"""
_WORKS = """a.channel = 'sms'
  AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.channel = a.channel AND s.address_hash = a.hash)"""

#: The fastest of each list counts.
BY_HAND: dict[str, list[str]] = {
    "this-week": [f"{_BOUGHT} AND at_1 > {_ago(7)}"],
    "recent-buyers": [f"{_BOUGHT} AND at_1 > {_ago(45)}"],
    "twice-then-silent": [
        f"{_BOUGHT} AND {_SILENT}",
        f"{_BOUGHT} AND at_1 > {_ago(365)} AND at_1 <= {_ago(90)} AND at_2 > {_ago(365)}",
    ],
    "clicked-not-bought": [
        (f"SELECT contact_id FROM fact WHERE kind = 'clicked' AND at_1 > {_ago(14)}"
        f" AND contact_id NOT IN ({_BOUGHT} AND at_1 > {_ago(30)})"),
        (f"SELECT contact_id FROM fact c WHERE kind = 'clicked' AND at_1 > {_ago(14)} AND NOT EXISTS (SELECT 1"
        f" FROM fact f WHERE f.contact_id = c.contact_id AND f.kind = 'purchased' AND f.at_1 > {_ago(30)})"),
    ],
    "of-the-design": [
        # By the facts, then stage and country, then what was opened.
        (f"SELECT f.contact_id FROM fact f CROSS JOIN contact c WHERE f.kind = 'purchased' AND {_SILENT}"
        f" AND f.contact_id IN (SELECT contact_id FROM score WHERE stage IN ('loyal', 'champion'))"
            f" AND c.id = f.contact_id"
        f" AND c.erased_at IS NULL AND +c.country = 'BR' AND c.kind <> 'staff' AND f.contact_id IN ({_OPENED})"),
        # By the stage, and whoever opened.
        (f"SELECT s.contact_id FROM score s CROSS JOIN fact f CROSS JOIN contact c"
        f" WHERE s.stage IN ('loyal', 'champion') AND s.contact_id IN ({_OPENED}) AND f.contact_id = s.contact_id"
        f" AND f.kind = 'purchased' AND {_SILENT} AND c.id = s.contact_id AND c.erased_at IS NULL"
        f" AND c.kind <> 'staff' AND +c.country = 'BR'"),
        (f"WITH opened AS ({_OPENED}) {_WHO} contact c"
        f" JOIN score s ON s.contact_id = c.id AND s.stage IN ('loyal', 'champion')"
        f" JOIN fact f ON f.contact_id = c.id AND f.kind = 'purchased' AND {_SILENT}"
        f" WHERE c.country = 'BR' AND c.kind <> 'staff'"
            f" AND c.erased_at IS NULL AND c.id IN (SELECT contact_id FROM opened)"),
        # The same, and PostgreSQL makes sets: it takes those who opened for a few, and would look each of them up.
        (f"SELECT f.contact_id FROM fact f CROSS JOIN contact c WHERE f.kind = 'purchased' AND {_SILENT}"
        f" AND (f.contact_id IN (SELECT contact_id FROM score WHERE stage IN ('loyal', 'champion'))) IS TRUE"
        f" AND (f.contact_id IN ({_OPENED})) IS TRUE AND c.id = f.contact_id"
        f" AND c.erased_at IS NULL AND +c.country = 'BR' AND c.kind <> 'staff'"),
    ],
    "spenders": [
        (f"SELECT contact_id FROM interaction WHERE kind = 'purchased' AND at > {_ago(365)} AND at <= :now"
        f" AND contact_id NOT IN ({_GONE}) GROUP BY contact_id"
        " HAVING sum(CASE WHEN currency IN ('BRL', '') THEN amount ELSE worth END) >= 150000"),
    ],
    "answered-twice": [
        ("SELECT contact_id FROM interaction WHERE campaign = 'monthly-offer' AND kind = 'clicked' AND at <= :now"
        " AND campaign <> '' AND kind <> 'sent' AND kind <> 'delivered'"
        f" AND contact_id NOT IN ({_GONE}) GROUP BY contact_id HAVING count(*) >= 2"),
    ],
    "may-be-called": [
        (f"SELECT DISTINCT p.contact_id FROM permission p JOIN address a ON a.contact_id = p.contact_id"
        f" WHERE {_SMS} AND {_WORKS}"),
        (f"SELECT p.contact_id FROM permission p WHERE {_SMS}"
        f" AND EXISTS (SELECT 1 FROM address a WHERE a.contact_id = p.contact_id AND {_WORKS})"),
        (f"{_WHO} contact c WHERE c.erased_at IS NULL"
        f" AND EXISTS (SELECT 1 FROM permission p WHERE p.contact_id = c.id AND {_SMS})"
        f" AND EXISTS (SELECT 1 FROM address a WHERE a.contact_id = c.id AND {_WORKS})"),
    ],
    "of-two-stages": [
        f"SELECT contact_id FROM score WHERE stage IN ('loyal', 'champion') AND contact_id NOT IN ({_GONE})",
        (f"{_WHO} score s JOIN contact c ON c.id = s.contact_id"
        " WHERE s.stage IN ('loyal', 'champion') AND c.erased_at IS NULL"),
    ],
    "quiet-loyal-brazil": [
        (f"{_WHO} fact f CROSS JOIN contact c WHERE f.kind = 'purchased' AND at_2 > {_ago(730)}"
        f" AND +at_1 <= {_ago(90)} AND c.id = f.contact_id AND c.erased_at IS NULL"
        f" AND +c.country = 'BR' AND c.kind <> 'staff'"),
        (f"{_WHO} contact c WHERE c.erased_at IS NULL AND +c.country = 'BR' AND c.kind <> 'staff'"
        f" AND EXISTS (SELECT 1 FROM fact f WHERE f.contact_id = c.id AND f.kind = 'purchased'"
        f" AND at_1 <= {_ago(90)} AND at_2 > {_ago(730)})"),
        (f"{_WHO} contact c WHERE c.erased_at IS NULL AND +c.country = 'BR' AND c.kind <> 'staff' AND c.id IN"
        f" ({_BOUGHT} AND at_2 > {_ago(730)} AND +at_1 <= {_ago(90)})"),
    ],
    "leads": [
        (f"{_WHO} contact c WHERE c.kind = 'lead' AND c.erased_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM fact f WHERE f.contact_id = c.id AND f.kind = 'purchased')"),
        f"{_WHO} contact c WHERE c.kind = 'lead' AND c.erased_at IS NULL AND c.id NOT IN ({_BOUGHT})",
    ],
    "active": [
        f"{_WHO} contact c WHERE c.erased_at IS NULL AND (c.first_seen > {_ago(540)} OR "
        + " OR ".join(f"EXISTS (SELECT 1 FROM fact f WHERE f.contact_id = c.id AND f.{each})" for each in _ACTIVE)
        + ")",
        f"SELECT id AS contact_id FROM contact WHERE erased_at IS NULL AND first_seen > {_ago(540)}"
        + "".join(f" UNION SELECT contact_id FROM fact WHERE {each}" for each in _ACTIVE),
    ],
    "sao-paulo": [f"{_WHO} contact c WHERE erased_at IS NULL AND {sign}country = 'BR' AND city IN ({_TOWNS})"
                  for sign in ("", "+")],
    "staff": ["SELECT id AS contact_id FROM contact WHERE erased_at IS NULL AND kind = 'staff'"],
}  # fmt: skip


def by_hand(name: str, dialect: str, now: int) -> list[str]:
    """The queries of segment *name* at *now*. A `+` keeps SQLite from an index; PostgreSQL has none for texts."""
    kind = "json_extract(o.definition, '$.kind')" if dialect == "sqlite" else "o.definition ->> 'kind'"
    texts = [text.replace("{kind}", kind).replace(":now", str(now)) for text in BY_HAND[name]]
    if dialect == "sqlite":
        return texts
    return [text.replace("+c.", "c.").replace("+country", "country").replace("+at_1", "at_1") for text in texts]
