"""Does what the behaviour model decided, through the doors that everybody uses: HTTP and SMTP."""

from __future__ import annotations

import logging
import smtplib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import httpx2

from vinculo.demo.act import Act, Fetch, Mail, Progress, Purchase

log = logging.getLogger(__name__)
#: How long a door may take to answer, in seconds.
_PATIENCE = 30
#: How often somebody comes to a door that is shut; all doors take the same thing twice for one.
_TRIES = 3


def perform(
    acts: Iterable[Act],
    *,
    smtp: tuple[str, int],
    workers: int = 8,
    progress: Progress = lambda _: None,
    buy: Callable[[Purchase], None] = lambda _: None,
) -> Counter[str]:
    """Do *acts*: each person's in order, *workers* people at a time. *smtp*: host and port of our listener.

    *progress* is told how many acts are done; *buy* takes purchases, one at a time. Returns how many acts were
    `fetched`, `mailed`, `bought`, and how many `failed`: a door that does not answer stops nobody else.
    """
    people: dict[str, list[Act]] = {}
    for act in acts:
        people.setdefault(act.who, []).append(act)
    done: Counter[str] = Counter()
    with httpx2.Client(timeout=_PATIENCE, trust_env=False) as web, ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(_person, each, web, smtp) for each in people.values()]
        for job in as_completed(jobs):
            outcome, purchases = job.result()
            for purchase in purchases:
                buy(purchase)
            done += outcome
            progress(done.total())
    return done


def _person(acts: Sequence[Act], web: httpx2.Client, smtp: tuple[str, int]) -> tuple[Counter[str], list[Purchase]]:
    done: Counter[str] = Counter()
    purchases: list[Purchase] = []
    for act in acts:
        if isinstance(act, Purchase):
            purchases.append(act)
            done["bought"] += 1
        else:
            done[_knock(act, web, smtp)] += 1
    return done, purchases


def _knock(act: Fetch | Mail, web: httpx2.Client, smtp: tuple[str, int]) -> str:
    """Go through the door; come again where it is shut for a moment, as mail servers and people do."""
    for _ in range(_TRIES):
        try:
            if isinstance(act, Mail):
                _mail(act, smtp)
                return "mailed"
            if _fetch(act, web):
                return "fetched"
        except (httpx2.HTTPError, smtplib.SMTPException, OSError) as error:
            log.warning("a door was shut: %s", type(error).__name__)
    return "failed"


def _fetch(act: Fetch, web: httpx2.Client) -> bool:
    """Ask, and do not follow: a redirect leads out of the house, to a shop that is not there."""
    headers = {"User-Agent": act.user_agent}
    if act.method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    answer = web.request(act.method, act.url, headers=headers, content=act.body.encode() or None)
    return answer.status_code < 400


def _mail(act: Mail, smtp: tuple[str, int]) -> None:
    with smtplib.SMTP(*smtp, timeout=_PATIENCE) as server:
        server.sendmail(act.sender, [act.to], act.raw)
