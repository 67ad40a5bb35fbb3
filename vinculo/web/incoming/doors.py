"""The SMTP and LMTP doors for mail that comes back, open beside the web app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from vinculo import feedback
from vinculo.inbox import Doorkeeper, Listener

if TYPE_CHECKING:
    from vinculo.runtime import Runtime


@contextmanager
def doors(rt: Runtime) -> Iterator[None]:
    """Open what `[listen]` names, and close it at the end. Raises `NotReady` when an address is taken."""
    with ExitStack() as stack:
        for listener in _listeners(rt):
            stack.callback(listener.start().stop)
        yield


def _listeners(rt: Runtime) -> list[Listener]:
    settings = rt.project.settings
    company = settings.company
    mailboxes = (company.reply_email, company.bounce_email, company.sender_email)
    door = Doorkeeper(mailboxes, rt.signer)

    def handle(raw: bytes, source: str) -> None:
        feedback.take_in(rt, raw, source=source)

    wanted = ((settings.listen.smtp, False), (settings.listen.lmtp, True))
    return [Listener(address, door, handle, lmtp=lmtp) for address, lmtp in wanted if address]
