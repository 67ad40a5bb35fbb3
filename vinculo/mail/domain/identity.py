"""In whose name we send, and whether the world can tell: every record of a sender's domains."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from vinculo.errors import Finding
from vinculo.mail.dkim import DkimKey
from vinculo.mail.domain.alignment import aligned, organisation
from vinculo.mail.domain.dmarc import Dmarc, check_dmarc
from vinculo.mail.domain.published import check_dkim
from vinculo.mail.domain.resolver import Ask, Unanswered, is_reserved
from vinculo.mail.domain.spf import check_spf

_AGAIN = "Is there a network, and a name server? Ask again when there is."


@dataclass(frozen=True, slots=True)
class Identity:
    """The domains of From, of the return path and of replies, our keys, and the name we greet servers with."""

    sender: str
    bounce: str
    reply: str
    keys: tuple[DkimKey, ...] = ()
    helo: str = ""


def check_identity(identity: Identity, ask: Ask) -> list[Finding]:
    """Check every record. What cannot be asked is said, and never guessed."""
    if is_reserved(identity.sender):
        words = f"{identity.sender} is a name for examples: its records were not asked for"
        return [
            Finding("warn", "sender domain", words, "Before real mail leaves, set company.sender_email to your own."),
            *_unsigned(identity),
        ]
    dmarc, findings = _dmarc(identity, ask)
    findings += _asked("SPF", partial(check_spf, identity.bounce, ask))
    for key in identity.keys:
        findings += _asked(f"DKIM {key.selector}", partial(check_dkim, key, ask))
    findings += [*_unsigned(identity), *_alignment(identity, dmarc)]
    for domain in dict.fromkeys((identity.bounce, identity.reply, identity.sender)):
        findings += _asked("MX", partial(check_mx, domain, ask, identity))
    if identity.helo:
        findings += _asked("HELO", partial(check_helo, identity.helo, ask))
    return findings


def _asked(check: str, work: Callable[[], Iterable[Finding]]) -> list[Finding]:
    try:
        return list(work())
    except Unanswered as reason:
        return [Finding("warn", check, f"could not be asked: {reason}", _AGAIN)]


def _dmarc(identity: Identity, ask: Ask) -> tuple[Dmarc, list[Finding]]:
    try:
        return check_dmarc(identity.sender, ask)
    except Unanswered as reason:
        return Dmarc(), [Finding("warn", "DMARC", f"could not be asked: {reason}", _AGAIN)]


def _unsigned(identity: Identity) -> Iterator[Finding]:
    if not identity.keys:
        words = "we do not sign (no [dkim] in vinculo.toml): the mail server that we hand over to must"
        yield Finding("warn", "DKIM", words, "Ask its operator, or let us sign: docs/deliverability.md.")


def _alignment(identity: Identity, dmarc: Dmarc) -> Iterator[Finding]:
    """DMARC passes by a signature or a return path of From's own organisation: one is enough, both are better."""
    by_path = aligned(identity.sender, identity.bounce, strict=dmarc.strict_spf)
    strangers = [
        key.domain for key in identity.keys if not aligned(identity.sender, key.domain, strict=dmarc.strict_dkim)
    ]
    for domain in dict.fromkeys(strangers):
        words = f"signatures are of {domain}, From is of {identity.sender}: DMARC does not count them"
        yield Finding("wrong", "alignment", words, f"Set dkim.domain to {organisation(identity.sender)}.")
    if not by_path:
        words = f"bounces go to {identity.bounce}, From is of {identity.sender}: DMARC does not count SPF"
        signed = bool(identity.keys) and not strangers
        remedy = f"Let company.bounce_email be of {organisation(identity.sender)}, if you can."
        yield Finding("warn" if signed else "wrong", "alignment", words, remedy)
    if by_path and not strangers:
        named = "From, return path and signature" if identity.keys else "From and return path"
        yield Finding("ok", "alignment", f"{named} are of {organisation(identity.sender)}")


def check_mx(domain: str, ask: Ask, identity: Identity) -> Iterator[Finding]:
    """Check that mail to *domain* arrives somewhere: replies and bounces must. Raises `Unanswered`."""
    uses = {"bounces": identity.bounce, "replies": identity.reply, "the sender": identity.sender}
    use = " and ".join(name for name, where in uses.items() if where == domain)
    records = sorted(_preferences(ask(domain, "MX")))
    if any(host in ("", ".") for _, host in records):
        words = f"{domain} says that it takes no mail (null MX, RFC 7505), but {use} must be reached there"
        yield Finding("wrong", "MX", words, "Publish the MX of the server that takes it.")
        return
    hosts = [host.rstrip(".") for _, host in records] or [domain]
    dead = [host for host in hosts if _is_address(host) or not (ask(host, "A") or ask(host, "AAAA"))]
    if dead == [domain] and not records:
        words = f"{domain} has neither an MX nor an address: {use} cannot be reached there"
        yield Finding("wrong", "MX", words, "Publish the MX of the server that takes it.")
    elif dead:
        words = f"the MX of {domain} names {dead[0]}, which has no address"
        yield Finding("wrong" if dead == hosts else "warn", "MX", words, "Name a host with an address.")
    elif not records:
        words = f"{domain} has no MX: mail for {use} goes to the machine of that name"
        yield Finding("warn", "MX", words, "Publish an MX if another server takes it.")
    else:
        yield Finding("ok", "MX", f"{use} of {domain} go to {hosts[0]}")


def _preferences(records: Iterable[str]) -> Iterator[tuple[int, str]]:
    for record in records:
        preference, _, host = record.partition(" ")
        yield int(preference) if preference.isdecimal() else 0, host.strip()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def check_helo(name: str, ask: Ask) -> Iterator[Finding]:
    """Check that the name we greet with leads to an address that leads back to it. Raises `Unanswered`."""
    if name.startswith("["):
        return
    addresses = [*ask(name, "A"), *ask(name, "AAAA")]
    if not addresses:
        yield Finding(
            "wrong", "HELO", f"we greet as {name}, which has no address", "Mend `?helo=` in the server's URL."
        )
        return
    back = [
        host.rstrip(".").lower()
        for each in addresses
        for host in ask(ipaddress.ip_address(each).reverse_pointer, "PTR")
    ]
    if name.lower().rstrip(".") in back:
        yield Finding("ok", "HELO", f"{name} and its address lead to each other")
        return
    words = f"we greet as {name}, but its address leads back to {back[0] if back else 'nothing'}"
    yield Finding("warn", "HELO", words, "If we send from that address, let its owner set its PTR to this name.")
