"""The wheel: only `vinculo` at its top, and a starter project that checks clean in an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _run(*argv: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(a) for a in argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    code = f"import hatchling.build as b, sys; print(b.build_wheel({str(out)!r}))"
    _run(sys.executable, "-c", code, cwd=ROOT)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_only_vinculo(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"vinculo"}
    assert "vinculo/py.typed" in names
    assert not [name for name in names if name.endswith((".pyc", ".db")) or "/var/" in name]


def test_an_empty_environment_can_install_it_lay_a_project_and_check_it(wheel: Path, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if not Path(uv).exists():
        pytest.skip("uv is not there: an environment made by pip alone takes a minute, and needs the network")
    env = {"UV_PYTHON_DOWNLOADS": "never", "PYTHONPATH": "", "VIRTUAL_ENV": ""}
    _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "empty", cwd=tmp_path)
    python = tmp_path / "empty" / "bin" / "python"
    lock = ROOT / "requirements" / "core.lock"
    install = (uv, "pip", "install", "-q", "-p", python, "--no-deps")
    _run(*install, "--require-hashes", "-r", lock, cwd=tmp_path, env=env)
    _run(*install, wheel, cwd=tmp_path, env=env)
    vinculo = tmp_path / "empty" / "bin" / "vinculo"
    _run(vinculo, "init", "shop", cwd=tmp_path, env=env)
    assert (tmp_path / "shop" / "plan" / "calendar" / "weekly-news.yaml").exists()
    _run(vinculo, "check", cwd=tmp_path / "shop", env=env)
    _run(vinculo, "db", "upgrade", cwd=tmp_path / "shop", env=env)
    assert "weekly-news" in _run(vinculo, "plan", "--days", "14", cwd=tmp_path / "shop", env=env)
