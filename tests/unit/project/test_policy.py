"""Rules of policy.yaml that cannot be meant are named with their place, and what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from vinculo import project
from vinculo.testing.project import write_project

TOPICS = "topics: {news: {title: {en: News}}, service: {title: {en: Service}}}\n"
ROUTING = "routing:\n  costs: {email: 0.01, sms: 0.3}\n  tiers:\n"


def problems(root: Path, text: str) -> list[str]:
    write_project(root, **{"plan/policy.yaml": TOPICS + text})
    return [f"{one.line}: {one.message} {one.remedy}" for one in project.check(root)]


GOOD = [
    ROUTING + "    - {name: a, stages: [loyalty], channels: [email, sms]}\n  others: [email]\n",
    "routing:\n  by: value\n  tiers:\n    - {name: a, from: 500, channels: [sms]}\n    - {name: b, to: 500, channels: [email]}\n",
    "confirm: {topics: [news], template: hello, expires: 2 days}\n",
    "implied:\n  - {after: purchased, months: 24, topics: [news], channels: [email], countries: [CA]}\n",
    "quiet_hours:\n  - {from: '20:00', to: '09:00'}\n",
]


@pytest.mark.parametrize("text", GOOD)
def test_rules_that_make_sense_are_taken(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


BAD = {
    ROUTING + "    - {name: a, stages: [loialty], channels: [email]}\n": "no stage `loialty`",
    ROUTING + "    - {name: a, stages: [loyalty], channels: [telex]}\n": "there is no channel `telex`",
    ROUTING + "    - {name: a, stages: [loyalty], channels: [email]}\n    - {name: b, stages: [loyalty], channels: [sms]}\n":
        "the stage `loyalty` is in two tiers, `a` and `b`",
    ROUTING + "    - {name: a, from: 5, channels: [email]}\n": "tiers are made by stage",
    ROUTING + "    - {name: a, stages: [loyalty], channels: [email]}\n    - {name: a, stages: [awareness], channels: [sms]}\n":
        "there are two tiers `a`",
    "routing:\n  by: value\n  tiers:\n    - {name: a, from: 0, to: 600, channels: [sms]}\n    - {name: b, from: 500, channels: [sms]}\n":
        "the tiers `a` and `b` overlap",
    "routing:\n  by: value\n  tiers:\n    - {name: a, from: 9, to: 9, channels: [sms]}\n": "it ends before it begins",
    "routing:\n  by: luck\n": "`by` cannot be `luck`",
    "routing:\n  costs: {email: -1}\n": "`email` cannot cost -1",
    "confirm: {topics: [nws], template: hello}\n": "there is no topic `nws`",
    "confirm: {topics: [news], template: helo}\n": "there is no template `helo`",
    "confirm: {topics: [service], template: hello}\n": "`service` needs no consent",
    "implied:\n  - {after: purchased, months: 24, topics: [offers], channels: [email]}\n": "there is no topic `offers`",
    "implied:\n  - {after: purchased, months: 0, topics: [news], channels: [email]}\n": "`months`",
    "implied:\n  - {after: purchased, months: 9, topics: [news], channels: [email], countries: [Canada]}\n":
        "`Canada` is no country",
    "implied:\n" + 2 * "  - {after: purchased, months: 9, topics: [news], channels: [email]}\n": "twice",
    "quiet_hours:\n  - {from: '09:00', to: '09:00'}\n": "no time at all",
    "quiet_hours:\n  - {from: '20:00', to: '09:00'}\n  - {from: '09:00', to: '20:00', channels: [sms]}\n":
        "it is always quiet on `sms`",
    "caps:\n  - {at_most: 1, within: 0 days}\n": "a window of no length",
    "tiers: []\n": "unknown key `tiers`",
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD.items())
def test_a_rule_that_cannot_be_meant_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    found = problems(tmp_path, text)
    assert any(said in one and not one.startswith("0:") for one in found), found
