"""`check` as a person types it: what the files say and what the templates make, all at once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from vinculo.cli import output
from vinculo.cli import project as commands
from vinculo.testing.project import write_project

HOUSE = Path(__file__).parents[3]
Check = Callable[..., tuple[int, str]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Type `vinculo check` in a folder; return exit code and what was said. There is no secret key."""
    monkeypatch.delenv("VINCULO__SECRET_KEY", raising=False)
    app = typer.Typer(pretty_exceptions_enable=False)
    commands.register(app)

    def run(folder: Path, *words: str) -> tuple[int, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["vinculo", "check", *words])
        code = output.guard(app)
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


@pytest.mark.skipif(not (HOUSE / "vinculo.toml").exists(), reason="this is not the repository's own folder")
def test_our_own_project_is_clean_before_there_is_a_secret_key(check: Check) -> None:
    code, said = check(HOUSE)
    assert (code, said[:16]) == (0, "No problem found")


def test_problems_of_files_and_of_rendering_are_told_at_once(check: Check, tmp_path: Path) -> None:
    files = {
        "plan/calendar/weekly.yaml": "kind: newsletter\nsegment: nobody\ntopic: news\nchannels: [email]\ntemplate: hello\n",
        "templates/hello/email.html": '{% extends "_base/email.html" %}\n{% block content %}{{ contact.nam }}{% endblock %}',
        "templates/hello/sms.txt": "x" * 1601,
        "templates/broken/email.html": "{% if %}",
        "templates/broken/sample.yaml": "contact: {}\n",
    }
    code, said = check(write_project(tmp_path, **files))
    assert code == 2
    assert "plan/calendar/weekly.yaml:2" in said
    assert "templates/hello/email.html:2:1: `nam` is undefined" in said
    assert "templates/hello/sms.txt: The text has 1,601 characters; the connector of sms carries 1,600" in said
    assert said.count("templates/broken/email.html") == 1


def test_a_name_that_no_template_knows_is_told_with_its_line_and_the_nearest(check: Check, tmp_path: Path) -> None:
    page = '{% extends "_base/email.html" %}\n{% block content %}\n{{ contct.name }}{% endblock %}'
    code, said = check(write_project(tmp_path, **{"templates/hello/email.html": page}))
    assert code == 2
    assert "templates/hello/email.html:3:1: `contct` is undefined" in said
    assert "Did you mean `contact`?" in said


SURVEY = "kind: survey\nsegment: staff\ntopic: news\nchannels: [email]\ntemplate: hello\n"
CHOICES = "{kind: poll, question: {pt: Como?}, choices: [{name: a, title: {pt: A}}, {name: b, title: {pt: B}}]}"


@pytest.mark.parametrize(
    ("asks", "linked", "wrong"),
    [
        ("", "0, 10", ""),
        ("survey: {kind: csat}", "1, 5", ""),
        ("survey: {kind: csat}", "5, 10", "it links to the answer 10, and the survey `ask` has 1 to 5"),
        (f"survey: {CHOICES}", "0, 1, 2", "it links to the answer 0, and the survey `ask` has 1 to 2"),
    ],
)
def test_a_link_to_an_answer_that_a_survey_does_not_have_is_a_problem(
    check: Check, tmp_path: Path, asks: str, linked: str, wrong: str
) -> None:
    loop = f'{{% for n in [{linked}] %}}<a href="{{{{ links.survey }}}}/{{{{ n }}}}">{{{{ n }}}}</a>{{% endfor %}}'
    body = '{% extends "_base/email.html" %}\n{% block subject %}Olá{% endblock %}\n'
    code, said = check(
        write_project(
            tmp_path,
            **{
                "plan/calendar/ask.yaml": SURVEY + asks,
                "templates/hello/email.html": f"{body}{{% block content %}}{loop}{{% endblock %}}",
            },
        )
    )
    assert (wrong or "No problem found") in said, said
    assert code == (2 if wrong else 0)


def test_a_connector_that_is_not_there_is_a_problem_of_the_settings(check: Check, tmp_path: Path) -> None:
    write_project(tmp_path)
    toml = tmp_path / "vinculo.toml"
    toml.write_text(toml.read_text(encoding="utf-8").replace("connectors.gateway:Gateway", "nowhere:Gateway"))
    code, said = check(tmp_path)
    assert (code, "vinculo.toml: There is no module `nowhere`" in said) == (2, True)


def test_settings_that_cannot_be_read_leave_the_rest_to_be_told(check: Check, tmp_path: Path) -> None:
    code, said = check(write_project(tmp_path, **{"vinculo.toml": "[company\n", "segments/staff.yaml": "who: 1\n"}))
    assert code == 2
    assert "vinculo.toml:1" in said
    assert "segments/staff.yaml:1" in said


def test_the_counts_can_be_had_as_data(check: Check, tmp_path: Path) -> None:
    write_project(tmp_path)
    toml = (tmp_path / "templates/_base/email.html").read_text(encoding="utf-8")
    (tmp_path / "templates/_base/email.html").write_text(toml.replace("</body>", "{{ company.postal_address }}</body>"))
    code, said = check(tmp_path, "--json")
    assert (code, json.loads(said)["templates"]) == (0, 1)


CONFIRM = (
    "topics: {news: {title: {pt: N}}, offers: {title: {pt: O}}, service: {title: {pt: S}}}\nconfirm: {topics: [news]}\n"
)


def test_a_channel_on_which_no_yes_can_be_confirmed_is_told_of(check: Check, tmp_path: Path) -> None:
    base = (write_project(tmp_path / "known") / "templates/_base/email.html").read_text(encoding="utf-8")
    mail = '{% extends "_base/email.html" %}{% block subject %}x{% endblock %}{% block content %}{{ links.confirm }}{% endblock %}'
    files = {
        "plan/policy.yaml": CONFIRM,
        "templates/_base/email.html": base.replace("</body>", "{{ company.postal_address }}</body>"),
        "templates/confirm/email.html": mail,
        "templates/confirm/sample.yaml": "contact: {}\n",
    }
    code, said = check(write_project(tmp_path / "shop", **files))
    assert (code, said.count("Note: ")) == (0, 1)
    assert (
        "`confirm` has no part for sms, so no contact can say yes there to news. Write templates/confirm/sms.txt"
        in said
    )
    (tmp_path / "shop/templates/confirm/sms.txt").write_text("{{ links.confirm }}")
    code, said = check(tmp_path / "shop", "--json")
    assert (code, json.loads(said)["notes"]) == (0, [])


def test_a_template_that_can_ask_on_no_channel_is_refused(check: Check, tmp_path: Path) -> None:
    files = {
        "plan/policy.yaml": CONFIRM,
        "templates/confirm/push.txt": "x",
        "templates/confirm/sample.yaml": "contact: {}\n",
    }
    code, said = check(write_project(tmp_path, **files))
    assert code == 2
    assert (
        "plan/policy.yaml:2:10: the template `confirm` has no part for any channel: no yes could be confirmed" in said
    )
