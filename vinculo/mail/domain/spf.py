"""SPF (RFC 7208): who may send with our return path. What can be seen of a record without sending from anywhere."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from vinculo.errors import Finding
from vinculo.mail.domain.resolver import Ask, Unanswered

#: RFC 7208 §4.6.4: more look-ups, or more of them that find nothing, and the record counts as broken.
MOST_LOOKUPS, MOST_VOID = 10, 2
_NEAR = 9
_TERM = re.compile(r"([+?~-]?)([a-z][a-z0-9._-]*)(?:([:=/])(.*))?", re.IGNORECASE | re.DOTALL)
_MECHANISMS = {"all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists"}
_ASKING = {"include", "a", "mx", "ptr", "exists"}
_NEED_VALUE = {"include", "ip4", "ip6", "exists"}
_DOMAIN = re.compile(r"[A-Za-z0-9_%{}.+,/=-]+\.?")


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism or modifier: `-all`, `include:spf.example`, `redirect=_spf.example`."""

    qualifier: str
    name: str
    value: str = ""


def is_spf(record: str) -> bool:
    """Tell whether a TXT record is one of SPF: its version ends with a blank or the record does (§4.5)."""
    return re.match(r"v=spf1(?: |$)", record, re.IGNORECASE) is not None


def parse_spf(record: str) -> tuple[list[Term], str]:
    """Return the terms of *record*, and what is wrong with its syntax ("" when nothing is)."""
    terms: list[Term] = []
    for word in record.split()[1:]:
        found = _TERM.fullmatch(word)
        if found is None:
            return terms, f"`{word[:60]}` is no mechanism"
        qualifier, name, separator, value = (piece or "" for piece in found.groups())
        name = name.lower()
        wrong = "" if separator == "=" else _wrong(name, separator, value)
        if wrong:
            return terms, f"`{word[:60]}`: {wrong}"
        terms.append(Term(qualifier or "+", name, value if separator != "/" else f"/{value}"))
    names = [term.name for term in terms]
    twice = [name for name in ("redirect", "exp") if names.count(name) > 1]
    return terms, f"`{twice[0]}` stands twice" if twice else ""


def _wrong(name: str, separator: str, value: str) -> str:
    """Say what is wrong with a mechanism."""
    if name not in _MECHANISMS:
        return "no such mechanism"
    if name in _NEED_VALUE and (separator != ":" or not value):
        return f"write `{name}:` and a value"
    if name == "all" and separator:
        return "`all` takes no value"
    if name in ("ip4", "ip6"):
        return _wrong_network(value, 4 if name == "ip4" else 6)
    if separator == ":" and not _DOMAIN.fullmatch(value):
        return "no domain name"
    return ""


def _wrong_network(value: str, version: int) -> str:
    try:
        found = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return "no address"
    return "" if found.version == version else f"no address of IPv{version}"


# ── with the name system ─────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class _Count:
    """What a receiver would have to ask, and what stands in its way."""

    lookups: int = 0
    void: int = 0
    broken: list[str] = field(default_factory=list)
    unasked: list[str] = field(default_factory=list)


def check_spf(domain: str, ask: Ask) -> Iterator[Finding]:
    """Check the record of *domain*, the one of the return path. Raises `Unanswered`."""
    records = [record for record in ask(domain, "TXT") if is_spf(record)]
    if len(records) != 1:
        yield _none_or_many(domain, len(records))
        return
    terms, wrong = parse_spf(records[0])
    if wrong:
        yield Finding("wrong", "SPF", f"the record of {domain} is broken: {wrong}", "Until it is mended none holds.")
        return
    count = _Count()
    _walk(domain, terms, ask, count, (domain,))
    findings = [*_of_count(domain, count), *_of_terms(domain, terms)]
    yield from findings
    if not any(found.level != "ok" for found in findings):
        yield Finding("ok", "SPF", f"{domain} has a record, with {_lookups(count.lookups)}")


def _none_or_many(domain: str, number: int) -> Finding:
    if number:
        words = f"{domain} has {number} SPF records: receivers then take none"
        return Finding("wrong", "SPF", words, "Make one of them, with the mechanisms of all.")
    words = f"{domain}, the domain of the return path, has no SPF record"
    remedy = f'Publish a TXT record at {domain}: "v=spf1 include:<what your mail provider names> -all".'
    return Finding("wrong", "SPF", words, remedy)


def _of_count(domain: str, count: _Count) -> Iterator[Finding]:
    for words in dict.fromkeys(count.broken):
        yield Finding("wrong", "SPF", words, "Receivers then take the whole record for broken: take that part out.")
    if count.lookups > MOST_LOOKUPS:
        words = f"the record of {domain} needs {_lookups(count.lookups)}; {MOST_LOOKUPS} is the most (RFC 7208)"
        yield Finding("wrong", "SPF", words, "Take out includes that no longer send, or name networks (ip4:, ip6:).")
    elif count.lookups >= _NEAR:
        words = f"the record of {domain} needs {_lookups(count.lookups)} of {MOST_LOOKUPS}"
        yield Finding("warn", "SPF", words, "Take out includes that no longer send before one more comes in.")
    if count.void > MOST_VOID:
        words = f"{count.void} look-ups of the record of {domain} find nothing; {MOST_VOID} is the most"
        yield Finding("wrong", "SPF", words, "Take out the names that are no more.")
    for name in dict.fromkeys(count.unasked):
        yield Finding("warn", "SPF", f"{name}, which is included, could not be asked", "Ask again later.")


def _of_terms(domain: str, terms: list[Term]) -> Iterator[Finding]:
    last = next((term for term in terms if term.name == "all"), None)
    redirected = any(term.name == "redirect" for term in terms)
    if last is None and not redirected:
        words = f"the record of {domain} does not end in `-all` or `~all`: who is not named is not refused"
        yield Finding("warn", "SPF", words, "End it with `-all`, or with `~all` while you try it.")
    elif last and last.qualifier == "+":
        words = f"the record of {domain} says `+all`: anybody may send in your name"
        yield Finding("wrong", "SPF", words, "End it with `-all`.")
    elif last and last.qualifier == "?":
        words = f"the record of {domain} says `?all`, which says nothing of who is not named"
        yield Finding("warn", "SPF", words, "End it with `-all`, or with `~all` while you try it.")
    if any(term.name == "ptr" for term in terms):
        words = f"the record of {domain} has `ptr`, which many receivers do not look at (RFC 7208 §5.5)"
        yield Finding("warn", "SPF", words, "Name the networks instead (ip4:, ip6:).")
    if last and any(term.name in _MECHANISMS for term in terms[terms.index(last) + 1 :]):
        words = f"the record of {domain} goes on after `all`: what stands there is never read"
        yield Finding("warn", "SPF", words, "Put `all` last.")


def _walk(domain: str, terms: list[Term], ask: Ask, count: _Count, path: tuple[str, ...]) -> None:
    """Count the look-ups of *terms*, and of what they include, up to a little above the most."""
    has_all = any(term.name == "all" for term in terms)
    for term in terms:
        follow = term.name == "include" or (term.name == "redirect" and not has_all)
        if term.name not in _ASKING and not follow:
            continue
        count.lookups += 1
        if count.lookups > 2 * MOST_LOOKUPS:
            return
        if "%" in term.value:  # a macro: only a message could tell which name it is
            continue
        if follow:
            _follow(term.value, ask, count, path)
        elif term.name in ("a", "mx"):
            _resolve(domain, term, ask, count)


def _resolve(domain: str, term: Term, ask: Ask, count: _Count) -> None:
    name = term.value.partition("/")[0] or domain
    try:
        found = ask(name, "MX") if term.name == "mx" else ask(name, "A") or ask(name, "AAAA")
    except Unanswered:
        count.unasked.append(name)
        return
    count.void += not found
    if term.name == "mx" and len(found) > MOST_LOOKUPS:
        count.broken.append(f"{name} has {len(found)} mail servers; `mx` takes {MOST_LOOKUPS} at most")


def _follow(name: str, ask: Ask, count: _Count, path: tuple[str, ...]) -> None:
    name = name.lower().rstrip(".")
    if name in path:
        count.broken.append(f"{' includes '.join([*path, name])}: that never ends")
        return
    try:
        texts = ask(name, "TXT")
    except Unanswered:
        count.unasked.append(name)
        return
    records = [record for record in texts if is_spf(record)]
    count.void += not texts
    if len(records) != 1:
        number = f"{len(records)} SPF records" if records else "no SPF record"
        count.broken.append(f"{path[-1]} includes {name}, which has {number}")
        return
    terms, wrong = parse_spf(records[0])
    if wrong:
        count.broken.append(f"{path[-1]} includes {name}, whose record is broken: {wrong}")
        return
    _walk(name, terms, ask, count, (*path, name))


def _lookups(number: int) -> str:
    return f"{number} look-up{'' if number == 1 else 's'}"
