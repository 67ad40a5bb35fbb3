"""An IMAP mailbox as a door. A cursor `UIDVALIDITY:UID` says how far we have read; no mail is changed or marked."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from vinculo.errors import NotReady, UsageError
from vinculo.inbox.doors import Handle

if TYPE_CHECKING:
    from imap_tools import BaseMailBox

_TIMEOUT = 30
#: Mails fetched in one poll: the next poll goes on.
_MOST = 500


class Mailbox(Protocol):
    """What reading needs of a mailbox."""

    def validity(self) -> int:
        """Return UIDVALIDITY (RFC 3501 §2.3.1.1): when it changes, old UIDs mean nothing."""

    def uids(self, first: int) -> list[int]:
        """Return the UIDs from *first* on."""

    def fetch(self, uid: int) -> bytes:
        """Return the mail *uid*, or b"" when it has gone."""


def poll_imap(url: str, cursor: str, handle: Handle) -> str:
    """Hand every mail after *cursor* ("" at first) of `imaps://user:password@host/FOLDER` to *handle*.

    Return the new cursor. Raises `UsageError` for a wrong URL, `NotReady` when the server does not let us in.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
        raise UsageError("listen.imap is no IMAP URL", "Write `imaps://user:password@host/INBOX`.")
    from imaplib import IMAP4

    from imap_tools import MailBox, MailBoxUnencrypted
    from imap_tools.errors import ImapToolsError

    kind = MailBox if parts.scheme == "imaps" else MailBoxUnencrypted
    folder = unquote(parts.path.strip("/")) or "INBOX"
    try:
        box = kind(parts.hostname, port=parts.port or (993 if parts.scheme == "imaps" else 143), timeout=_TIMEOUT)
        with _login(box, unquote(parts.username), unquote(parts.password or "")):
            box.folder.set(folder, readonly=True)
            server = _Server(box.client.uid, box.folder.status(folder, ["UIDVALIDITY"])["UIDVALIDITY"])
            return read(server, cursor, handle)
    except (OSError, IMAP4.error, ImapToolsError) as error:
        raise NotReady(f"The mailbox at {parts.hostname} does not let us read: {error}", "Check listen.imap.") from None


def _login(box: BaseMailBox, user: str, password: str) -> BaseMailBox:
    try:
        return box.login(user, password, initial_folder=None)
    except BaseException:
        box.client.shutdown()  # imap-tools leaves the connection open
        raise


def read(box: Mailbox, cursor: str, handle: Handle) -> str:
    """Hand the mails of *box* after *cursor* to *handle*, oldest first, and return the new cursor."""
    validity = box.validity()
    known, _, last = cursor.partition(":")
    done = int(last) if known == str(validity) and last.isdigit() else 0
    # `5:*` always gives the newest mail, even when its UID is below 5 (RFC 3501 §6.4.8).
    for uid in sorted(uid for uid in box.uids(done + 1) if uid > done)[:_MOST]:
        raw = box.fetch(uid)
        if raw:
            handle(raw, "imap")
        done = uid
    return f"{validity}:{done}"


class _Server:
    """A mailbox on a server, by UID commands."""

    def __init__(self, command: Callable[..., tuple[str, list[object]]], validity: int) -> None:
        self._command, self._validity = command, validity

    def validity(self) -> int:
        return self._validity

    def uids(self, first: int) -> list[int]:
        _, data = self._command("SEARCH", None, f"UID {first}:*")
        return [int(uid) for line in data if isinstance(line, bytes) for uid in line.split()]

    def fetch(self, uid: int) -> bytes:
        _, data = self._command("FETCH", str(uid), "(BODY.PEEK[])")
        return next((bytes(item[1]) for item in data if isinstance(item, tuple)), b"")
