"""No GET changes anything: a crawler that fetches every link of a mail a thousand times leaves what one visit leaves."""

from __future__ import annotations

import email
import email.policy
import os
import re

import sqlalchemy as sa
from starlette.testclient import TestClient

from tests.unit.web.conftest import BASE, Town
from vinculo.db import metadata
from vinculo.runtime import open_runtime
from vinculo.signing import Signer
from vinculo.web import create_app

SCANNER = {"User-Agent": "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0) Barracuda"}
#: `make torture` asks a thousand times.
TURNS = 1_000 if os.environ.get("TORTURE") else 60
#: What hits themselves are, and what is counted of them: everything else stays as it is, to the last row.
OBSERVED = {"fact", "inbound", "interaction"}


def everything(town: Town) -> dict[str, list[tuple[object, ...]]]:
    with town.rt.read() as db:
        return {
            table.name: [tuple(row) for row in db.execute(sa.select(table).order_by(*table.primary_key.columns))]
            for table in metadata.sorted_tables
        }


def links(town: Town) -> list[str]:
    """Every address of ours in Ana's mail: in its HTML, its text and its headers."""
    for path in (town.rt.project.root / "outbox").glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if "ana@" in str(mail["To"]):
            words = [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
            found = re.findall(re.escape(BASE) + r"[^\s\"'<>)]*", " ".join([*words, str(mail["List-Unsubscribe"])]))
            pages = [f"{BASE}/{name}/{town.token(name)}" for name in ("view", "unsubscribe")]
            pages += [
                f"{BASE}/preferences/{town.token('preferences', town.ana)}",
                f"{BASE}/survey/{town.token('survey')}/9",
            ]
            return sorted({*found, *pages})
    raise AssertionError("Ana has no mail")


def test_a_crawler_that_fetches_every_link_of_a_mail_again_and_again_changes_no_row(town: Town) -> None:
    found = links(town)
    assert {url.split("/")[3] for url in found} == {"c", "o", "unsubscribe", "preferences", "view", "survey"}
    for url in found:
        assert town.client.get(url, headers=SCANNER).status_code in (200, 302), url
    before = everything(town)
    for turn in range(TURNS):
        for url in found:
            if "/c/" in url or "/o/" in url or turn % 50 == 0:  # pages keep nothing: their count is not the point
                town.client.get(url, headers=SCANNER)
    after = everything(town)
    assert [name for name in before if name not in OBSERVED and before[name] != after[name]] == []
    assert (after["interaction"], after["fact"]) == (before["interaction"], before["fact"])
    at = [column.name for column in metadata.tables["inbound"].columns].index("times")
    assert [row[:at] + row[at + 1 :] for row in after["inbound"]] == [
        row[:at] + row[at + 1 :] for row in before["inbound"]
    ]
    assert {row[at] for row in after["inbound"]} == {TURNS + 1}
    assert {row.data["class"] for row in [*town.history("opened"), *town.history("clicked")]} == {"machine"}


def test_a_first_visit_of_a_crawler_leaves_hits_and_nothing_else(town: Town) -> None:
    before = everything(town)
    for url in links(town):
        town.client.get(url, headers=SCANNER)
        town.client.head(url, headers=SCANNER)
    after = everything(town)
    assert {name for name in before if before[name] != after[name]} == OBSERVED


def test_a_link_outlives_its_campaign_and_its_key(town: Town) -> None:
    found = [url for url in links(town) if "/c/" in url or "/o/" in url]
    (town.rt.project.root / "plan/calendar/weekly.yaml").unlink()
    old = town.rt.project.settings.secret_key
    with open_runtime(town.rt.project.root, clock=town.rt.now) as rt:
        rt.signer = Signer("a newer secret, and long enough", old=[old])
        assert "weekly" not in rt.project.campaigns
        with TestClient(create_app(rt), base_url=BASE, follow_redirects=False) as client:
            assert [client.get(url).status_code for url in found] == [302, 200]
    assert len(town.history("opened")) + len(town.history("clicked")) == len(found)
