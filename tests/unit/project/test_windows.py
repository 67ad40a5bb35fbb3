"""Files as an editor on Windows saves them, with a mark before the first letter and its line ends, say the same."""

from __future__ import annotations

from pathlib import Path

from vinculo.model import Message
from vinculo.project import load
from vinculo.render import preview_renderer, problems, sample_sending
from vinculo.testing.project import write_project

FILES = {
    "templates/hello/sms.txt": "Olá, {{ contact.given_name }}!\nAté já.\n",
    "segments/south.sql": "SELECT id FROM contact\nWHERE city = 'Lisboa'\n",
}


def _saved_on_windows(root: Path) -> Path:
    for path in root.rglob("*"):
        if path.suffix in {".yaml", ".toml", ".html", ".txt", ".sql"}:
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    return root


def _messages(root: Path) -> list[Message]:
    project = load(root, {})
    assert list(problems(project)) == []
    sendings = [sample_sending(project, "hello", channel, "pt", None) for channel in ("email", "sms")]
    return [preview_renderer(project).message(sending) for sending in sendings]


def test_every_kind_of_file_says_the_same_when_windows_saved_it(tmp_path: Path) -> None:
    plain = write_project(tmp_path / "plain", **FILES)
    other = _saved_on_windows(write_project(tmp_path / "other", **FILES))
    south, told = (load(root, {}).segments["south"].sql or "" for root in (plain, other))
    assert told.splitlines() == south.splitlines() != []
    assert _messages(other) == _messages(plain)


def test_a_secret_that_windows_saved_is_the_secret(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"\xef\xbb\xbfs3cret\r\n")
    environ = {"VINCULO__WEB__PASSWORD_FILE": str(tmp_path / "password")}
    assert load(write_project(tmp_path / "shop"), environ).settings.web.password == "s3cret"
