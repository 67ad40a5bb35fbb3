"""What an ops person watches is not what was sent: a progress bar that cannot be moved fails no run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from flows import artifact, send
from vinculo import project
from vinculo.db import connect
from vinculo.runtime import Runtime, utcnow


def _watch() -> None:
    rt = Runtime(project.load(Path(__file__).parents[2], {}), connect("sqlite://"), utcnow)
    asyncio.run(send._watched(rt, {"campaign": "weekly", "occurrence": "2026-12-01T09:00[UTC]"}))


@pytest.fixture(autouse=True)
def _refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(*_: object) -> None:
        raise ConnectionError("Prefect answers 503")

    monkeypatch.setattr(artifact, "progress", refused)


def test_a_bar_that_cannot_be_moved_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain(*_: object) -> list[dict[str, int]]:
        return [{"accepted": 1}]

    monkeypatch.setattr(send, "drain", drain)
    _watch()


def test_a_delivery_that_failed_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain(*_: object) -> list[dict[str, int]]:
        raise RuntimeError("the provider is down")

    monkeypatch.setattr(send, "drain", drain)
    with pytest.raises(RuntimeError, match="the provider is down"):
        _watch()
