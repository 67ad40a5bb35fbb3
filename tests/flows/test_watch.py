"""What an ops person watches is not what was sent: a progress bar that cannot be moved fails no run."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from flows import artifact, send


def _watch(delivery: Future[dict[str, int]]) -> None:
    async def watch() -> None:
        await send._watched("weekly", "2026-12-01T09:00[UTC]", [delivery])  # type: ignore[list-item]

    asyncio.run(watch())


@pytest.fixture(autouse=True)
def _refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_: str, __: str) -> None:
        raise ConnectionError("Prefect answers 503")

    monkeypatch.setattr(artifact, "progress", refused)


def test_a_bar_that_cannot_be_moved_fails_no_run() -> None:
    delivery: Future[dict[str, int]] = Future()
    delivery.set_result({"accepted": 1})
    _watch(delivery)


def test_a_delivery_that_failed_fails_the_run() -> None:
    delivery: Future[dict[str, int]] = Future()
    delivery.set_exception(RuntimeError("the provider is down"))
    with pytest.raises(RuntimeError, match="the provider is down"):
        _watch(delivery)
