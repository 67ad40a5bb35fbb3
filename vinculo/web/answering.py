"""What contacts wait for leaves within seconds: the web app hands it over itself, by whatever door the question came.

The deployment `deliver` would send it, too, but only every few minutes; the ledger hands out each delivery once.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vinculo import ledger, run
from vinculo.errors import VinculoError

if TYPE_CHECKING:
    from vinculo.runtime import Runtime

log = logging.getLogger(__name__)
#: So often it is asked whether something is due, in seconds: one short question.
EVERY = 10.0


#: What was said last of a campaign, and of all of them (""), in the log.
Said = dict[str, str]


def send_answers(rt: Runtime, stop: Callable[[], bool] = lambda: False, said: Said | None = None) -> Counter[str]:
    """Hand over the answers and confirmations that are due; return the number per outcome.

    What cannot be handed over now waits in the ledger, and is said in the log, unless *said* knows it.
    """
    outcomes: Counter[str] = Counter()
    due: list[str] = []
    said = {} if said is None else said
    with _told(said, ""):
        due = _due(rt)
    for campaign in due:
        with _told(said, campaign):
            outcomes += run.drain(rt, worker=f"{socket.gethostname()}/{os.getpid()}/web", campaign=campaign, stop=stop)
    return outcomes


def _due(rt: Runtime) -> list[str]:
    with rt.read() as db:
        return ledger.due_of(db, rt.project.own, rt.now())


@contextmanager
def _told(said: Said, campaign: str) -> Iterator[None]:
    """Say what fails, once until it is over, and go on: one campaign holds up no other, and nothing ends the thread."""
    try:
        yield
    except VinculoError as error:
        wrong = str(error)
    except Exception as error:  # noqa: BLE001 - a connector may raise anything
        wrong = type(error).__name__  # its message may quote a contact
    else:
        wrong = ""
    if wrong and said.get(campaign) != wrong:
        log.warning("answers wait in the ledger: %s", wrong)
    said[campaign] = wrong


def keep_sending(rt: Runtime, wait: Callable[[], bool], stop: Callable[[], bool] = lambda: False) -> None:
    """Send what is due again and again, until *wait* returns that it is over."""
    said: Said = {}
    while not wait():
        send_answers(rt, stop, said)


@contextmanager
def answering(rt: Runtime) -> Iterator[None]:
    """Send answers in a thread until the block ends; a message in flight has its answer first."""
    over = threading.Event()
    thread = threading.Thread(target=keep_sending, args=(rt, lambda: over.wait(EVERY), over.is_set), name="answers")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
