"""An SPF record is judged as a receiver does: its syntax, its look-ups through every include, its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vinculo.errors import Finding
from vinculo.mail.domain import Ask
from vinculo.mail.domain.spf import MOST_LOOKUPS, check_spf, is_spf, parse_spf

Zone = Callable[..., Ask]


def judged(ask: Ask) -> list[Finding]:
    return list(check_spf("shop.net", ask))


def levels(findings: list[Finding]) -> list[str]:
    return [each.level for each in findings]


@pytest.mark.parametrize(
    ("record", "holds"),
    [
        ("v=spf1 -all", True),
        ("v=spf1", True),
        ("V=SPF1 -all", True),
        ("v=spf10 -all", False),
        ("spf2.0/pra -all", False),
        (" v=spf1 -all", False),
        ("google-site-verification=x", False),
    ],
)
def test_only_records_of_version_1_count(record: str, holds: bool) -> None:
    assert is_spf(record) is holds


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 -all",
        "v=spf1 a mx ip4:192.0.2.0/24 ip6:2001:db8::/32 include:_spf.mail.net ~all",
        "v=spf1 a:mail.shop.net/24 mx/24//64 exists:%{i}._spf.shop.net ?all",
        "v=spf1 redirect=_spf.mail.net",
        "v=spf1 mx exp=why.shop.net x-new=anything -all",
        "v=spf1  +a   -ALL ",
    ],
)
def test_a_good_record_is_read(record: str) -> None:
    assert parse_spf(record)[1] == ""


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("v=spf1 ipv4:192.0.2.1 -all", "ipv4:192.0.2.1"),
        ("v=spf1 ip4:192.0.2.300 -all", "no address"),
        ("v=spf1 ip4:2001:db8::1 -all", "IPv4"),
        ("v=spf1 ip6:192.0.2.1 -all", "IPv6"),
        ("v=spf1 ip4=192.0.2.1 include -all", "include"),
        ("v=spf1 include: -all", "write `include:`"),
        ("v=spf1 -all:x", "takes no value"),
        ("v=spf1 include:a b;c -all", "b;c"),
        ("v=spf1 include:exa§mple.net -all", "no domain"),
        ("v=spf1 redirect=a.net redirect=b.net", "twice"),
        ("v=spf1 - all", "`-`"),
    ],
)
def test_a_broken_record_is_named(zone: Zone, record: str, says: str) -> None:
    (finding,) = judged(zone({"shop.net TXT": record}))
    assert finding.level == "wrong"
    assert says in finding.message
    assert finding.remedy


def test_none_and_several_are_told(zone: Zone) -> None:
    (none,) = judged(zone({"shop.net TXT": ["other"]}))
    assert (none.level, "no SPF record" in none.message, "v=spf1" in none.remedy) == ("wrong", True, True)
    (many,) = judged(zone({"shop.net TXT": ["v=spf1 -all", "v=spf1 mx -all"]}))
    assert (many.level, "2 SPF records" in many.message) == ("wrong", True)


def test_a_record_that_holds_is_well(zone: Zone) -> None:
    ask = zone(
        {
            "shop.net TXT": "v=spf1 include:mail.net mx -all",
            "shop.net MX": "10 mx.shop.net",
            "mail.net TXT": "v=spf1 ip4:192.0.2.1 -all",
        }
    )
    (finding,) = judged(ask)
    assert finding == Finding("ok", "SPF", "shop.net has a record, with 2 look-ups")


@pytest.mark.parametrize(("end", "level"), [("+all", "wrong"), ("all", "wrong"), ("?all", "warn"), ("", "warn")])
def test_an_end_that_refuses_nobody_is_told(zone: Zone, end: str, level: str) -> None:
    (finding,) = judged(zone({"shop.net TXT": f"v=spf1 ip4:192.0.2.1 {end}"}))
    assert finding.level == level
    assert "-all" in finding.remedy


def _chain(includes: int) -> dict[str, str]:
    """shop.net includes *includes* names through a tree: each but the last holds a mechanism more."""
    names = " ".join(f"include:s{number}.net" for number in range(includes))
    return {"shop.net TXT": f"v=spf1 {names} -all"} | {
        f"s{n}.net TXT": "v=spf1 ip4:192.0.2.1 -all" for n in range(includes)
    }


@pytest.mark.parametrize(("number", "level"), [(8, "ok"), (9, "warn"), (10, "warn"), (11, "wrong")])
def test_look_ups_are_counted_up_to_ten(zone: Zone, number: int, level: str) -> None:
    (finding,) = judged(zone(_chain(number)))
    assert finding.level == level
    assert f"{number} look-ups" in finding.message


def test_look_ups_are_counted_through_includes_and_redirects(zone: Zone) -> None:
    ask = zone(
        {
            "shop.net TXT": "v=spf1 include:one.net include:two.net redirect=three.net",  # 3
            "one.net TXT": "v=spf1 a:x.one.net mx:one.net ip4:192.0.2.1 ?all",  # 2
            "x.one.net A": "192.0.2.1",
            "one.net MX": "10 mx.one.net",
            "two.net TXT": "v=spf1 include:deep.net exists:%{i}.two.net ~all",  # 2
            "deep.net TXT": "v=spf1 a ptr -all",  # 2
            "deep.net A": "192.0.2.1",
            "three.net TXT": "v=spf1 mx -all redirect=never.net",  # 1: beside `all` a redirect is not followed
            "three.net MX": "10 mx.three.net",
        }
    )
    assert [each.message for each in judged(ask)] == ["the record of shop.net needs 10 look-ups of 10"]


def test_a_record_that_includes_itself_ends(zone: Zone) -> None:
    findings = judged(zone({"shop.net TXT": "v=spf1 include:a.net -all", "a.net TXT": "v=spf1 include:shop.net -all"}))
    assert levels(findings) == ["wrong"]
    assert "never ends" in findings[0].message


def test_a_record_that_doubles_at_each_step_ends(zone: Zone) -> None:
    records = {f"s{n}.net TXT": f"v=spf1 include:s{n + 1}.net include:s{n + 1}.net -all" for n in range(30)}
    asked: list[str] = []
    ask = zone(records | {"shop.net TXT": "v=spf1 include:s0.net -all"})

    def counting(name: str, kind: str) -> list[str]:
        asked.append(name)
        return ask(name, kind)

    findings = list(check_spf("shop.net", counting))
    assert any(f"{MOST_LOOKUPS} is the most" in each.message for each in findings)
    assert len(asked) < 40


@pytest.mark.parametrize(
    ("included", "says"),
    [([], "no SPF record"), (["v=spf1 -all", "v=spf1 -all"], "2 SPF records"), ("v=spf1 nonsense:x -all", "broken")],
)
def test_an_include_that_breaks_the_whole_is_named(zone: Zone, included: str | list[str], says: str) -> None:
    findings = judged(zone({"shop.net TXT": "v=spf1 include:gone.net -all", "gone.net TXT": included}))
    assert findings[0].level == "wrong"
    assert "gone.net" in findings[0].message
    assert says in findings[0].message


def test_look_ups_that_find_nothing_are_counted(zone: Zone) -> None:
    findings = judged(zone({"shop.net TXT": "v=spf1 a:x.net a:y.net mx:z.net -all"}))
    assert levels(findings) == ["wrong"]
    assert "3 look-ups" in findings[0].message


def test_what_no_longer_helps_is_told(zone: Zone) -> None:
    findings = judged(zone({"shop.net TXT": "v=spf1 ptr -all ip4:192.0.2.1"}))
    assert levels(findings) == ["warn", "warn"]


def test_an_include_that_does_not_answer_is_no_fault_of_the_record(zone: Zone) -> None:
    findings = judged(zone({"shop.net TXT": "v=spf1 include:slow.net -all", "slow.net TXT": None}))
    assert levels(findings) == ["warn"]
    assert "could not be asked" in findings[0].message
