"""plan/lifecycle.yaml: the starter's is what holds without it, and a rule that cannot be meant is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vinculo.project import USUAL, check, json_schema, load
from vinculo.testing.project import write_project

LAST = "  - {name: rest}\n"


def lay(folder: Path, text: str) -> list[str]:
    files = {"plan/lifecycle.yaml": f"stages:\n{text}", "segments/loyal.yaml": "who: {stage: loyalty}\n"}
    return [str(problem) for problem in check(write_project(folder, **files), {})]


@pytest.mark.parametrize(
    ("text", "place", "says", "advises"),
    [
        ("  - {name: a, who: {recensy: 3}}\n" + LAST, ":2:21", "no field `recensy`", "`recency`"),
        ("  - {name: a, who: {recency: often}}\n" + LAST, ":2:21", "often", ""),
        ("  - {name: a, who: {segment: nobody}}\n" + LAST, ":2:", "no segment `nobody`", "Known"),
        ("  - {name: a, who: {stage: a}}\n" + LAST, ":2:21", "cannot ask for the stage", "recency"),
        ("  - {name: a, who: {not: {any: [{stage: a}]}}}\n" + LAST, ":2:", "cannot ask for the stage", "recency"),
        ("  - {name: a, who: {segment: loyal}}\n" + LAST, ":2:", "cannot ask for the stage", "recency"),
        ("  - {name: a}\n  - {name: b, who: {frequency: 1}}\n", ":3:", "nobody is left for `b`", "Move `a` to the end"),
        ("  - {name: a, who: {frequency: 1}}\n", ":1:1", "would be in no stage", "no `who`"),
        ("  - {name: rest, who: {frequency: 1}}\n" + LAST, ":3:", "two stages are named `rest`", "Rename"),
        ("  - {name: a, hwo: {frequency: 1}}\n" + LAST, ":2:15", "unknown key `hwo`", "`who`"),
        ("  - {name: Not This}\n", ":2:12", "cannot be `Not This`", "small letters"),
        ("  []\n", ":2:3", "must not be empty", ""),
    ],
)
def test_a_wrong_rule_is_told_with_place_and_remedy(tmp_path: Path, text, place, says, advises) -> None:
    matching = [line for line in lay(tmp_path, text) if says in line]
    assert len(matching) == 1, lay(tmp_path, text)
    assert matching[0].startswith(f"plan/lifecycle.yaml{place}")
    assert advises in matching[0]


def test_without_a_file_the_usual_stages_hold(tmp_path: Path) -> None:
    assert load(write_project(tmp_path), {}).lifecycle == USUAL


def test_the_starters_file_says_what_holds_without_it(request: pytest.FixtureRequest) -> None:
    found = load(request.config.rootpath, {}).lifecycle
    told = [(each.name, each.description, each.who) for each in found.stages]
    assert told == [(each.name, each.description, each.who) for each in USUAL.stages]
    assert all(set(each.title) == {"pt", "en", "es"} for each in found.stages)


def test_the_schema_completes_a_rule_like_a_segment() -> None:
    schema = json_schema("lifecycle")
    assert "engagement" in json.dumps(schema["$defs"]["condition"])
    assert schema["$defs"]["Stage"]["properties"]["who"] == json_schema("segment")["properties"]["who"]
