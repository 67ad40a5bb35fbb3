"""What we ask of Prefect's server over its HTTP API, without importing Prefect."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import httpx2 as httpx

from vinculo.errors import NotFound, NotReady, VinculoError

#: Waits before a refused request is repeated, in seconds.
_PAUSES = (0.5, 1, 2, 4, 8, 8, 8)
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class PrefectApi:
    """A client of the few calls we need. *url* ends in `/api`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def healthy(self) -> bool:
        """True when the server answers."""
        try:
            return httpx.get(f"{self.url}/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def worker_is_online(self, pool: str) -> bool:
        """True when a worker polls the work pool."""
        try:
            workers = self._call("POST", f"/work_pools/{pool}/workers/filter", {})
        except VinculoError:
            return False
        return any(worker["status"] == "ONLINE" for worker in workers)

    def start(self, deployment: str, parameters: Mapping[str, Any]) -> str:
        """Start a run of *deployment* (`flow/name`) now; return its id. Raises `NotFound`, `VinculoError`."""
        found = self._call("GET", f"/deployments/name/{deployment}")
        # The key makes a repeated request one run, should the answer to the first get lost.
        body = {"parameters": dict(parameters), "state": {"type": "SCHEDULED"}, "idempotency_key": uuid.uuid4().hex}
        return str(self._call("POST", f"/deployments/{found['id']}/create_flow_run", body)["id"])

    def resume(self, run: str, answer: Mapping[str, Any]) -> None:
        """Give a suspended run the *answer* that it waits for. Raises `VinculoError` when Prefect does not take it."""
        taken = self._call("POST", f"/flow_runs/{run}/resume", {"run_input": dict(answer)})
        if taken["status"] != "ACCEPT":
            raise VinculoError(f"Prefect did not resume {run}: {taken}", "Look at the run in the Prefect UI.")

    def wait(self, run: str, *, seconds: float, tick: Callable[[], None] = lambda: None) -> dict[str, Any]:
        """Wait until the run has ended; return its state. *tick* is called about once a second."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self._call("GET", f"/flow_runs/{run}")["state"] or {}
            if state.get("type") in _ENDED:
                return dict(state)
            tick()
            time.sleep(1)
        raise NotReady(f"The run {run} did not end in {seconds:.0f} s", "Look at it in the Prefect UI.")

    def run_url(self, run: str) -> str:
        """Where a person sees the run."""
        return f"{self.url.removesuffix('/api')}/runs/flow-run/{run}"

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        answer = self._ask(method, path, body)
        for pause in _PAUSES:  # on SQLite the server answers 503 whenever two of its writers meet
            if answer.status_code != 503:
                break
            time.sleep(pause)
            answer = self._ask(method, path, body)
        if answer.status_code == 404:
            raise NotFound(f"Prefect knows nothing at {path}", "Run `vinculo apply` and `prefect deploy --all`.")
        if answer.status_code >= 400:
            raise VinculoError(f"Prefect refused {method} {path}: {answer.text[:500]}")
        return answer.json()

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        try:
            return httpx.request(method, self.url + path, json=body, timeout=30)
        except httpx.HTTPError as error:
            raise NotReady(f"Prefect does not answer at {self.url}: {error}", "Start it with `vinculo up`.") from None
