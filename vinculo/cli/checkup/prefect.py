"""Prefect: its server, its version, somebody who works, and the schedules that the calendar wants."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib import metadata
from typing import Any

import httpx2 as httpx

from vinculo import contacts, schedule
from vinculo import db as database
from vinculo.cli.checkup.machine import SKEW
from vinculo.errors import Finding, VinculoError
from vinculo.project.prefect import password
from vinculo.runtime import Runtime

#: The pool of prefect.yaml and of flows/apply.py, the tags of what comes from our calendar, and what sends the rest.
_POOL, _TAGS, _SWEEPER = "vinculo", {"calendar", "vinculo"}, "deliver"
_PAGE = 200


def server(rt: Runtime) -> Iterator[Finding]:
    """Whether the server answers, and then all that hangs on it."""
    url = rt.project.settings.prefect.api_url.rstrip("/")
    try:
        with httpx.Client(base_url=url, timeout=5, auth=_let_in()) as api:
            yield from _examined(rt, api, url)
    except (httpx.TransportError, httpx.InvalidURL) as error:
        words = f"{url} does not answer: {error}"
        yield Finding("fail", "Prefect", words, "Start it with `vinculo up`, or mend prefect.api_url.")
    except VinculoError as error:  # its password
        yield Finding("fail", "Prefect", error.message, error.remedy)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        words = f"{url} answers in words we do not know: {error!r}"[:200]
        yield Finding("fail", "Prefect", words, "Is prefect.api_url that of a Prefect 3 server?")


def _let_in() -> httpx.BasicAuth | None:
    """What a server with a password is given, as Prefect's own client does."""
    user, _, secret = password(os.environ).partition(":")
    return httpx.BasicAuth(user, secret) if user else None


def _examined(rt: Runtime, api: httpx.Client, url: str) -> Iterator[Finding]:
    answer = api.get("/health")
    if answer.status_code != 200:
        words = f"{url}/health answers {answer.status_code}"
        yield Finding("fail", "Prefect", words, "Is prefect.api_url right? It ends in /api.")
        return
    if api.get("/admin/version").status_code == 401:  # its health it tells everybody
        words = f"{url} asks for another password" if _let_in() else f"{url} asks for a password"
        yield Finding("fail", "Prefect", words, "Set PREFECT_API_AUTH_STRING to the server's own: `user:password`.")
        return
    yield _version(api, url)
    yield from _clock(answer)
    yield _pool(api)
    deployments = _deployments(api)
    yield from _sweeper(deployments)
    yield from _schedules(rt, deployments)


def _asked(api: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    answer = api.request(method, path, json=body)
    answer.raise_for_status()
    return answer.json()


def _version(api: httpx.Client, url: str) -> Finding:
    theirs, ours = str(_asked(api, "GET", "/admin/version")), _installed()
    if ours and theirs.split(".")[:2] != ours.split(".")[:2]:
        words = f"the server at {url} is {theirs}, here is {ours}"
        return Finding("warn", "Prefect", words, "Let both be of one release: the server may be newer, not older.")
    return Finding("ok", "Prefect", f"{theirs} answers at {url}")


def _installed() -> str:
    """The version of Prefect here, without paying for its import."""
    try:
        return metadata.version("prefect")
    except metadata.PackageNotFoundError:
        return ""


def _clock(answer: httpx.Response) -> Iterator[Finding]:
    date = answer.headers.get("date")
    skew = abs(parsedate_to_datetime(date).astimezone(UTC) - datetime.now(UTC)) if date else timedelta(0)
    if skew > SKEW:
        words = f"Prefect's clock differs by {skew.total_seconds():.0f} s"
        yield Finding("warn", "clock", words, "Let both machines keep time by NTP.")


def _pool(api: httpx.Client) -> Finding:
    try:
        pool = _asked(api, "GET", f"/work_pools/{_POOL}")
    except httpx.HTTPStatusError as error:
        if error.response.status_code != 404:
            raise
        words = f"there is no work pool `{_POOL}`: nothing would run"
        return Finding("fail", "work pool", words, "`vinculo up` or `vinculo apply` makes it.")
    if pool["is_paused"]:
        words = f"the work pool `{_POOL}` is paused: nothing runs"
        return Finding("warn", "work pool", words, f"`prefect work-pool resume {_POOL}` when it shall go on.")
    workers = _asked(api, "POST", f"/work_pools/{_POOL}/workers/filter", {})
    online = sum(worker["status"] == "ONLINE" for worker in workers)
    if not online:
        words = f"no worker polls the work pool `{_POOL}`: nothing runs"
        return Finding("fail", "work pool", words, f"`vinculo up`, or `prefect worker start --pool {_POOL}`.")
    return Finding("ok", "work pool", f"{online} worker{'' if online == 1 else 's'} at `{_POOL}`")


def _sweeper(deployments: list[dict[str, Any]]) -> Iterator[Finding]:
    found = [one for one in deployments if one["name"] == _SWEEPER]
    if not found:
        words = f"there is no deployment `{_SWEEPER}`: retries and later time zones would wait for ever"
        yield Finding("wrong", "schedules", words, "Run `prefect deploy --all` in the project, or `vinculo up`.")
    elif not (_scheduled(found[0]) or {}).get("active"):
        words = f"the deployment `{_SWEEPER}` is switched off: retries and later time zones wait"
        yield Finding("warn", "schedules", words, "Switch its schedule on in Prefect's UI when it shall go on.")


def _schedules(rt: Runtime, deployments: list[dict[str, Any]]) -> Iterator[Finding]:
    """Compare the calendar's deployments with its files, as `vinculo apply` would."""
    if rt.project.problems:
        return  # the calendar is not whole: the plan's own line says why
    try:
        database.require(rt.engine)
    except VinculoError:
        return  # the contacts' zones decide on schedules; the database's own line says why
    with rt.read() as db:
        where = frozenset(contacts.zones(db))
    home = rt.project.settings.company.timezone
    wanted: dict[str, Any] = {}
    for name, campaign in rt.project.campaigns.items():
        when = campaign.when and schedule.prefect_schedule(campaign.when, default_zone=home, zones=where)
        wanted[name] = {**when, "active": campaign.active} if when else None
    found = {one["name"]: _scheduled(one) for one in deployments if set(one["tags"]) >= _TAGS}
    differ = sorted(name for name in wanted.keys() | found.keys() if _absent(wanted, found, name))
    if differ:
        words = f"Prefect's schedules are not the calendar's: {', '.join(differ[:5])}{' …' if len(differ) > 5 else ''}"
        yield Finding(
            "wrong", "schedules", words, "Run `vinculo apply`; `vinculo apply --dry-run` says what it would do."
        )
    else:
        yield Finding("ok", "schedules", f"{len(wanted)} deployments are as the calendar wants")


def _absent(wanted: dict[str, Any], found: dict[str, Any], name: str) -> bool:
    return name not in wanted or name not in found or wanted[name] != found[name]


def _deployments(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while more := _asked(api, "POST", "/deployments/filter", {"limit": _PAGE, "offset": len(found)}):
        found += more
        if len(more) < _PAGE:
            break
    return found


def _scheduled(deployment: dict[str, Any]) -> dict[str, Any] | None:
    """The schedule of *deployment* in the words of `prefect_schedule`; None when it has none."""
    if not deployment["schedules"]:
        return None
    one = deployment["schedules"][0]
    kept = {key: one["schedule"][key] for key in ("cron", "rrule", "timezone") if one["schedule"].get(key)}
    return {**kept, "active": one["active"] and not deployment["paused"]}
