"""A sender's identity is judged whole: keys against records, domains against each other, mail back to us."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from vinculo.errors import Finding
from vinculo.mail.dkim import DkimKey
from vinculo.mail.domain import Ask, Identity, Resolver, Unanswered, check_identity
from vinculo.mail.domain.identity import check_helo, check_mx
from vinculo.mail.domain.published import check_dkim, check_dkim_record

Zone = Callable[..., Ask]
RSA = DkimKey("shop.net", "r", rsa.generate_private_key(65537, 2048))
EDWARDS = DkimKey("shop.net", "e", ed25519.Ed25519PrivateKey.generate())
SHOP = Identity("shop.net", "bounce.shop.net", "shop.net", (RSA, EDWARDS), "out.shop.net")
WELL: dict[str, str | list[str] | None] = {
    "bounce.shop.net TXT": "v=spf1 ip4:192.0.2.1 -all",
    "_dmarc.shop.net TXT": "v=DMARC1; p=reject; rua=mailto:reports@shop.net",
    "r._domainkey.shop.net TXT": RSA.record,
    "e._domainkey.shop.net TXT": EDWARDS.record,
    "shop.net MX": "10 mx.shop.net.",
    "bounce.shop.net MX": ["20 mx2.shop.net.", "10 mx.shop.net."],
    "mx.shop.net A": "192.0.2.2",
    "mx2.shop.net AAAA": "2001:db8::2",
    "out.shop.net A": "192.0.2.1",
    "1.2.0.192.in-addr.arpa PTR": "Out.shop.net.",
}


def bad(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.level) for each in findings if each.level != "ok"]


def test_a_whole_identity_is_well(zone: Zone) -> None:
    findings = check_identity(SHOP, zone(WELL))
    assert bad(findings) == []
    assert {each.check for each in findings} == {"SPF", "DKIM r", "DKIM e", "DMARC", "MX", "HELO", "alignment"}


def test_what_is_not_well_says_what_to_do(zone: Zone) -> None:
    findings = check_identity(SHOP, zone({}))
    assert {check for check, level in bad(findings) if level == "wrong"} >= {
        "SPF",
        "DKIM r",
        "DKIM e",
        "DMARC",
        "MX",
        "HELO",
    }
    assert all(each.remedy for each in findings if each.level != "ok")


@pytest.mark.parametrize("name", WELL)
def test_a_record_that_does_not_answer_is_a_warning_and_never_a_fault(zone: Zone, name: str) -> None:
    findings = check_identity(SHOP, zone(WELL | {name: None}))
    assert {level for _, level in bad(findings)} == {"warn"}
    assert any("could not be asked" in each.message for each in findings)


def test_no_answer_at_all_is_told_for_each_check(zone: Zone) -> None:
    def nobody(name: str, kind: str) -> list[str]:
        raise Unanswered("no network")

    findings = check_identity(SHOP, nobody)
    assert {level for _, level in bad(findings)} == {"warn"}
    assert {each.check for each in findings if "could not be asked: no network" in each.message} == {
        *("SPF", "DKIM r", "DKIM e", "DMARC", "MX", "HELO"),
    }


def test_examples_are_not_asked_for(zone: Zone) -> None:
    def never(name: str, kind: str) -> list[str]:
        raise AssertionError(name)

    findings = check_identity(Identity("casaaurora.example", "b.example", "casaaurora.example"), never)
    assert [(each.check, each.level) for each in findings] == [("sender domain", "warn"), ("DKIM", "warn")]


# ── DKIM ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("key", [RSA, EDWARDS])
def test_our_own_record_matches(key: DkimKey) -> None:
    for record in (
        key.record,
        f"p={key.public}; k={key.type}",
        f"v=DKIM1;k={key.type};h=sha1:sha256;s=email;t=s;p={key.public};",
    ):
        (finding,) = check_dkim_record(record, key)
        assert finding.level == "ok"


def test_a_key_in_pieces_matches() -> None:
    pieces = " ".join(RSA.public[at : at + 60] for at in range(0, len(RSA.public), 60))
    (finding,) = check_dkim_record(f"v=DKIM1; k=rsa; p={pieces}", RSA)
    assert "2,048 bits" in finding.message


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("v=DKIM1; k=rsa", "no public key"),
        ("v=DKIM1; k=rsa; p=", "revoked"),
        (EDWARDS.record, "type ed25519; we sign with rsa"),
        (f"v=DKIM1; p={DkimKey('a', 'b', rsa.generate_private_key(65537, 2048)).public}", "another key"),
        (f"k=rsa; v=DKIM1; p={RSA.public}", "does not begin"),
        (f"v=DKIM2; p={RSA.public}", "does not begin"),
        (f"v=DKIM1; h=sha1; p={RSA.public}", "allows only `h=sha1`"),
        (f"v=DKIM1; s=tlsrpt; p={RSA.public}", "not for mail"),
        (f"v=DKIM1; p={RSA.public[:-1]}§", "not base64"),
        (f"v=DKIM1; p={base64.b64encode(b'x').decode()}", "another key"),
        (f"v=DKIM1; rubbish; p={RSA.public}", "broken"),
    ],
    ids=itertools.count(),  # the keys are new in every process: a name made of them would be another in each
)
def test_a_record_under_which_nothing_verifies_is_wrong(record: str, says: str) -> None:
    (finding,) = check_dkim_record(record, RSA)
    assert finding.level == "wrong"
    assert says in finding.message
    assert RSA.record in finding.remedy


def test_a_record_that_is_a_test_is_a_warning() -> None:
    (finding,) = check_dkim_record(f"v=DKIM1; t=s:y; p={RSA.public}", RSA)
    assert (finding.level, "t=y" in finding.message) == ("warn", True)


def test_two_records_of_a_selector_are_wrong(zone: Zone) -> None:
    (finding,) = check_dkim(RSA, zone({"r._domainkey.shop.net TXT": [RSA.record, RSA.record]}))
    assert (finding.level, "2 records" in finding.message) == ("wrong", True)


# ── alignment ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("bounce", "signed", "dmarc", "wanted"),
    [
        ("shop.net", "shop.net", "", []),
        ("b.shop.net", "mail.shop.net", "", []),
        ("b.shop.net", "mail.shop.net", "; adkim=s", ["wrong"]),
        ("b.shop.net", "shop.net", "; aspf=s", ["warn"]),
        ("relay.net", "shop.net", "", ["warn"]),
        ("relay.net", "", "", ["wrong"]),
        ("shop.net", "relay.net", "", ["wrong"]),
        ("relay.net", "relay.net", "", ["wrong", "wrong"]),
    ],
)
def test_from_is_of_the_organisation_that_signs_or_that_bounces_go_to(
    zone: Zone, bounce: str, signed: str, dmarc: str, wanted: list[str]
) -> None:
    keys = (replace(RSA, domain=signed),) if signed else ()
    record = {"_dmarc.shop.net TXT": f"v=DMARC1; p=reject; rua=mailto:a@shop.net{dmarc}"}
    findings = check_identity(Identity("shop.net", bounce, "shop.net", keys), zone(record))
    assert [each.level for each in findings if each.check == "alignment" and each.level != "ok"] == wanted


# ── mail back to us ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("records", "level", "says"),
    [
        ({"shop.net MX": "0 ."}, "wrong", "null MX"),
        ({}, "wrong", "neither an MX nor an address"),
        ({"shop.net A": "192.0.2.1"}, "warn", "no MX"),
        ({"shop.net MX": "10 gone.net."}, "wrong", "gone.net, which has no address"),
        ({"shop.net MX": "10 192.0.2.1"}, "wrong", "no address"),
        ({"shop.net MX": ["10 gone.net.", "20 mx.net."], "mx.net A": "192.0.2.1"}, "warn", "gone.net"),
        (
            {"shop.net MX": ["20 b.net.", "5 a.net."], "a.net A": "192.0.2.1", "b.net A": "192.0.2.1"},
            "ok",
            "go to a.net",
        ),
    ],
)
def test_mail_to_us_must_arrive(zone: Zone, records: dict[str, str], level: str, says: str) -> None:
    (finding,) = check_mx("shop.net", zone(records), SHOP)
    assert finding.level == level
    assert says in finding.message
    assert level == "ok" or finding.remedy


def test_the_name_we_greet_with_leads_to_its_address_and_back(zone: Zone) -> None:
    ask = zone(WELL | {"other.net A": "192.0.2.9", "9.2.0.192.in-addr.arpa PTR": "pool-9.isp.net."})
    assert [each.level for each in check_helo("out.shop.net", ask)] == ["ok"]
    assert [each.level for each in check_helo("other.net", ask)] == ["warn"]
    assert [each.level for each in check_helo("nowhere.net", ask)] == ["wrong"]
    assert list(check_helo("[192.0.2.1]", ask)) == []


# ── the resolver ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_resolver_whose_time_is_over_says_so() -> None:
    ask = Resolver(total=0)
    with pytest.raises(Unanswered, match="too slow"):
        ask("shop.net", "TXT")


def test_without_a_name_server_nothing_is_asked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from dns import resolver

    tried: list[str] = []

    def refuse(name: str, *_: object, **__: object) -> None:
        tried.append(name)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(resolver, "resolve", refuse)
    ask = Resolver()
    for name in ("a.net", "b.net"):
        with pytest.raises(Unanswered, match="unreachable"):
            ask(name, "TXT")
    assert tried == ["a.net"]


def test_a_name_that_is_not_there_has_no_records_and_strings_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from dns import rdata, resolver

    asked: list[str] = []

    def answer(name: str, kind: str, **_: object) -> list[rdata.Rdata]:
        asked.append(name)
        if name == "gone.net":
            raise resolver.NXDOMAIN
        return [rdata.from_text("IN", kind, {"TXT": '"v=spf1 " "-all"', "MX": "10 mx.net.", "NS": "a.net."}[kind])]

    monkeypatch.setattr(resolver, "resolve", answer)
    ask = Resolver()
    assert ask("gone.net", "TXT") == []
    assert [ask("Shop.net.", "TXT"), ask("shop.net", "TXT")] == [["v=spf1 -all"]] * 2
    assert ask("shop.net", "MX") == ["10 mx.net."]
    assert asked == ["gone.net", "net", "shop.net", "shop.net"]


def test_a_server_that_sees_only_its_own_network_knows_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    from dns import resolver

    def refuse(_name: str, _kind: str, **_: object) -> None:
        raise resolver.NXDOMAIN

    monkeypatch.setattr(resolver, "resolve", refuse)
    findings = check_identity(SHOP, Resolver())
    assert {level for _, level in bad(findings)} == {"warn"}
    assert any("knows nothing of .net" in each.message for each in findings)
