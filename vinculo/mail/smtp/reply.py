"""Cuts what a server says into replies (RFC 5321 §4.2), in whatever pieces it comes."""

from __future__ import annotations

import re
from collections import deque
from functools import lru_cache

from vinculo.connector import Receipt
from vinculo.mail.verdict import Reply

_LINE = re.compile(rb"(\d{3})(?:([ -])([^\r\n]*))?\r?")
#: RFC 5321 §4.5.3.1.5 allows 512 octets a line; real servers write more. What never ends is cut off here.
_LONGEST_REPLY = 65_536
#: What is longer is not kept to be known again: one server's long words would fill the memory.
_SHORT = 512


class Replies:
    """What one connection has said."""

    def __init__(self) -> None:
        self._rest = b""
        #: The lines of a reply whose last one has not come.
        self._begun: list[Reply] = []
        #: What has come whole and was not taken yet.
        self.ready: deque[Reply] = deque()
        #: Why what came last is no reply: nothing after it can be believed.
        self.nonsense = ""

    @property
    def silent(self) -> bool:
        """Whether there is nothing left that was not cut into a reply."""
        return not (self._rest or self._begun or self.ready or self.nonsense)

    def feed(self, data: bytes) -> None:
        """Cut *data*. Stops at the first `nonsense`."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            read = (_known if len(line) <= _SHORT else _read)(line)
            if read is None:
                self.nonsense = self.nonsense or f"no valid answer: {line[:80]!r}"
                return
            reply, last = read
            if self._begun or not last:
                self._go_on(reply, last=last)
            else:
                self.ready.append(reply)
        if len(self._rest) > _LONGEST_REPLY:
            self.nonsense = "the answer does not end"

    def _go_on(self, reply: Reply, *, last: bool) -> None:
        """One line of several."""
        self._begun.append(reply)
        if self._begun[0].code != reply.code:
            self.nonsense = self.nonsense or "the answer says two things at once"
        if len(self._begun) > _LONGEST_REPLY // 64 or sum(len(each.text) for each in self._begun) > _LONGEST_REPLY:
            self.nonsense = self.nonsense or "the answer does not end"
        if last and not self.nonsense:
            self.ready.append(Reply(reply.code, "\n".join(each.text for each in self._begun)))
            self._begun = []


def _read(line: bytes) -> tuple[Reply, bool] | None:
    """Return a line as a reply, and whether it is the last of its reply; None for what is no such line."""
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    return Reply(int(found[1]), (found[3] or b"").decode("utf-8", "replace")), found[2] != b"-"


#: Servers say the same few lines again and again.
_known = lru_cache(maxsize=256)(_read)


def hoped(said: bytes) -> Receipt | None:
    """The receipt of a content, if *said* is that and yes to the next one's commands; None: read it more closely.

    Many servers name the message in the first line, which differs then; the others are nearly always the same.
    """
    first, _, rest = said.partition(b"\n")
    return _taken(first) if len(said) <= _SHORT and _invites(rest) else None


@lru_cache(maxsize=256)
def _taken(line: bytes) -> Receipt | None:
    """The receipt of a content, if *line* is all that is said of it."""
    read = _read(line)
    if read is None or read[0].code != 250 or not read[1]:
        return None
    return receipt_of(250, read[0].text)


@lru_cache(maxsize=256)
def _invites(said: bytes) -> bool:
    """Whether *said* is yes to sender, recipient and DATA, and nothing else."""
    replies = Replies()
    replies.feed(said)
    codes = [replies.ready.popleft().code for _ in range(len(replies.ready))]
    return codes == [250, 250, 354] and replies.silent


def receipt_of(code: int, text: str) -> Receipt:
    """The receipt of a reply that takes a message."""
    return (_known_receipt if len(text) <= _SHORT else _receipt)(code, text)


def _receipt(code: int, text: str) -> Receipt:
    return Receipt("", str(Reply(code, text)))


_known_receipt = lru_cache(maxsize=256)(_receipt)
