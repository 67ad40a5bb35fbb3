"""Bounces: delivery reports by the book (RFC 3464), and the dialects of servers that have not read it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vinculo.inbox.parse import Part
from vinculo.inbox.words import HARD, command_in, is_hard, reason_of, status_in

ADDRESS = re.compile(
    r"(?:[\w.!#$%&'*+/=?^`{|}~-]{1,64}|\"[^\"@\\\s]{1,62}\")@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
)
_SENDERS = re.compile(
    r"mailer-?daemon|postmaster|mail (delivery|administrator)|mdaemon|maild|undeliver"
    r"|returned mail|bounce|system administrator",
    re.IGNORECASE,
)
_SUBJECTS = re.compile(
    r"undeliver|non[- ]?delivera?|deliver\w*.{0,20}(fail|status|problem|error|notif|delay"
    r"|report|warning)|mail failed|return(ed)? (mail|to sender|message)|failure notice"
    r"|fail(ed|ure).{0,12}(deliver|mail)|delayed mail|could not be delivered"
    r"|mail (system error|error|failure)|message (not|delayed|undeliv)"
    r"|unable to deliver|warning: (message|could)|bounce|n[aã]o (foi )?entreg"
    r"|mensagem devolvida|no se (pudo|ha podido) entregar|devuelto|nondeliverable",
    re.IGNORECASE,
)
#: What a server says of a message that it could not deliver, and people do not.
_FAILED = re.compile(
    r"(?:could not be|was not|cannot be|unable to be) delivered to|did not reach the following recipient"
    r"|(?:permanent|transient|fatal) (?:fatal )?(?:delivery )?errors?\b"
    r"|following address(?:es)? (?:had|failed|rejected)|no valid recipients|has been postponed"
    r"|returned permanent errors|failed recipients|returned because|was (?:automatically )?rejected:"
    r"|delivery (?:to the following|has failed|failed)|(?:failed|unable|trouble) (?:to )?deliver"
    r"|\b5\d\d[ -](?:5\.\d\.\d|.{0,40}(?:unknown|no such|not found|mailbox|relay))"
    r"|n[aã]o (?:foi poss[ií]vel|p[oô]de ser) entreg|no se (?:pudo|ha podido) entregar",
    re.IGNORECASE,
)
#: Words so plain that they need no other sign.
_YOURS = re.compile(
    r"^[^>\n]{0,40}\byour (?:e-?mail|mail|message)\b[^\n]{0,80}\n?.{0,80}(?:could not|cannot) be delivered to",
    re.IGNORECASE | re.MULTILINE,
)
#: Where the report ends and the message that came back begins.
_ORIGINAL = re.compile(
    r"^[ \t>]*(?:-{2,}.{0,40}(?:copy of|original message|returned message|message header"
    r"|unsent message|below this line|undelivered message)"
    r"|(?:The )?(?:header|original message|message header|text|body|copy|first \d+ lines).{0,40}follow"
    r"|Received: (?:from|by) |Return-Path: |----- ?(?:Original|Unsent|Returned|Message header)"
    r"|Message headers follow|Your (?:original )?message (?:reads|headers)"
    r"|\*{2,}.{0,20}original|Content-Type: message/rfc822)",
    re.IGNORECASE | re.MULTILINE,
)
#: Words that introduce the recipient within a line.
_LED = re.compile(
    r"\b(?:to|recipients?|address(?:es)?|user|rcpt|for|mailbox|destinat[aá]rio"
    r"|following|errors?)\b[\s:=]{1,9}(?:was\s+)?[<'\"\[(]*(?:smtp:|rfc822;)?\s*(" + ADDRESS.pattern + ")",
    re.IGNORECASE,
)
#: Variable envelope return paths: RFC 5321 leaves the local part to its owner, ezmlm and mailman write it so.
_WRAPPED = re.compile(r"bounces?[+-](?:[\w.]+[+-])??([^\s@=+<>]{1,64})=([A-Za-z0-9.-]{3,255})@")
#: A line of words that goes on in the next one.
_SENTENCE = re.compile(r"[ \t]*[A-Za-z][^@<>\d\n]*[a-z]+[ ,.]+[a-z]+,?[ \t]*")
#: A line that repeats the header of the message, and says nothing of who did not get it.
_HEADER = re.compile(r"[ \t>*-]*(?:To|From|Cc|Reply-To|Sender):", re.IGNORECASE)
_LONGEST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a report says of one recipient. *action*: failed, delayed, delivered, relayed or expanded."""

    address: str
    action: str
    status: str = ""
    reason: str = ""
    hard: bool = False
    diagnostic: str = ""
    #: The address as we wrote it, where a forwarder has changed it.
    original: str = ""


def looks_like_bounce(mail: Part, text: str) -> bool:
    """Tell whether *mail*, whose report says *text*, comes from a mail server and speaks of a failure.

    Two of these must say so: who sent it, its subject, its own words, and a message that came back within it.
    """
    if "x-failed-recipients" in mail.headers:
        return True
    sender, text = mail.get("from"), text[:3000]
    daemon = bool(_SENDERS.search(sender))
    empty = mail.get("return-path").strip() == "<>" or not ADDRESS.search(sender)
    returned = any(part.parts and part.type.startswith(("message/", "text/rfc822")) for part in mail.walk())
    subject, words = bool(_SUBJECTS.search(mail.get("subject"))), bool(_FAILED.search(text))
    return (daemon or empty) + subject + words >= 2 or (daemon and returned) or bool(_YOURS.search(text[:600]))


def recipients(mail: Part) -> list[Recipient]:
    """Return the recipients of a delivery report, else of a bounce in another form."""
    text = report_text(mail)
    found = [each for part in mail.own() if part.type.endswith("/delivery-status") for each in _report(part.text, text)]
    if not found and looks_like_bounce(mail, text):
        found = _dialect(mail, text) or _verp(mail, text) or list(_flufl(mail, text)) or _came_back(mail, text)
    found = [each for each in found if not each.address.partition("@")[0].endswith("...")]  # shortened by somebody
    return list({(each.address.lower(), each.action): each for each in reversed(found)}.values())[::-1]


_SOFT_ACTIONS = ("delayed", "delivered", "relayed", "expanded")


# ── RFC 3464 ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _report(text: str, told: str) -> Iterator[Recipient]:
    """Read the groups of fields of a delivery-status part; the first is about the message. *told*: for people."""
    for group in re.split(r"\n[ \t]*\n", text[:_LONGEST]):
        fields = _fields(group)
        final, original = (_address(fields.get(name, "")) for name in ("final-recipient", "original-recipient"))
        if not (final or original):
            continue
        status = status_in(fields.get("status", "")) or status_in(fields.get("diagnostic-code", ""))
        action = re.sub(r"[^a-z].*", "", fields.get("action", "").strip().lower())
        action = action if action in _SOFT_ACTIONS else "failed"  # some write `failure`, or `error`
        words = fields.get("diagnostic-code", "") or _about(told, final or original, ())
        yield _recipient(final or original, action, status, words, original=original, command=command_in(told))


def _fields(group: str) -> dict[str, str]:
    unfolded = re.sub(r"\n[ \t]+", " ", group)
    pairs = (line.partition(":") for line in unfolded.split("\n"))
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}


def _address(value: str) -> str:
    """Read `rfc822; user@host`, also with xtext (RFC 3461 §4) and angle brackets."""
    value = value.partition(";")[2] or value
    value = re.sub(r"\+([0-9A-F]{2})", lambda hexed: chr(int(hexed[1], 16)), value) if "+40" in value else value
    found = ADDRESS.search(value)
    return found[0].strip("'") if found else ""


def _recipient(
    address: str, action: str, status: str, words: str, *, original: str = "", command: str = ""
) -> Recipient:
    reason = "" if action in _SOFT_ACTIONS[1:] else reason_of(status, words)
    hard = action == "failed" and is_hard(status, reason, words, command_in(words) or command)
    return Recipient(address, action, status, reason, hard, re.sub(r"\s+", " ", words)[:500], original)


# ── dialects ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _dialect(mail: Part, text: str) -> list[Recipient]:
    """Read `X-Failed-Recipients` and the addresses that the text of the report sets apart."""
    delayed = re.search(
        r"\bdelay|still being retried|will (retry|be retried|keep trying)|warning", mail.get("subject"), re.IGNORECASE
    ) or re.search(r"attempts will continue|has been postponed|will continue to try", text[:2000])
    named = ADDRESS.findall(mail.get("x-failed-recipients"))
    ours = _ours(mail)
    found = named or [address for address in _set_apart(text) if address.lower() not in ours]
    told = {address: _about(text, address, found) for address in dict.fromkeys(found)}
    return [
        # A "warning" that there is no such user is the end of it.
        _recipient(
            address,
            "delayed" if delayed and reason_of(status_in(words), words) not in HARD else "failed",
            status_in(words),
            words,
            command=command_in(text),
        )
        for address, words in told.items()
    ]


def report_text(mail: Part) -> str:
    """Return the text of the report without the message that came back."""
    texts = (part.text for part in mail.own() if part.type == "text/plain")
    text = next((text for text in texts if text.strip()), mail.text)[:_LONGEST]
    end = _ORIGINAL.search(text)
    return text[: end.start()] if end and end.start() > 0 else text


def _set_apart(text: str) -> Iterator[str]:
    """Yield the addresses that begin a line, or that follow words which introduce the recipient."""
    lines = text.split("\n")
    for before, line in zip(["", *lines], lines, strict=False):
        if _HEADER.match(line):
            continue
        runs_on = _SENTENCE.fullmatch(before)  # the address stands in a sentence that began on the line before
        start = re.sub(r"^\d{3}[ -](?:\d\.\d\.\d )?", "", line.strip(" \t*<>|'")).lstrip("<")
        if start[:1] == start[-1:] == '"':
            start = start.strip('"')
        begins = ADDRESS.match(start)
        if begins:
            if not runs_on:
                yield begins[0].rstrip(".")
            continue
        led = _LED.search(line)
        if led:
            yield led[1].rstrip(".")


def _about(text: str, address: str, others: Iterable[str]) -> str:
    """Return what the report says after it names *address*, until it names another one."""
    start = text.find(address)
    if start < 0:
        return text[:1000]
    ends = [text.find(other, start + len(address)) for other in others if other != address]
    end = min((place for place in ends if place > 0), default=start + 1500)
    said = text[start + len(address) : min(end, start + 1500)]
    return said if said.strip(" \n<>:") else text[:1000]


def _verp(mail: Part, text: str) -> list[Recipient]:
    """Read the recipient out of the address that the bounce was sent to: list-bounces+user=host@list.example."""
    values = (value for name in ("to", "delivered-to", "x-original-to") for value in mail.all(name))
    found = dict.fromkeys(f"{local}@{host}" for value in values for local, host in _WRAPPED.findall(value))
    words = text[:1000]
    return [_recipient(address, "failed", status_in(words), words) for address in found if ADDRESS.fullmatch(address)]


def _came_back(mail: Part, text: str) -> list[Recipient]:
    """Take the recipient of the message that came back, if it had but one."""
    texts = [part.get("to") for part in mail.walk() if part is not mail and "to" in part.headers]
    texts += re.findall(r"^[ \t>]*To:[ \t]*(\S.{0,300})$", mail.text[:_LONGEST], re.IGNORECASE | re.MULTILINE)
    domains = {address.rpartition("@")[2] for address in _ours(mail)}  # a list's own address is no recipient
    found = {each for text in texts for each in ADDRESS.findall(text) if each.rpartition("@")[2].lower() not in domains}
    words = text[:1000]
    return [_recipient(address, "failed", status_in(words), words) for address in found] if len(found) == 1 else []


def _ours(mail: Part) -> set[str]:
    values = (mail.get(name) for name in ("to", "from", "delivered-to"))
    return {address.lower() for value in values for address in ADDRESS.findall(value)}


def _flufl(mail: Part, text: str) -> Iterator[Recipient]:
    """Ask flufl.bounce, which knows the dialects of the last thirty years."""
    from email import message_from_string

    from flufl.bounce import all_failures

    headers = "".join(f"{name}: {value}\n" for name, values in mail.headers.items() for value in values)
    raw = (
        headers.encode("utf-8", "replace").decode("ascii", "replace")
        + "\n"
        + mail.body[: _LONGEST // 2].decode("latin-1")
    )
    temporary, permanent = all_failures(message_from_string(raw))
    for address in sorted(temporary | permanent):
        name = address.decode("latin-1")
        words = _about(text, name, ())
        yield _recipient(name, "failed" if address in permanent else "delayed", status_in(words), words)
