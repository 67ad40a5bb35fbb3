"""What a failure of SMTP means for the message: one table, used by every client of ours.

    failure                                           verdict
    connect, TLS, greeting, EHLO, AUTH                Unavailable   nobody's message can leave
    421 at any time, also to the final dot            Unavailable   the server closes this connection; see `closing`
    530, 534, 535, 538 at any time, 503 to MAIL       Unavailable   credentials
    4xx                                               Temporary
    5xx to MAIL, but about size or content            Temporary     4.3.5: of the sender; the circuit breaker counts it
    5xx with 5.1.x about the recipient                BadAddress
    other 5xx                                         Rejected
    no valid answer, last byte not yet written        Temporary
    no valid answer, last byte written                InDoubt
    2xx to the dot, whatever happens afterwards       accepted

The last byte is that of CRLF.CRLF (RFC 5321 §4.1.1.4): before it the server must not deliver, after it the server may.

To MAIL nobody has been named yet: a refusal speaks of our sender, our account, what we may do, and nearly always meets
everybody. Yet a return path and its parameters differ by message, and one that a server dislikes must not hold up the
others, as it would if it were the one that finds out again and again whether all is well. So it waits by itself, and
only many of them stop the sending.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from vinculo.connector import BadAddress, InDoubt, Rejected, SendError, Temporary, Unavailable


class Phase(StrEnum):
    """How far a transaction has come: what the client waits for, or writes."""

    CONNECT = "connect"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    #: Between transactions: the rest of a refused one is thrown away.
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    #: The content is being written; its last byte is not.
    BODY = "body"
    #: The last byte is written; the answer is awaited.
    ANSWER = "answer"


SESSION = frozenset({Phase.CONNECT, Phase.EHLO, Phase.TLS, Phase.AUTH})
_CREDENTIALS = frozenset({530, 534, 535, 538})
#: RFC 3463 §3.2 and RFC 7505 (null MX): the subject is the recipient's address. 5.1.7 and 5.1.8 speak of the sender.
_BAD_ADDRESS = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.10"})
#: RFC 5321 §4.2.2 and §4.3.2: 552 too large; 503 to MAIL: sign in first.
_TOO_LARGE, _OUT_OF_ORDER = 552, 503
#: RFC 3463 §3.3 and §3.4, RFC 6531 §3.5: size and content, which MAIL announces. They are this message's alone.
_OF_MESSAGE = ("5.2.3", "5.3.4", "5.6.")
#: RFC 3463 §3.4: not configured in a manner that permits it.
_MISCONFIGURED = "4.3.5"
_STATUS = re.compile(r"\A([245]\.\d{1,3}\.\d{1,3})(?:\s|\Z)")
_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """A valid answer of the server: its code (RFC 5321 §4.2) and its text, line by line."""

    code: int
    text: str

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 3463), or nothing."""
        found = _STATUS.match(self.text)
        return found[1] if found else ""

    def __str__(self) -> str:
        return " ".join([str(self.code), *self.text.split()])[:_LONGEST_REASON]


def goes_on(phase: Phase, reply: Reply) -> bool:
    """Tell whether *reply* is the one that *phase* hopes for."""
    if phase is Phase.DATA or phase is Phase.AUTH:
        return reply.code == (354 if phase is Phase.DATA else 235)
    return 200 <= reply.code < 300


def refused(phase: Phase, reply: Reply) -> SendError:
    """Return the verdict of a valid answer that does not let the transaction go on."""
    reason, status = f"{phase.value}: {reply}", reply.status
    if phase in SESSION or reply.code == 421 or reply.code in _CREDENTIALS:
        return Unavailable(reason, status=status)
    if 400 <= reply.code < 500:
        return Temporary(reason, status=status)
    if phase is Phase.MAIL and 500 <= reply.code < 600 and not _is_about_message(reply):
        return Unavailable(reason, status=status) if reply.code == _OUT_OF_ORDER else _misconfigured(reason)
    if 500 <= reply.code < 600:
        return _is_about_recipient(phase, status)(reason, status=status)
    return broken(phase, f"unexpected answer {reply}")


def closing(phase: Phase, reply: Reply, *, others: bool) -> SendError:
    """Return the verdict of a 421. Where *others* still serve us, only this connection is over."""
    if not others or phase in SESSION:
        return refused(phase, reply)
    return Temporary(f"{phase.value}: {reply}", status=reply.status)


def broken(phase: Phase, reason: str) -> SendError:
    """Return the verdict when no valid answer came: connection lost, time over, nonsense.

    The status is ours, as a mail server would note it: X.4.1 nobody answers, X.4.2 bad connection.
    """
    reason = f"{phase.value}: {reason}"[:_LONGEST_REASON]
    if phase in SESSION:
        return Unavailable(reason, status="4.4.1")
    if phase is Phase.ANSWER:
        return InDoubt(reason, status="4.4.2")
    return Temporary(reason, status="4.4.2")


def _is_about_message(reply: Reply) -> bool:
    """Tell whether a 5xx to MAIL refuses the size or the content that was announced."""
    return reply.code == _TOO_LARGE or reply.status.startswith(_OF_MESSAGE)


def _misconfigured(reason: str) -> Temporary:
    return Temporary(reason, status=_MISCONFIGURED)


def _is_about_recipient(phase: Phase, status: str) -> type[Rejected]:
    """5.1.0 names no side: to RCPT it is the recipient's, elsewhere it may be the sender's."""
    about = status in _BAD_ADDRESS or (phase is Phase.RCPT and status == "5.1.0")
    return BadAddress if about else Rejected
