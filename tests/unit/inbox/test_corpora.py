"""Measured on mails that nobody here wrote. What is asserted is a floor; the figures are printed with `-s`."""

import json
from typing import Any

from tests.unit.inbox.letters import CORPORA, with_corpora
from vinculo.inbox import classify
from vinculo.inbox.reply import reply_text

pytestmark = with_corpora


def _gold(name: str) -> dict[str, Any]:
    return json.loads((CORPORA / name).read_text())


def _measured(text: str) -> None:
    print(text)  # noqa: T201 - shown with `pytest -s`


def test_bounces_of_sisimai() -> None:
    found = wanted = extra = agree = hardened = soft = 0
    for name, gold in _gold("bounces/sisimai-recipients.json").items():
        file = CORPORA / "bounces" / "sisimai" / f"{name}.eml"
        if name.startswith(("arf-", "rfc3834-")) or not file.exists():
            continue
        want = {entry["recipient"].lower(): entry["hard"] for entry in gold}
        got = {}
        for each in classify(file.read_bytes()).recipients:
            address = each.original if each.original.lower() in want else each.address
            got[address.lower()] = each.hard
        both = want.keys() & got.keys()
        wanted, found, extra = wanted + len(want), found + len(both), extra + len(got.keys() - want.keys())
        soft += sum(not want[address] for address in both)
        agree += sum(want[address] == got[address] for address in both)
        hardened += sum(got[address] and not want[address] for address in both)
    _measured(
        f"sisimai: {found} of {wanted} recipients, {extra} extra; hard or soft right {agree}, soft called hard {hardened}"
    )
    assert found >= 0.95 * wanted
    assert extra <= 6
    assert agree >= 0.92 * found
    assert hardened <= 0.02 * soft


def test_bounces_that_call_themselves_automatic_are_bounces() -> None:
    bounces = automatic = 0
    for name in _gold("bounces/sisimai-recipients.json"):
        file = CORPORA / "bounces" / "sisimai" / f"{name}.eml"
        if name.startswith(("arf-", "rfc3834-")) or not file.exists() or b"auto-replied" not in file.read_bytes():
            continue
        automatic += 1
        bounces += classify(file.read_bytes()).kind == "bounce"
    _measured(f"sisimai: {bounces} of {automatic} bounces that also say auto-replied")
    assert bounces == automatic > 100


def test_complaints_of_sisimai() -> None:
    kinds = {file.stem: classify(file.read_bytes()).kind for file in (CORPORA / "bounces/sisimai").glob("arf-*")}
    assert kinds.pop("arf-26") == "unsubscribe"  # Apple Mail's unsubscription, which is no report
    assert set(kinds.values()) == {"complaint"}


def test_bounces_of_flufl() -> None:
    found = wanted = extra = exact = 0
    for name, gold in _gold("bounces/flufl-expected.json").items():
        mail = classify((CORPORA / "bounces" / "flufl" / name).read_bytes())
        final, passing = ({address.lower() for address in gold[kind]} for kind in ("permanent", "temporary"))
        got: dict[str, set[str]] = {"failed": set(), "delayed": set()}
        for each in mail.recipients:
            wrote = each.original.lower()  # gold names now what we wrote, now where it was forwarded to
            got[each.action].add(wrote if wrote in final | passing else each.address.lower())
        all_got, want = got["failed"] | got["delayed"], final | passing
        found, wanted, extra = found + len(all_got & want), wanted + len(want), extra + len(all_got - want)
        exact += got["failed"] == final and got["delayed"] == passing
    _measured(f"flufl: {found} of {wanted} addresses, {extra} extra; {exact} mails exact")
    assert found >= 131
    assert extra <= 1
    assert exact >= 113


def test_no_malformed_mail_raises_or_is_given_up() -> None:
    files = sorted((CORPORA / "bounces" / "malformed").iterdir())
    assert len(files) == 37
    assert "unparsable" not in {classify(file.read_bytes()).kind for file in files}


def test_what_is_no_bounce_is_called_none() -> None:
    for file in sorted((CORPORA / "bounces" / "not-bounces").glob("is-not-bounce-*")):
        assert classify(file.read_bytes()).kind != "bounce", file.name


def test_automatic_answers() -> None:
    files = sorted((CORPORA / "auto-replies").iterdir())
    assert [file.name for file in files if classify(file.read_bytes()).kind != "auto_reply"] == []


def test_reply_text_of_crisp() -> None:
    gold = _gold("replies/crisp-expected.json")
    right = [
        name
        for name, text in gold.items()
        if reply_text((CORPORA / "replies" / "crisp" / f"{name}.txt").read_text()) == text.strip()
    ]
    _measured(f"crisp: {len(right)} of {len(gold)} exact")
    assert len(right) >= 36
