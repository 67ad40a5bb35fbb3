"""Whatever is wrong with a project is told at once, with file, line, column and what to write instead."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest

from vinculo.errors import ProjectError, UsageError
from vinculo.project import check, find_root, load
from vinculo.testing.project import write_project

CAMPAIGN = """\
kind: newsletter
segment: everyone
topic: news
channels: [email]
template: hello
when: {every: tuesday, at: "09:00"}
"""
WEEKLY = "plan/calendar/weekly.yaml"


def told(root: Path) -> list[str]:
    return [str(problem) for problem in check(root, {})]


def test_a_slip_is_one_problem(tmp_path: Path) -> None:
    for slip in (
        CAMPAIGN.replace("every: tuesday", "on: [2026-02-30]"),
        CAMPAIGN.replace("every: tuesday", "on: 7 May"),
    ):
        assert len(told(write_project(tmp_path, **{WEEKLY: slip}))) == 1
    assert len(told(write_project(tmp_path, **{WEEKLY: CAMPAIGN + "late: {else: never}\n"}))) == 1


WRONG_BOTH_WAYS = {
    WEEKLY: CAMPAIGN.replace("everyone", "evryone").replace("hello", "helo") + "priority: high\nexclude: [nobody]\n",
    "plan/journeys/welcome.yaml": "segment: everyone\ntopic: newz\nsteps: [{name: one, after: soon, template: helo}]\n",
    "segments/a.yaml": "descripton: x\nwho: {all: [{contry: BR}, {segment: nobody}, {consent: nws}]}\n",
    "plan/policy.yaml": "topics: {news: {title: {pt: Novidades}}}\ncapz: []\nconfirm: {topics: [offers], template: hello}\n",
    "plan/answers.yaml": "ownr: Ana\nquestions: {hours: {phrases: [abre], template: helo, topics: [newz]}}\n",
    "plan/lifecycle.yaml": "stages: [{name: in, who: {segment: nobody}, titel: x}]\n",
}


def test_a_wrong_name_is_told_beside_what_is_wrong_with_the_form_of_the_same_file(tmp_path: Path) -> None:
    lines = "\n".join(told(write_project(tmp_path, **WRONG_BOTH_WAYS)))
    for file, formed, named in [
        (WEEKLY, "`priority` must be a whole number", "no segment `evryone`"),
        (WEEKLY, "`priority` must be a whole number", "no template `helo`"),
        (WEEKLY, "`priority` must be a whole number", "no segment `nobody`"),
        ("plan/journeys/welcome.yaml", "`channels` is missing", "no topic `newz`"),
        ("plan/journeys/welcome.yaml", "`after` cannot be `soon`", "no template `helo`"),
        ("segments/a.yaml", "unknown key `descripton`", "no field `contry`"),
        ("segments/a.yaml", "unknown key `descripton`", "no segment `nobody`"),
        ("segments/a.yaml", "unknown key `descripton`", "no topic `nws`"),
        ("plan/policy.yaml", "unknown key `capz`", "no topic `offers`"),
        ("plan/answers.yaml", "unknown key `ownr`", "no template `helo`"),
        ("plan/answers.yaml", "unknown key `ownr`", "no topic `newz`"),
        ("plan/lifecycle.yaml", "unknown key `titel`", "no segment `nobody`"),
    ]:
        assert any(line.startswith(file) and formed in line for line in lines.splitlines()), (file, formed, lines)
        assert any(line.startswith(file) and named in line for line in lines.splitlines()), (file, named, lines)


@pytest.mark.parametrize(
    ("file", "content", "about"),
    [
        (WEEKLY, CAMPAIGN.replace("segment: everyone", "segment: Every One"), "Every One"),  # its form is told
        (WEEKLY, CAMPAIGN.replace("channels: [email]", "channels: [E-Mail]"), "E-Mail"),
        ("plan/policy.yaml", "topics: [\n", "`news`"),  # what the policy names is not known
        ("plan/lifecycle.yaml", "stages: [\n", "`loyalty`"),
    ],
)
def test_what_cannot_be_known_is_no_second_problem(tmp_path: Path, file: str, content: str, about: str) -> None:
    more = {"segments/a.yaml": "who: {stage: loyalty}\n", WEEKLY: CAMPAIGN}
    lines = told(write_project(tmp_path, **{**more, file: content}))
    assert len(lines) == 1, lines
    assert (about in lines[0]) is not about.startswith("`")


@pytest.mark.parametrize(
    ("key", "wrong", "advises"),
    [
        ("SENDER_EMAIL", "x", "`ola@example.com`"),
        ("REPLY_EMAIL", "Ola <a@b.example>", "one e-mail address"),
        ("TIMEZONE", "Brasilia", "`Brazil/East`"),
        ("TIMEZONE", "contact", "Write an IANA zone, `America/Sao_Paulo`."),  # a campaign's word
        ("CURRENCY", "R$", "`BRL`"),
        ("COUNTRY", "Brasil", "`BR`"),
        ("COUNTRY", "UK", "Write `GB`"),
    ],
)
def test_a_company_that_cannot_be_is_refused_at_once(tmp_path: Path, key: str, wrong: str, advises: str) -> None:
    (said,) = map(str, check(write_project(tmp_path), {f"VINCULO__COMPANY__{key}": wrong}))
    assert f"VINCULO__COMPANY__{key}: `{key.lower()}` cannot be `{wrong}`" in said
    assert advises in said


def test_a_section_of_no_channels_connector_is_told_as_that(tmp_path: Path) -> None:
    (tmp_path / "vinculo.toml").write_text("")
    root = write_project(tmp_path)
    toml = (root / "vinculo.toml").read_text()
    (said,) = told(write_project(tmp_path, **{"vinculo.toml": toml + '\n[pigeon]\nurl = "x"\n'}))
    assert "unknown key `pigeon`" in said
    assert "[channels]" in said
    assert "Did you mean `company`?" in "".join(
        told(write_project(tmp_path, **{"vinculo.toml": toml + "\n[compan]\n"}))
    )


def test_a_small_project_has_no_problem(tmp_path: Path) -> None:
    assert told(write_project(tmp_path)) == []


@pytest.mark.parametrize(
    ("file", "content", "place", "says", "advises"),
    [
        (WEEKLY, CAMPAIGN + "segmnt: x\n", ":7:1", "unknown key `segmnt`", "Did you mean `segment`?"),
        (WEEKLY, CAMPAIGN + "topic: news\n", ":7:1", "`topic` is written twice", "line 3"),
        (WEEKLY, CAMPAIGN + "priority: high\n", ":7:11", "`priority` must be a whole number", "`40`"),
        (
            WEEKLY,
            CAMPAIGN.replace("every: tuesday", "on: 2026-02-30"),
            ":6:12",
            "`on` cannot be `2026-02-30`",
            "a day that",
        ),
        (WEEKLY, CAMPAIGN.replace("tuesday", "[monday, friday]"), ":6:15", "`every` must be text", '"monday, friday"'),
        (WEEKLY, CAMPAIGN.replace("topic: news", "topic: [news]"), ":3:8", "`topic` must be text", "Write one alone"),
        (WEEKLY, CAMPAIGN + "holdout:\n\t- x\n", ":8:1", "a tab", "spaces"),
        (WEEKLY, CAMPAIGN.replace("kind: newsletter\n", ""), ":1:1", "`kind` is missing", "Add `kind: …`"),
        (WEEKLY, CAMPAIGN.replace("newsletter", "letter"), ":1:7", "`kind` cannot be `letter`", "'newsletter'"),
        (WEEKLY, CAMPAIGN.replace("everyone", "evryone"), ":2:10", "no segment `evryone`", "`everyone`"),
        (WEEKLY, CAMPAIGN.replace("news\n", "newz\n"), ":3:8", "no topic `newz`", "`news`"),
        (WEEKLY, CAMPAIGN.replace("[email]", "[email, fax]"), ":4:19", "channel `fax`", "[channels]"),
        (WEEKLY, CAMPAIGN.replace("hello", "helo"), ":5:11", "no template `helo`", "`hello`"),
        (WEEKLY, CAMPAIGN.replace("tuesday", "toosday"), ":6:15", "toosday", "tuesday"),
        (WEEKLY, CAMPAIGN.replace('"09:00"', '"9h"'), ":6:28", "`at` cannot be `9h`", '"09:00"'),
        (WEEKLY, CAMPAIGN + "objective: growth\n", ":7:12", "no objective `growth`", "keep-active"),
        (WEEKLY, CAMPAIGN + "name: other\n", ":7:1", "a file's name is its name", "Leave"),
        (WEEKLY, CAMPAIGN + "late: {within: soon}\n", ":7:16", "`within` cannot be `soon`", "a number and a unit"),
        (WEEKLY, CAMPAIGN + "late: {within: ² days}\n", ":7:16", "`within` cannot be `² days`", "a number and a unit"),
        (WEEKLY, CAMPAIGN + "expires: 999999999999 days\n", ":7:10", "`expires` cannot be", "longer than 100 years"),
        (WEEKLY, CAMPAIGN + "holdout: few%\n", ":7:10", "`holdout` must be a number", "in figures"),
        (WEEKLY, CAMPAIGN + "exclude: staff\n", ":7:10", "`exclude` must be a list", "[a, b]"),
        (WEEKLY, CAMPAIGN + "description: a: b\n", ":7:15", "colon", "Quote"),
        (WEEKLY, CAMPAIGN + "description: 'open\n", ":7:14", "never closed", "Close it"),
        (WEEKLY, "", ":0:0", "the file is empty", "schema"),
        (WEEKLY, "- a\n", ":1:1", "must have keys", "key: value"),
        (WEEKLY, CAMPAIGN.encode() + b"description: caf\xe9\n", ":7:17", "not UTF-8", "UTF-8"),
        ("plan/calendar/other.yml", CAMPAIGN, "", "ends in .yml", "other.yaml"),
        ("plan/calendar/2026/weekly.yaml", CAMPAIGN, "", "another file is named `weekly`", "Rename"),
        ("plan/calendar/Weekly News.yaml", CAMPAIGN, "", "cannot be a name", "weekly-news"),
        ("segments/a.yaml", "who: {contry: BR}\n", ":1:7", "no field `contry`", "`country`"),
        ("segments/a.yaml", "who:\n  all:\n    - segment: nobody\n", ":3:16", "no segment `nobody`", "Known"),
        ("segments/a.yaml", "who: {segment: a}\n", ":1:7", "a → a", "Take one"),
        ("segments/a.yaml", "who: {consent: nws}\n", ":1:16", "no topic `nws`", "`news`"),
        ("segments/a.yaml", "who: {stage: {in: [loialty]}}\n", ":1:", "no stage `loialty` in plan/lif", "`loyalty`"),
        ("segments/a.yaml", "who: {all: []}\ncurrency: EUR\n", ":2:1", "currency is the company's", "beside an amount"),
        ("segments/a.yaml", "who: {reachable: emial}\n", ":1:18", "`emial`", "`email`"),
        ("segments/a.sql", "SELECT id FROM contact;\nDROP TABLE contact\n", ":1:23", "one statement", "Take away"),
        ("templates/hello/sms.txt", "Olá {{ contact.name }\n", ":1:1", "template is broken", "tag"),
        ("templates/hello/email.htm", "x", "", "ends in .htm", "email.html"),
        ("templates/hello/sms.txt", None, ":7:11", "no part for the channel `sms`", "templates/hello/sms.txt"),
        ("plan/policy.yaml", None, "", "the file is missing", "topics"),
        ("plan/loyalty.yaml", "tiers: [{name: gold, frm: 3}]\n", ":1:22", "unknown key `frm`", "`from`"),
        ("vinculo.toml", '[company]\nlanguage = "português"\n', ":2:1", "cannot be `português`", "`pt-BR`"),
        ("vinculo.toml", '[company\nname = "x"\n', ":1:9", "not TOML", ""),
    ],
)
def test_a_mistake_is_told_with_place_and_remedy(
    tmp_path: Path, file: str, content: str | bytes | None, place: str, says: str, advises: str
) -> None:
    lines = told(write_project(tmp_path, **{file: content}))
    matching = [line for line in lines if says in line]
    assert matching, lines
    if place and place != ":0:0":
        assert place in matching[0].splitlines()[0], lines
    assert advises in matching[0]


def test_all_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write_project(
        tmp_path,
        **{
            WEEKLY: "kind: x\nkind: y\nsegmnt: z\n",
            "plan/calendar/second.yaml": CAMPAIGN.replace("everyone", "nobody").replace("hello", "none"),
            "segments/a.yaml": "who: {any: [{contry: BR}, {r: x}]}\n",
            "templates/hello/sms.txt": "{% if %}",
        },
    )
    with pytest.raises(ProjectError) as caught:
        load(tmp_path, {})
    files = [problem.file for problem in caught.value.problems]
    assert files.count("plan/calendar/second.yaml") == 2
    assert files.count("segments/a.yaml") == 2
    assert {WEEKLY, "templates/hello/sms.txt"} <= set(files)
    assert caught.value.exit_code == 2


def test_what_cannot_wait_is_served_without_the_files_that_are_wrong(tmp_path: Path) -> None:
    second = {"plan/calendar/second.yaml": CAMPAIGN + "exclude: [vips]\n", "segments/vips.yaml": "who: {kind: x}\n"}
    write_project(tmp_path, **second, **{"templates/hello/sms.txt": "{% if %}"})
    for name in ("slip.yaml", "calendar/third.yaml"):
        (tmp_path / "plan" / name).write_text("kind: [\n")
    with pytest.raises(ProjectError):
        load(tmp_path, {})
    found = load(tmp_path, {}, whole=False)
    assert (set(found.campaigns), set(found.segments)) == ({"weekly"}, {"everyone", "staff"})
    (tmp_path / "plan/policy.yaml").write_text("topics: [\n")  # who may be written to is never guessed
    with pytest.raises(ProjectError, match="policy"):
        load(tmp_path, {}, whole=False)


@pytest.mark.parametrize("said", [{"VINCULO__WEB__PORT": "x"}, {"VINCULO__LIMITS__WORKERS": "0"}])
def test_wrong_settings_are_never_left_out(tmp_path: Path, said: dict[str, str]) -> None:
    with pytest.raises(ProjectError):
        load(write_project(tmp_path), said, whole=False)


def test_a_broken_file_is_one_problem_and_not_also_missing_elsewhere(tmp_path: Path) -> None:
    lines = told(write_project(tmp_path, **{"segments/everyone.yaml": "who: {all: [}\n"}))
    assert len(lines) == 1


def test_two_forms_of_one_segment_clash(tmp_path: Path) -> None:
    [line] = told(write_project(tmp_path, **{"segments/staff.sql": "SELECT id FROM contact"}))
    assert line.startswith("segments/staff.sql: another file is named `staff` too")


def test_a_campaign_and_a_journey_need_two_names(tmp_path: Path) -> None:
    journey = "segment: everyone\ntopic: news\nchannels: [email]\nsteps: [{name: one, template: hello}]\n"
    assert told(write_project(tmp_path, **{"plan/journeys/welcome.yaml": journey})) == []
    [line] = told(write_project(tmp_path, **{"plan/journeys/weekly.yaml": journey}))
    assert "a journey is named `weekly` too" in line


def test_no_campaign_or_journey_has_the_name_of_what_asks_for_a_confirmation(tmp_path: Path) -> None:
    journey = "segment: everyone\ntopic: news\nchannels: [email]\nsteps: [{name: one, template: hello}]\n"
    files = {"plan/calendar/confirm-news.yaml": CAMPAIGN, "plan/journeys/confirm-offers.yaml": journey}
    assert told(write_project(tmp_path, **files)) == []
    policy = "topics: {news: {title: {pt: N}}, offers: {title: {pt: O}}}\n"
    lines = told(write_project(tmp_path, **{"plan/policy.yaml": policy}))
    assert lines == []
    lines = told(
        write_project(
            tmp_path, **{"plan/policy.yaml": f"{policy}confirm: {{topics: [news, offers], template: hello}}\n"}
        )
    )
    assert [line.splitlines()[0].partition(": ")[2] for line in lines] == [
        "`confirm-news` is Vinculo's own name for what asks to confirm a yes",
        "`confirm-offers` is Vinculo's own name for what asks to confirm a yes",
    ]


def test_an_alias_that_holds_itself_is_refused(tmp_path: Path) -> None:
    [line] = told(write_project(tmp_path, **{"segments/a.yaml": "who: &a\n  all:\n    - *a\n"}))
    assert "repeats too much" in line


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{name}'] * 10)}]\n" for name, after in pairwise("abcdef")
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("who: " + "[" * 3000 + "]" * 3000, "within one another"),
        ("who: " + "{all: [" * 1000 + "]}" * 1000, "within one another"),
        (BOMB, "more than 100,000 values"),
        ("who: " + "x" * 1_000_000, "more than 1,000,000 letters"),
    ],
    ids=["lists", "segments", "bomb", "long"],
)
def test_a_file_that_is_no_person_s_has_one_problem_with_a_remedy(tmp_path: Path, text: str, said: str) -> None:
    [line] = told(write_project(tmp_path, **{"segments/a.yaml": text}))
    assert said in line
    assert line.splitlines()[1].strip().startswith("Write ")


@pytest.mark.parametrize("depth", [38, 100, 300])
def test_segments_within_segments_end_at_a_depth_and_not_in_a_traceback(tmp_path: Path, depth: int) -> None:
    text = "description: x\nwho: " + "{not: " * depth + "{language: pt}" + "}" * depth
    lines = told(write_project(tmp_path, **{"segments/a.yaml": text}))
    assert ["within one another" in line for line in lines] == ([] if depth == 38 else [True])


def test_a_tag_never_makes_an_object(tmp_path: Path) -> None:
    lines = told(write_project(tmp_path, **{"segments/a.yaml": "who: {city: !!python/name:os.system x}\n"}))
    assert any("is not allowed here" in line for line in lines)


def test_the_nearest_folder_upwards_is_the_project(tmp_path: Path) -> None:
    write_project(tmp_path / "shop")
    assert find_root(tmp_path / "shop" / "plan") == (tmp_path / "shop").resolve()
    with pytest.raises(UsageError, match=r"no vinculo\.toml"):
        find_root(tmp_path)


def test_two_hundred_campaigns_are_checked_in_a_few_seconds(tmp_path: Path) -> None:
    write_project(tmp_path, **{f"plan/calendar/c{number}.yaml": CAMPAIGN for number in range(200)})
    start = perf_counter()
    assert check(tmp_path, {}) == []
    assert perf_counter() - start < 10  # a few seconds, on a machine that is busy


@pytest.mark.parametrize("language", ["pt", "pt-BR", "es-419", "zh-Hant"])
def test_a_language_of_a_region_or_a_script_is_the_companys(tmp_path: Path, language: str) -> None:
    said = told(write_project(tmp_path, **{"vinculo.toml": f'[company]\nlanguage = "{language}"\n'}))
    assert said
    assert not [line for line in said if "language" in line]
