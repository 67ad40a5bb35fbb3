"""Templates and headers: inlining, escapes, injections."""

from __future__ import annotations

import email.policy

from bench.evidence.fetch import naughty_strings
from bench.evidence.row import CORPORA, Row
from tests.unit.mail.test_header import PAYLOADS, message, names
from tests.unit.render.jinja.test_sandbox import escapes
from tests.unit.render.markup.test_inline import JUICE, SENDWITHUS, as_juice, both_ways
from vinculo.mail import HeaderError, compose


def inlining() -> list[Row]:
    """Inlining a template equals inlining what it renders to; cases of another inliner come out as it has them."""
    equal = [both_ways(path) for path in SENDWITHUS]
    same = sum(as_juice(path) for path in JUICE)
    rival = "premailer on a Jinja source breaks silently"
    corpus = f"sendwithus, {len(SENDWITHUS)} of its templates"
    return [
        Row("inlining equal both ways", corpus, equal.count(True), len(equal), len(equal), rival=rival),
        Row("inlining as expected", "juice", same, len(JUICE), 35),
    ]


def safety() -> list[Row]:
    """Nothing gets out of the sandbox, and nothing adds a header."""
    payloads = (CORPORA / "hostile" / "crlf" / "crlfinjection.txt").read_text(encoding="utf-8").splitlines()
    strings = naughty_strings()
    added = sum(_adds(field, text) for text in [*payloads, *PAYLOADS, *strings] for field in ("subject", "to_name"))
    corpus = f"{len(strings)} naughty strings, {len(payloads)} CRLF payloads, encoded words"
    return [
        Row("template escapes", "SSTI payloads", len(escapes()), 0, 0, most=True),
        Row("headers injected", corpus, added, 0, 0, most=True, rival="stdlib of Python 3.11.7: 24 of 60"),
    ]


def _adds(field: str, text: str) -> bool:
    """Whether *text* in *field* makes a header more, or less, as a reader sees it. To be refused is to be safe."""
    try:
        made = compose(message(field, text))
    except HeaderError:
        return False
    reader = email.policy.compat32
    return set(names(made, reader)) != set(names(compose(message()), reader))
