"""DMARC (RFC 9989, before it RFC 7489): what receivers shall do with mail that only claims to be ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from vinculo.errors import Finding
from vinculo.mail.domain.alignment import aligned, organisation
from vinculo.mail.domain.resolver import Ask, Unanswered
from vinculo.mail.domain.tag import tags

_POLICIES = ("none", "quarantine", "reject")
#: Tags of RFC 7489 that RFC 9989 no longer knows.
_GONE = ("pct", "rf", "ri")
_MAILTO = re.compile(r"mailto:[^@\s!,]+@([A-Za-z0-9.-]+)(?:![0-9]+[kmgt]?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A record as it holds for one domain. *place*: where it was found."""

    place: str = ""
    policy: str = "none"
    strict_dkim: bool = False
    strict_spf: bool = False
    reports: tuple[str, ...] = ()


def is_dmarc(record: str) -> bool:
    """Tell whether a TXT record is one of DMARC: its version comes first, and in capitals."""
    return re.match(r"\s*v\s*=\s*DMARC1\s*(?:;|$)", record) is not None


def parse_dmarc(record: str, place: str = "", *, parent: bool = False) -> tuple[Dmarc, list[str]]:
    """Read *record*, and say what is wrong with it. *parent*: it was found above the domain, so `sp` holds."""
    found, syntax = tags(record)
    wrong = [syntax, *_wrong_values(found)] if syntax else [*_wrong_values(found)]
    policy = found.get("sp" if parent and "sp" in found else "p", "none").lower()
    reports = tuple(_addresses(found.get("rua", "")))
    strict = [found.get(name, "r").lower() == "s" for name in ("adkim", "aspf")]
    return Dmarc(place, policy if policy in _POLICIES else "none", strict[0], strict[1], reports), wrong


def _wrong_values(found: dict[str, str]) -> Iterator[str]:
    for name, known in (
        *((name, _POLICIES) for name in ("p", "sp", "np")),
        ("adkim", ("r", "s")),
        ("aspf", ("r", "s")),
    ):
        if found.get(name, known[0]).lower() not in known:
            yield f"`{name}={found[name]}` is none of {', '.join(known)}"
    for name in ("rua", "ruf"):
        yield from (
            f"`{name}={one}` is no `mailto:` address"
            for one in _addresses(found.get(name, ""))
            if not _MAILTO.fullmatch(one)
        )


def _addresses(value: str) -> list[str]:
    return [one.strip() for one in value.split(",") if one.strip()]


def find_dmarc(domain: str, ask: Ask) -> tuple[str, list[str]]:
    """Return where the record that holds for *domain* is, and the records there. Raises `Unanswered`."""
    for name in dict.fromkeys((domain, organisation(domain))):
        records = [record for record in ask(f"_dmarc.{name}", "TXT") if is_dmarc(record)]
        if records:
            return f"_dmarc.{name}", records
    return f"_dmarc.{organisation(domain)}", []


def check_dmarc(domain: str, ask: Ask) -> tuple[Dmarc, list[Finding]]:
    """Check the record that holds for *domain*, that of From. Raises `Unanswered`."""
    place, records = find_dmarc(domain, ask)
    if len(records) != 1:
        return Dmarc(), [_none_or_many(place, len(records))]
    found, wrong = parse_dmarc(records[0], place, parent=place != f"_dmarc.{domain}")
    findings = [
        Finding("wrong", "DMARC", f"the record at {place}: {words}", "Mend it: receivers may drop all of it.")
        for words in wrong
    ]
    findings += _advice(records[0], found)
    findings += [one for report in found.reports for one in _outside(domain, report, ask)]
    if not findings:
        findings.append(Finding("ok", "DMARC", f"the record at {place} says p={found.policy}"))
    return found, findings


def _none_or_many(place: str, number: int) -> Finding:
    if number:
        words = f"there are {number} DMARC records at {place}: receivers then take none"
        return Finding("wrong", "DMARC", words, "Leave one.")
    words = f"there is no DMARC record at {place}: the large receivers refuse newsletters without"
    remedy = f'Publish a TXT record at {place}: "v=DMARC1; p=none; rua=mailto:<where reports shall go>".'
    return Finding("wrong", "DMARC", words, remedy)


def _advice(record: str, found: Dmarc) -> Iterator[Finding]:
    present, _ = tags(record)
    if "p" not in present:
        words = f"the record at {found.place} has no `p=`: receivers read p=none, some read nothing"
        yield Finding("warn", "DMARC", words, "Write `p=` after `v=DMARC1`.")
    elif list(present).index("p") != 1:
        words = f"in the record at {found.place} `p=` does not follow `v=DMARC1`; receivers of before 2026 want that"
        yield Finding("warn", "DMARC", words, "Move it there.")
    if not found.reports:
        words = f"the record at {found.place} names nobody for reports: you do not hear who sends in your name"
        yield Finding("warn", "DMARC", words, "Add `rua=mailto:<address>`.")
    if present.get("t", "n").lower() == "y" or present.get("pct", "100") != "100":
        words = f"the record at {found.place} is only tried out (`t=y` or `pct=`): p={found.policy} does not hold"
        yield Finding("warn", "DMARC", words, "Take it out when the reports are clean.")
    elif old := [name for name in _GONE if name in present]:
        words = f"the record at {found.place} has `{old[0]}=`, which RFC 9989 took out of DMARC"
        yield Finding("warn", "DMARC", words, "Take it out.")


def _outside(domain: str, report: str, ask: Ask) -> Iterator[Finding]:
    """Reports to another organisation are sent only if that one agrees (RFC 9990 §4, RFC 7489 §7.1)."""
    target = _MAILTO.fullmatch(report)
    if target is None or aligned(domain, target[1]):
        return
    place = f"{domain}._report._dmarc.{target[1]}"
    try:
        agreed = any(is_dmarc(record) for record in ask(place, "TXT"))
    except Unanswered:
        return
    if not agreed:
        words = f"reports for {domain} shall go to {target[1]}, which does not say that it takes them"
        yield Finding("warn", "DMARC", words, f'There must be a TXT record "v=DMARC1" at {place}.')
