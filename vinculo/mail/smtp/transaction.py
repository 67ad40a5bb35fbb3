"""One letter on one connection, and what becomes of it when the connection ends first."""

from __future__ import annotations

from vinculo.connector import SendError
from vinculo.mail.smtp.letter import Letter
from vinculo.mail.verdict import Phase, Reply, broken, closing


class Transaction:
    """One letter on one connection."""

    __slots__ = ("end", "failure", "first", "letter", "said")

    def __init__(self, letter: Letter, *, first: bool) -> None:
        self.letter = letter
        #: Nothing has been begun on this connection before.
        self.first = first
        #: The first refusal: what follows it in the same group follows from it.
        self.failure: SendError | None = None
        #: What `Wire.taken` will be when the last byte of CRLF.CRLF has been taken; None: no content was written.
        self.end: int | None = None
        #: 421: the server closes.
        self.said: Reply | None = None

    def fate(self, phase: Phase, reason: str, *, taken: int, others: bool) -> SendError | None:
        """Return the verdict when the connection ended in *phase*; None: another connection may try.

        *taken*: how many bytes the kernel had taken. *others*: whether there is a connection that serves us.
        """
        if self.failure is not None:
            return self.failure
        if self.end is not None:
            if self.said is not None:
                return closing(Phase.ANSWER, self.said, others=others)
            return broken(Phase.ANSWER if taken >= self.end else Phase.BODY, reason)
        # Nothing of the content has left: on a connection that had served before, the fault is the connection's.
        if not self.letter.again and (not self.first or (self.said and others)):
            return None
        if self.said is not None:
            return closing(phase, self.said, others=others)
        return broken(Phase.BODY if phase is Phase.ANSWER else phase, reason)
