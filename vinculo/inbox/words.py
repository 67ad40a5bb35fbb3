"""What mail servers say when they give a message back: a reason for their words, and whether it is final.

Hard means: never write to that address again. Only what speaks of the mailbox or its domain is hard; a full mailbox,
a policy, the content, a quota or a network is not, whatever class its status code has (RFC 3463 §3).
"""

from __future__ import annotations

import re

HARD = frozenset({"user_unknown", "host_unknown", "moved", "no_mail"})

#: In this order: the first that matches wins.
_REASONS = [
    # About us, not about the recipient: RFC 3463 §3.2, X.1.7 and X.1.8.
    (
        "sender",
        (
            r"5\.1\.[78]\b|domain of sender|sender address.{0,40}(reject|not exist|verif)"
            r"|after mail from|invalid (ip|domain name)|from: domain"
        ),
    ),
    (
        "authentication",
        r"dmarc|\bspf\b|dkim|unauthenticated|not authenticated|5\.7\.(2[0-9]|509|515)|sender.{0,30}verif",
    ),
    (
        "reverse_name",
        r"\bptr\b|reverse (dns|name|look)|cannot find your (reverse )?hostname|resolve your (host|ip)|no rdns",
    ),
    (
        "mailbox_full",
        (
            r"quota|mailbox.{0,20}full|full mailbox|over.{0,6}quota|mailbox size|\bis full|storage|4\.2\.2|5\.2\.2"
            r"|insufficient (disk|space)|mailfolder is full|excess(ive)? (mail|message)s? in"
        ),
    ),
    (
        "too_big",
        (
            r"too (big|large)|size (exceed|limit)|exceed.{0,30}(size|limit of \d+ ?(bytes|mb|kb))"
            r"|message.{0,10}length|5\.3\.4|5\.2\.3"
        ),
    ),
    ("virus", r"virus|malware|trojan|infected"),
    ("moved", r"has moved|address (has )?changed|no longer (works|with)|5\.1\.6|has been replaced"),
    (
        "no_mail",
        (
            r"null ?mx|no smtp service|no mx record|find a mail exchanger|does not accept (e?-?mail"
            r"|messages)|no mail accepted|5\.1\.10|5\.7\.27|not accept any mail|smtp 521|system not accepting"
        ),
    ),
    (
        "rate",
        (
            r"too many (conn|mess|mail|rec|sess|invalid)|rate.{0,6}limit|throttl|too (fast|much"
            r"|frequent)|4\.7\.28|try again later.{0,20}rate"
        ),
    ),
    ("reputation", r"reputation|poor senderscore|talosintelligence|senderscore"),
    (
        "spam",
        (
            r"\bspam\b|spam(my|assassin|ming|cop)|unsolicited|\bjunk\b|\bbulk mail|\bube\b|5\.7\.350"
            r"|considered.{0,20}spam"
        ),
    ),
    (
        "blocked",
        (
            r"\bblock(ed|list| list|using)|blacklist|\brbl\b|dnsbl|spamhaus|barracudacentral|banned"
            r"|(?<!not )listed (in|at|by)|access denied.{0,60}(ip|host)"
        ),
    ),
    (
        "inactive",
        (
            r"(?<!: )inactive|suspend|disabled|locked|deactivated|expired account"
            r"|account.{0,20}(closed|not active)|frozen|dormant|5\.2\.1 .{0,40}disabled"
        ),
    ),
    (
        "user_unknown",
        (
            r"user.{0,12}unknown|unknown.{0,5} (user|recipient|mailbox|address|local|account)"
            r"|no such (user|address|recipient|mailbox|person|local|account)"
            r"|(user|mailbox|recipient|account|address|addressee|email)\b.{0,60}(not found"
            r"|doesn'?t exist|does not exist|not exist|unavailable.{0,20}unknown|not known"
            r"|isn'?t (known|valid)|unknown|not listed|no longer (valid|available|exist))"
            r"|(invalid|bad|illegal|non-?existent) (recipient|mailbox|user|destination|final delivery)"
            r"|not (our|a valid|a known|listed|a) (customer|user|mailbox|recipient)"
            r"|unrouteable address|no mailbox here|undeliverable address"
            r"|recipient.{0,10}not recogni[sz]ed|doesn'?t have .{0,20}account|no account"
            r"|couldn'?t be found"
            r"|not (listed )?in .{0,30}(domino dir|name & address book|directory)|addressee unknown"
            r"|recipient address rejected: access denied"
            r"|mailbox unavailable|no (valid )?recipient|[45]\.1\.[13]\b|destinatario desconocido"
            r"|usu[aá]rio (n[aã]o|desconhecido|inexistente)|user \S+ is not|usuario (no|desconocido)"
        ),
    ),
    (
        "host_unknown",
        (
            r"invalid domain|domain is not reachable|(host|domain|name server|dns)\b.{0,60}(unknown"
            r"|not found|not exist|nxdomain|no such|invalid|non-?existent)|unknown (host|domain)"
            r"|no such (host|domain)|host not found|5\.1\.2|name or service not known"
            r"|domain name not found|couldn'?t find any host|unrouteable mail domain"
        ),
    ),
    ("relaying", r"relay"),
    (
        "network",
        (
            r"connection (refused|timed|lost|reset)|timed? ?out|no route|unreachable|network"
            r"|could ?n.t (connect|establish)|name service error|server not responding"
            r"|look.?up.{0,10}fail|loop|too many hops|hop count|all relevant mx|mx .{0,40}(broken"
            r"|point)|5\.4\.|4\.4\.[1-6]"
        ),
    ),
    (
        "expired",
        (
            r"expired|too old|retry time(out)?|4\.4\.7|5\.4\.7|(over|more than|for|within) \d+ (hours"
            r"|days|minutes)|delayed|could not be delivered for|queue (too long|time)|giving up"
        ),
    ),
    (
        "policy",
        (
            r"policy|polic[ií]|prohibited|5\.7\.\d|4\.7\.\d|not (allowed|permitted|authori[sz]ed)"
            r"|denied|refused|forbidden|rejected|must issue a starttls|tls"
        ),
    ),
    ("content", r"content|attachment|header|5\.6\.|non-?rfc|rfc ?[25]\d\d\d|mime|malformed|syntax|5\.5\.[124]"),
    (
        "system",
        r"system|disk|i/o error|config|local error|command (died|output)|resource|mailer|internal|procmail|temporar",
    ),
]
_COMPILED = [(reason, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for reason, pattern in _REASONS]
#: RFC 3463 §3, where the words say nothing.
_BY_STATUS = {
    "1.1": "user_unknown",
    "1.0": "user_unknown",
    "1.2": "host_unknown",
    "1.3": "user_unknown",
    "1.6": "moved",
    "1.10": "no_mail",
    "2.1": "inactive",
    "2.2": "mailbox_full",
    "2.3": "too_big",
    "3.4": "too_big",
    "4.4": "host_unknown",
    "4.7": "expired",
}
#: The resolver's own words for an answer that it did not get, which is no answer that there is none.
_TRY_AGAIN = re.compile(r"not found, try again|try again later", re.IGNORECASE)
_LONGEST = 2000
_LONGEST_REPORT = 16_384


def reason_of(status: str, words: str) -> str:
    """Return the reason that a server's *words* give, else the one of its *status*, else `undefined`."""
    words = re.sub(r"\s+", " ", words[:_LONGEST])
    for reason, pattern in _COMPILED:
        if pattern.search(words):
            return "network" if reason == "host_unknown" and _TRY_AGAIN.search(words) else reason
    return _BY_STATUS.get(status.partition(".")[2], "undefined")


def is_hard(status: str, reason: str, words: str = "", command: str = "") -> bool:
    """Tell whether the address must never be written to again. *command*: what of SMTP's the *words* answer, if known.

    That a user is unknown is final when the server said so of the recipient: with a status of class 5.1 (RFC 3463
    §3.2), in answer to RCPT, or out of its own directory. Filters say the same words after DATA, to whom they do not
    like, of mailboxes that were taken at RCPT. A report that tells neither proves nothing: the next bounces will.
    """
    if reason not in HARD or status.startswith("4"):
        return False
    said = status.startswith("5.1.") or command == "RCPT" or bool(_BY_THE_BOOK.search(words))
    return reason != "user_unknown" or said


#: Said by a server that has looked into its own list of mailboxes, or found no way to route to one.
_BY_THE_BOOK = re.compile(
    r"not (?:listed )?in .{0,30}(?:directory|address book)|recipient name is not recogni[sz]ed|unrouteable address"
    r"|unknown local[- ]part|local: unknown user|userid|addressee unknown|recipient address rejected: access denied"
    r"|does ?n.t like recipient|does not like recipient",
    re.IGNORECASE | re.DOTALL,
)
_COMMANDS = re.compile(
    r"in reply to (?:end of )?(RCPT|DATA|MAIL|EHLO|HELO)|(?:after|to our|our|was) (end of data|RCPT|MAIL|DATA)\b"
    r"|>>> ?(RCPT|DATA|MAIL|EHLO|HELO)\b|(?:SMTP command|SMTP:)[\s:-]{0,9}(RCPT|DATA|MAIL)\b|\[(RCPT|MAIL|DATA)_",
    re.IGNORECASE,
)


def command_in(words: str) -> str:
    """Return the last SMTP command that *words* name as the one answered: RCPT, DATA, MAIL, EHLO, or ""."""
    found = [next(filter(None, match.groups())) for match in _COMMANDS.finditer(words[:_LONGEST_REPORT])]
    return found[-1].upper().replace("END OF DATA", "DATA").replace("HELO", "EHLO") if found else ""


def status_in(words: str) -> str:
    """Return the first enhanced status code (RFC 3463) in *words*, or ""."""
    found = re.search(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])", words[:_LONGEST])
    return found[1] if found else ""
