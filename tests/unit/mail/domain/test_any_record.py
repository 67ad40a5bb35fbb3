"""Whatever stands in the name system is judged, and never ends in a traceback."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from vinculo.mail.dkim import DkimKey
from vinculo.mail.domain import Identity, check_identity
from vinculo.mail.domain.dmarc import parse_dmarc
from vinculo.mail.domain.published import check_dkim_record
from vinculo.mail.domain.spf import parse_spf

KEY = DkimKey("shop.net", "e", ed25519.Ed25519PrivateKey.generate())
PIECES = [
    *(
        "v=spf1",
        "v=DMARC1",
        "v=DKIM1",
        " ",
        ";",
        "=",
        ":",
        "-",
        "all",
        "include:shop.net",
        "redirect=x.net",
        "ip4:",
        "p=",
    ),
    *("mx", "%{i}", "rua=mailto:a@b.net", "10 ", "0 .", "k=ed25519", "§", "²", '"', "\x00", "/24", "1.2.3.4"),
]
RECORDS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join) | st.text(max_size=60)


@settings(deadline=None, max_examples=200)
@given(RECORDS)
def test_any_record_is_judged(record: str) -> None:
    parse_spf(f"v=spf1 {record}")
    parse_dmarc(record)
    parse_dmarc(f"v=DMARC1; {record}")
    assert len(list(check_dkim_record(record, KEY))) == 1
    assert len(list(check_dkim_record(f"v=DKIM1; k=ed25519; {record}", KEY))) == 1


@settings(deadline=None, max_examples=100)
@given(st.lists(RECORDS, min_size=1, max_size=3))
def test_any_zone_is_judged(records: list[str]) -> None:
    findings = check_identity(Identity("shop.net", "shop.net", "shop.net", (KEY,)), lambda _name, _kind: records)
    assert all(each.remedy for each in findings if each.level != "ok")
