"""What an ops person watches is not what was sent: a progress bar that cannot be moved fails no run."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import artifact, send, steering
from vinculo import project
from vinculo.db import connect
from vinculo.runtime import Runtime, utcnow


def _watch() -> None:
    rt = Runtime(project.load(Path(__file__).parents[2], {}), connect("sqlite://"), utcnow)
    asyncio.run(send._watched(rt, {"campaign": "weekly", "occurrence": "2026-12-01T09:00[UTC]"}))


@pytest.fixture(autouse=True)
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was tried in vain: to move the bar."""
    tries = []

    async def refused(*_: object) -> None:
        tries.append("the bar")
        raise ConnectionError("Prefect answers 503")

    monkeypatch.setattr(artifact, "progress", refused)
    return tries


def test_a_bar_that_cannot_be_moved_fails_no_run(monkeypatch: pytest.MonkeyPatch, tried: list[str]) -> None:
    async def drain(*_: object) -> list[dict[str, int]]:
        await asyncio.sleep(0)  # meanwhile the bar fails
        tried.append("all deliveries")
        return [{"accepted": 1}]

    monkeypatch.setattr(send, "drain", drain)
    _watch()
    assert tried == ["the bar", "all deliveries"]


def test_a_delivery_that_failed_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def drain(*_: object) -> list[dict[str, int]]:
        raise RuntimeError("the provider is down")

    monkeypatch.setattr(send, "drain", drain)
    with pytest.raises(RuntimeError, match="the provider is down"):
        _watch()


def test_a_server_that_never_answers_holds_no_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steering, "get_run_logger", lambda: logging.getLogger("run"))
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(uuid4()))
    monkeypatch.setattr(steering, "ANSWER", 0.2)
    held, delivered = [], []

    async def waits_at_its_end(*_: object) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            held.append("the bar's last move")
            await asyncio.sleep(60)

    async def whole() -> None:
        async with steering.heeded("weekly"):
            await steering.look("weekly")
            async with steering.watched(rt, {"campaign": "weekly"}):
                await asyncio.sleep(0)
                delivered.append("all")

    monkeypatch.setattr(artifact, "progress", waits_at_its_end)
    rt = Runtime(project.load(Path(__file__).parents[2], {}), connect("sqlite://"), utcnow)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/api"
        with temporary_settings({PREFECT_API_URL: url}):
            asyncio.run(asyncio.wait_for(whole(), 20))
    assert held
    assert delivered
    (told,) = (each.getMessage() for each in caplog.records if each.name == "run")
    assert "`vinculo pause weekly` holds" in told
