"""Whatever is typed wrong, missing or broken: one clear message with place and remedy, the documented exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.mistake.conftest import WEEKLY, Break, Type, sql, write


def remove(name: str) -> Break:
    return lambda root: (root / name).unlink()


def _nothing(_: Path) -> None: ...


_OLD = sql("CREATE TABLE alembic_version AS SELECT '0000' AS version_num")
_NEW = sql("CREATE TABLE alembic_version AS SELECT '9999' AS version_num")
_GARBAGE = write("vinculo.db", b"no database at all, but long enough to look like one" * 50)


FILES = {
    "YAML that is none": (write(WEEKLY, "kind: [open\n"), ["check"], 2, f"{WEEKLY}:2:1"),
    "an empty campaign": (write(WEEKLY, ""), ["check"], 2, "the file is empty"),
    "a wrong key": (write(WEEKLY, "knd: newsletter\n"), ["check"], 2, "`kind`"),
    "a file that is not UTF-8": (write("segments/staff.yaml", b"who: \xff"), ["plan"], 2, "not UTF-8"),
    "a segment that is none": (
        write("segments/staff.yaml", "who: {knd: staff}\n"),
        ["check"],
        2,
        "Did you mean `kind`",
    ),
    "a segment with bad SQL": (write("segments/x.sql", "DELETE FROM contact"), ["check"], 2, "segments/x.sql"),
    "an unknown metric": (
        write(
            "plan/objectives.yaml",
            "o: {description: d, metric: clik_rate, baseline: 1, target: 2, deadline: 2027-01-01}\n",
        ),
        ["check"],
        2,
        "`metric` cannot be `clik_rate`",
    ),
    "a broken template": (write("templates/hello/sms.txt", "{% if %}"), ["check"], 2, "templates/hello/sms.txt:1"),
    "TOML that is none": (write("vinculo.toml", "x = ["), ["run", "weekly"], 2, "vinculo.toml:1"),
    "no project": (remove("vinculo.toml"), ["plan"], 2, "vinculo init"),
    "no policy": (remove("plan/policy.yaml"), ["check"], 2, "plan/policy.yaml: the file is missing"),
}


DATABASE = {
    "no database": (remove("vinculo.db"), ["plan"], 3, "vinculo db upgrade"),
    "an empty file": (write("vinculo.db", ""), ["score"], 3, "vinculo db upgrade"),
    "an old database": (_OLD, ["contacts", "show", "c1"], 3, "vinculo db upgrade --backup"),
    "an unknown old database": (_OLD, ["db", "upgrade"], 3, "Restore a backup"),
    "a newer database": (_NEW, ["db", "upgrade"], 3, "newer Vinculo"),
    "a file of another kind": (_GARBAGE, ["plan"], 3, "file is not a database"),
    "upgrading a file of another kind": (_GARBAGE, ["db", "upgrade"], 3, "Restore a backup"),
    "copying a file of another kind": (_GARBAGE, ["db", "upgrade", "--backup"], 3, "Nothing was changed"),
}


_TEST = ["run", "weekly", "--to", "me@example.com", "--language"]
_EXPLAIN = ["segment", "explain", "staff", "--language"]
NAMES = {
    "an unknown command": (_nothing, ["frob"], 2, "No such command"),
    "an unknown option": (_nothing, ["plan", "--dys", "3"], 2, "No such option"),
    "no argument": (_nothing, ["segment", "count"], 2, "Missing argument"),
    "a number out of range": (_nothing, ["plan", "--days", "0"], 2, "--days"),
    "an unknown campaign": (_nothing, ["run", "weakly"], 2, "Did you mean `weekly`?"),
    "an unknown campaign to pause": (_nothing, ["pause", "weakly"], 2, "Did you mean `weekly`?"),
    "an unknown campaign to report": (_nothing, ["report", "weakly"], 2, "Did you mean `weekly`?"),
    "a campaign that never ran": (_nothing, ["report", "weekly"], 1, "has not run yet"),
    "an unknown segment": (_nothing, ["segment", "count", "stuff"], 2, "Did you mean `staff`?"),
    "an unknown template": (_nothing, ["preview", "helo"], 2, "Did you mean `hello`?"),
    "an unknown schema": (_nothing, ["schema", "campain"], 2, "Did you mean `campaign`?"),
    "an unknown contact": (_nothing, ["contacts", "show", "nobody"], 1, "There is no contact `nobody`"),
    "an id beyond all": (_nothing, ["contacts", "show", "#" + "9" * 30], 1, "There is no contact"),
    "a key that is not UTF-8": (_nothing, ["contacts", "show", "\udcff"], 2, "is not UTF-8"),
    "a contact merged with itself": (
        _nothing,
        ["contacts", "merge", "c1", "#1", "--reason", "one"],
        2,
        "two different contacts",
    ),
    "a merge without a reason": (_nothing, ["contacts", "merge", "c1", "c2"], 2, "--reason 'same mailbox'"),
    "a merge with an empty reason": (_nothing, ["contacts", "merge", "c1", "c2", "--reason", " "], 2, "Say why they"),
    "a parting without a reason": (_nothing, ["contacts", "unmerge", "c2"], 2, "--reason 'sisters'"),
    "erasing without saying so": (_nothing, ["contacts", "erase", "c1"], 2, "--yes"),
    "a delivery that is not in doubt": (_nothing, ["resolve", "7", "--accepted"], 1, "Not in doubt: 7"),
    "a decision about nobody": (_nothing, ["resolve", "--accepted"], 2, "Give their ids, or --all"),
    "ids and all of them": (_nothing, ["resolve", "7", "--all", "--accepted"], 2, "either ids or --all"),
    "two decisions": (_nothing, ["resolve", "--accepted", "--resend"], 2, "Give one of"),
    "a time that is none": (_nothing, ["run", "weekly", "--at", "tomorrow"], 2, "2026-12-01T09:00"),
    "a time before time": (_nothing, ["run", "weekly", "--at", "0001-01-01"], 2, "from 1970 to 2200"),
    "a date that is none": (_nothing, ["score", "--at", "2026-02-31"], 2, "`2026-02-31` is no time"),
    "a test to no address": (_nothing, ["run", "weekly", "--to", "me"], 2, "no e-mail address"),
    "a preview in a language's name": (_nothing, ["preview", "hello", "--language", "português"], 2, "Write pt."),
    "a test in a language's name": (_nothing, [*_TEST, "pt", "--language", "alemão (Áustria)"], 2, "Write de-AT."),
    "a test in no language": (
        _nothing,
        [*_TEST, "xx"],
        2,
        "`xx` is no language's code\n  Write for example pt, pt-BR, en",
    ),
    "a segment in a language's name": (_nothing, [*_EXPLAIN, "inglés"], 2, "Write en."),
    "a segment in a language of others": (_nothing, [*_EXPLAIN, "fr-CA"], 2, "Write en, pt, es."),
    "a mail that is not there": (_nothing, ["classify", "nope.eml"], 2, "No such file"),
    "a folder for a mail": (_nothing, ["classify", "."], 2, "Is a directory"),
    "HTML that is not there": (_nothing, ["inline", "nope.html"], 2, "nope.html"),
    "a place that is not there": (_nothing, ["preview", "hello", "--out", "no/x.html"], 2, "a folder that is there"),
    "a full folder": (_nothing, ["init", "."], 2, "not empty"),
    "a folder nobody can make": (_nothing, ["init", "/proc/x"], 2, "/proc/x"),
}


def _table(cases: dict[str, tuple[Break, list[str], int, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("change", "words", "code", "said"), list(cases.values()), ids=list(cases))


@_table(FILES | DATABASE | NAMES)
def test_a_mistake_is_one_clear_message(
    root: Path, type_in: Type, change: Break, words: list[str], code: int, said: str
) -> None:
    change(root)
    found, answer, notes = type_in(*words)
    assert (found, answer) == (code, "")
    assert said in notes
    assert "Traceback" not in notes


def test_with_json_a_mistake_is_json(root: Path, type_in: Type) -> None:
    write(WEEKLY, "knd: newsletter\n")(root)
    code, answer, notes = type_in("check", "--json")
    problems = json.loads(notes)["problems"]
    assert (code, answer) == (2, "")
    assert {(one["file"], one["line"]) for one in problems} >= {(WEEKLY, 1)}
    assert any(one["remedy"] for one in problems)
