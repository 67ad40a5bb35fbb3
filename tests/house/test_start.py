"""The command line starts fast: what it does not need yet, it does not import."""

from __future__ import annotations

import resource
import subprocess
import sys

HEAVY = {"prefect", "sqlalchemy", "premailer", "alembic", "starlette", "jinja2"}


def _modules_after(*argv: str) -> set[str]:
    code = (
        f"import sys; sys.argv={['vinculo', *argv]!r}\n"
        "from vinculo.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy() -> None:
    assert _modules_after("--help") & HEAVY == set()


def test_no_command_line_imports_prefect() -> None:
    assert "prefect" not in _modules_after("schema", "campaign")


def test_help_answers_in_under_0_8_seconds() -> None:
    """The design's own bar; in CPU, the best of five, because the machine may be busy with something else."""
    took = []
    for _ in range(5):
        before = _spent()
        subprocess.run([sys.executable, "-m", "vinculo", "--help"], capture_output=True, check=True)
        took.append(_spent() - before)
    assert min(took) < 0.8


def _spent() -> float:
    """CPU seconds of the processes that we started and that have ended."""
    of_children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return of_children.ru_utime + of_children.ru_stime
