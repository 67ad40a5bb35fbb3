"""Texts of strangers: replies, hostile shapes, user agents, addresses, recurrence rules."""

from __future__ import annotations

import json
import time
from typing import Any
from xml.etree import ElementTree as ET

from ruamel.yaml import YAML

from bench.evidence.row import CORPORA, Row
from tests.unit.inbox.test_hostile import SHAPES
from tests.unit.schedule.test_rule import verdicts
from vinculo.feedback.agent import judge
from vinculo.inbox.reply import reply_text
from vinculo.mail.envelope import envelope_address

#: What isemail calls fit for the envelope of SMTP; everything else is not.
_USABLE = frozenset({"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"})


def replies() -> list[Row]:
    """What a person wrote, without what was quoted; and text that is made to take long."""
    folder = CORPORA / "replies" / "crisp"
    wanted: dict[str, str] = json.loads((CORPORA / "replies" / "crisp-expected.json").read_text(encoding="utf-8"))
    right = sum(
        reply_text((folder / f"{name}.txt").read_text(encoding="utf-8")) == text.strip()
        for name, text in wanted.items()
    )
    slowest = max(map(_cost, SHAPES.values()))
    return [
        Row("reply text, exact", "crisp", right, len(wanted), 35, rival="talon 23"),
        Row(
            "hostile reply text, slowest",
            f"{len(SHAPES)} shapes of 20 to 80 KB",
            slowest,
            0,
            100,
            most=True,
            unit="ms CPU",
            rival="three libraries 1,400 to over 8,000 ms",
        ),
    ]


def _cost(text: str) -> float:
    """Milliseconds of CPU, the best of three: the machine has other work too."""
    costs = []
    for _ in range(3):
        began = time.process_time()
        reply_text(text)
        costs.append((time.process_time() - began) * 1e3)
    return min(costs)


def agents() -> list[Row]:
    """Robots are machines or proxies, browsers are people."""
    load = YAML(typ="safe").load
    crawlers, browsers = (_flat(load(CORPORA / "agents" / f"{name}.yml")) for name in ("crawlers", "browsers"))
    found = sum(judge({"user_agent": agent}) != "human" for agent in crawlers)
    wrong = sum(judge({"user_agent": agent}) != "human" for agent in browsers)
    rival = "crawler-user-agents 58 %, on another set"
    return [
        Row("machine opens", "isbot's crawlers", found, len(crawlers), 0.97 * len(crawlers), rival=rival),
        Row("people called machines", "isbot's browsers", wrong, len(browsers), 0.005 * len(browsers), most=True),
    ]


def _flat(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [agent for each in (value.values() if isinstance(value, dict) else value) for agent in _flat(each)]


def addresses() -> list[Row]:
    """What may stand in the envelope of SMTP."""
    taken: dict[bool, list[bool]] = {True: [], False: []}
    ended = 0
    for test in ET.parse(CORPORA / "addresses" / "tests.xml").iter("test"):
        text = test.findtext("address") or ""
        address = "".join(chr(ord(each) - 0x2400) if "\u2400" <= each <= "\u2420" else each for each in text)
        accepted = _accepted(address)
        taken[test.findtext("category") in _USABLE].append(accepted)
        ended += accepted and bool(set("\r\n") & set(address))
    usable, other = taken[True], taken[False]
    corpus = "isemail"
    return [
        Row("usable addresses taken", corpus, sum(usable), len(usable), 36, rival="email-validator 33"),
        Row("others refused", corpus, other.count(False), len(other), 124, rival="email-validator 121"),
        Row("with a line end taken", corpus, ended, 0, 0, most=True),
    ]


def _accepted(address: str) -> bool:
    try:
        envelope_address(address)
    except ValueError:
        return False
    return True


def recurrence() -> list[Row]:
    """Recurrence rules: right, or refused in words; never silently wrong."""
    found = verdicts()
    wrong = sum(verdict.startswith(("wrong", "refused without")) for verdict in found)
    return [
        Row("recurrence right", "libical", found.count("right"), len(found), 116, rival="python-dateutil 116"),
        Row("silently wrong", "libical", wrong, 0, 0, most=True),
    ]
