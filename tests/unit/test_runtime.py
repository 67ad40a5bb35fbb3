"""A runtime made of a project's files: its signer and its renderer know what the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from vinculo import project
from vinculo.runtime import Runtime, max_texts, utcnow
from vinculo.signing import BadToken, Signer
from vinculo.testing.project import write_project

OLDEST, OLD, NEW = "the-oldest-secret-of-all", "an-old-secret-for-tests", "a new secret for tests"


def runtime(root: Path, engine: sa.Engine, **environ: str) -> Runtime:
    return Runtime(project.load(write_project(root), environ), engine, utcnow)


def test_a_changed_secret_still_reads_what_the_old_ones_signed(tmp_path: Path, sqlite_engine: sa.Engine) -> None:
    rt = runtime(tmp_path, sqlite_engine, VINCULO__SECRET_KEY=NEW, VINCULO__SECRET_KEY_OLD=f"{OLD} {OLDEST}\n")
    for secret in (NEW, OLD, OLDEST):
        assert rt.signer.read("open", Signer(secret).token("open", 7)) == (7,)
    assert rt.signer.token("open", 7) == Signer(NEW).token("open", 7)
    assert rt.signer.hash("address", "email", "a@b.example") == Signer(OLDEST).hash("address", "email", "a@b.example")
    with pytest.raises(BadToken):
        rt.signer.read("open", Signer("nobody's secret at all").token("open", 7))


def test_old_secrets_can_come_from_a_file(tmp_path: Path, sqlite_engine: sa.Engine) -> None:
    (tmp_path / "old").write_text("one-old-secret-0123\nanother-old-secret\n")
    rt = runtime(tmp_path, sqlite_engine, VINCULO__SECRET_KEY=NEW, VINCULO__SECRET_KEY_OLD_FILE=str(tmp_path / "old"))
    assert rt.project.settings.old_secret_keys == ("one-old-secret-0123", "another-old-secret")


def test_the_renderer_knows_how_much_a_connector_carries(tmp_path: Path, sqlite_engine: sa.Engine) -> None:
    gateway = {"VINCULO__GATEWAY__URL": "http://127.0.0.1:1", "VINCULO__GATEWAY__TOKEN": "t"}
    rt = runtime(tmp_path, sqlite_engine, VINCULO__SECRET_KEY=NEW, **gateway)
    assert [rt.renderer.max_text(channel) for channel in ("email", "sms", "gone")] == [None, 1600, None]
    assert max_texts(rt.project) == ({"email": None, "sms": 1600}, [])


def test_what_a_connector_cannot_be_made_with_is_told(tmp_path: Path, sqlite_engine: sa.Engine) -> None:
    rt = runtime(tmp_path, sqlite_engine, VINCULO__SMTP__URL="smtp://127.0.0.1?connections=0")
    (told,) = max_texts(rt.project)[1]  # that the gateway has no token here is no mistake of a file
    assert "connections" in told.message


@pytest.mark.parametrize(("said", "near"), [("Smpt", "Did you mean `Smtp`?"), ("Connector", "Known: Smtp.")])
def test_a_connector_that_a_module_does_not_have_is_told_with_the_one_it_has(
    tmp_path: Path, sqlite_engine: sa.Engine, said: str, near: str
) -> None:
    rt = runtime(tmp_path, sqlite_engine, VINCULO__CHANNELS__EMAIL=f"connectors.smtp:{said}")
    (told, *_) = max_texts(rt.project)[1]
    assert told.message == f"connectors.smtp has no connector `{said}`"
    assert told.remedy.startswith(f"{near} Mend [channels] email")
