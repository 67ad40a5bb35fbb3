"""What an ops person watches is not what was sent: a progress bar that cannot be moved fails no run."""

from __future__ import annotations

import asyncio

import pytest

from flows import artifact, send


def _watch() -> None:
    asyncio.run(send._watched("weekly", "2026-12-01T09:00[UTC]"))


@pytest.fixture(autouse=True)
def _refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_: str, __: str) -> None:
        raise ConnectionError("Prefect answers 503")

    monkeypatch.setattr(artifact, "progress", refused)


def test_a_bar_that_cannot_be_moved_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain(_: str, __: str) -> list[dict[str, int]]:
        return [{"accepted": 1}]

    monkeypatch.setattr(send, "drain", drain)
    _watch()


def test_a_delivery_that_failed_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain(_: str, __: str) -> list[dict[str, int]]:
        raise RuntimeError("the provider is down")

    monkeypatch.setattr(send, "drain", drain)
    with pytest.raises(RuntimeError, match="the provider is down"):
        _watch()
