"""A DMARC record is found where receivers look, read as they read it, and what weakens it is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vinculo.errors import Finding
from vinculo.mail.domain import Ask, aligned, organisation
from vinculo.mail.domain.dmarc import check_dmarc, is_dmarc, parse_dmarc

Zone = Callable[..., Ask]
GOOD = "v=DMARC1; p=reject; rua=mailto:reports@shop.net"


def judged(ask: Ask, domain: str = "shop.net") -> list[Finding]:
    return check_dmarc(domain, ask)[1]


@pytest.mark.parametrize(
    ("record", "holds"),
    [
        (GOOD, True),
        ("v = DMARC1 ; p=none", True),
        ("v=DMARC1", True),
        ("v=dmarc1; p=none", False),
        ("p=none; v=DMARC1", False),
        ("v=DMARC12; p=none", False),
        ("v=spf1 -all", False),
    ],
)
def test_only_records_with_the_version_first_count(record: str, holds: bool) -> None:
    assert is_dmarc(record) is holds


def test_a_record_is_read() -> None:
    found, wrong = parse_dmarc(
        "v=DMARC1; p=Quarantine; sp=reject; adkim=s; aspf=r; rua=mailto:a@b.net, mailto:c@d.net!10m", "x"
    )
    assert (found.policy, found.strict_dkim, found.strict_spf) == ("quarantine", True, False)
    assert found.reports == ("mailto:a@b.net", "mailto:c@d.net!10m")
    assert wrong == []
    assert parse_dmarc("v=DMARC1; p=none; sp=reject", parent=True)[0].policy == "reject"


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("v=DMARC1; p=monitor; rua=mailto:a@shop.net", "p=monitor"),
        ("v=DMARC1; p=none; sp=x; rua=mailto:a@shop.net", "sp=x"),
        ("v=DMARC1; p=none; adkim=strict; rua=mailto:a@shop.net", "adkim=strict"),
        ("v=DMARC1; p=none; rua=reports@shop.net", "rua=reports@shop.net"),
        ("v=DMARC1; p=none p=reject; rua=mailto:a@shop.net", "none p=reject"),
        ("v=DMARC1; p=none; p=reject; rua=mailto:a@shop.net", "stands twice"),
        ("v=DMARC1; p=none; rua=mailto:a@shop.net; hello", "`hello` is no name=value"),
    ],
)
def test_a_wrong_value_is_named(zone: Zone, record: str, says: str) -> None:
    findings = judged(zone({"_dmarc.shop.net TXT": record}))
    assert findings[0].level == "wrong"
    assert says in findings[0].message
    assert all(each.remedy for each in findings)


def test_a_record_that_holds_is_well(zone: Zone) -> None:
    assert judged(zone({"_dmarc.shop.net TXT": GOOD})) == [
        Finding("ok", "DMARC", "the record at _dmarc.shop.net says p=reject")
    ]


def test_none_and_several_are_told(zone: Zone) -> None:
    (none,) = judged(zone({}))
    assert (none.level, "_dmarc.shop.net" in none.remedy) == ("wrong", True)
    (many,) = judged(zone({"_dmarc.shop.net TXT": [GOOD, GOOD]}))
    assert (many.level, "2 DMARC records" in many.message) == ("wrong", True)


def test_the_organisations_record_holds_below_it(zone: Zone) -> None:
    found, findings = check_dmarc(
        "news.shop.com.br",
        zone({"_dmarc.shop.com.br TXT": "v=DMARC1; p=none; sp=quarantine; rua=mailto:a@shop.com.br"}),
    )
    assert (found.place, found.policy) == ("_dmarc.shop.com.br", "quarantine")
    assert [each.level for each in findings] == ["ok"]


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("v=DMARC1; rua=mailto:a@shop.net", "no `p=`"),
        ("v=DMARC1; rua=mailto:a@shop.net; p=none", "does not follow"),
        ("v=DMARC1; p=reject", "names nobody"),
        ("v=DMARC1; p=reject; t=y; rua=mailto:a@shop.net", "only tried out"),
        ("v=DMARC1; p=reject; pct=20; rua=mailto:a@shop.net", "only tried out"),
        ("v=DMARC1; p=reject; pct=100; rua=mailto:a@shop.net", "RFC 9989 took out"),
        ("v=DMARC1; p=reject; ri=3600; rua=mailto:a@shop.net", "`ri=`"),
    ],
)
def test_what_weakens_a_record_is_a_warning(zone: Zone, record: str, says: str) -> None:
    (finding,) = judged(zone({"_dmarc.shop.net TXT": record}))
    assert finding.level == "warn"
    assert says in finding.message
    assert finding.remedy


def test_reports_to_others_need_their_consent(zone: Zone) -> None:
    record = {"_dmarc.shop.net TXT": "v=DMARC1; p=reject; rua=mailto:x@in.reports.net"}
    (finding,) = judged(zone(record))
    assert (finding.level, "shop.net._report._dmarc.in.reports.net" in finding.remedy) == ("warn", True)
    (finding,) = judged(zone(record | {"shop.net._report._dmarc.in.reports.net TXT": "v=DMARC1"}))
    assert finding.level == "ok"


@pytest.mark.parametrize(
    ("domain", "above"),
    [
        ("shop.net", "shop.net"),
        ("a.b.shop.net", "shop.net"),
        ("News.Shop.com.br.", "shop.com.br"),
        ("shop.co.uk", "shop.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("a.xn--ao-siap.com.br", "xn--ao-siap.com.br"),
    ],
)
def test_an_organisation_begins_below_its_public_suffix(domain: str, above: str) -> None:
    assert organisation(domain) == above


@pytest.mark.parametrize(
    ("one", "other", "relaxed", "strict"),
    [
        ("shop.net", "shop.net", True, True),
        ("Shop.net.", "shop.net", True, True),
        ("news.shop.net", "shop.net", True, False),
        ("news.shop.net", "bounce.shop.net", True, False),
        ("shop.com.br", "other.com.br", False, False),
        ("shop.net", "notshop.net", False, False),
        ("shop.net", "shop.net.evil.org", False, False),
        ("com.br", "shop.com.br", False, False),
    ],
)
def test_alignment_is_by_organisation_or_strictly_by_name(one: str, other: str, relaxed: bool, strict: bool) -> None:
    assert (aligned(one, other), aligned(one, other, strict=True)) == (relaxed, strict)
    assert (aligned(other, one), aligned(other, one, strict=True)) == (relaxed, strict)
