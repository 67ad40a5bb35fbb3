"""One connection from its greeting to its end: which message each reply belongs to, and how far each message came.

With PIPELINING (RFC 2920) a message takes two round trips: MAIL, RCPT and DATA in one write, then the content. With
`pipeline=full` it takes one: the content and the next message's commands leave in one write, which §3.1 allows. Every
command written has its place in `_due`, every reply takes the first place: there is no other way to lose count than a
server that says more or less than it was asked, and then nothing it said in that group is believed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any

from vinculo.connector import Outcome, SendError
from vinculo.mail.endpoint import Endpoint, Pipeline
from vinculo.mail.smtp.letter import Letter
from vinculo.mail.smtp.login import ENCRYPT, Dialogue, opening
from vinculo.mail.smtp.offers import Offers
from vinculo.mail.smtp.reply import Replies, hoped, receipt_of
from vinculo.mail.smtp.transaction import Transaction
from vinculo.mail.smtp.wire import Address, Wire
from vinculo.mail.verdict import Phase, Reply, broken, goes_on, refused

_MAIL, _RCPT, _DATA, _ANSWER = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ANSWER
#: What is only begun when it is accepted.
_QUIET = (_MAIL, _RCPT)
#: What is waited for when nothing goes wrong: the answer to one content, and to the next one's three commands.
_HOPED = 4
#: While a session is opened: the greeting has come.
_GREETED = frozenset({Phase.EHLO, Phase.AUTH})
_FAREWELL_SECONDS = 5.0
#: RFC 5321 §4.2.4 and §4.3.2: the server did not understand where we are. Of a message they say nothing.
_LOST_COUNT = frozenset({500, 502, 503})


class Session:
    """Speaks over one `Wire`. Answers go to *answers* as they are certain; what is open at its end is `open`."""

    def __init__(
        self, endpoint: Endpoint, addresses: Sequence[Address], answers: deque[tuple[str, Outcome]], now: float
    ) -> None:
        self.endpoint = endpoint
        self.wire = Wire(addresses)
        self._answers = answers
        self._replies = Replies()
        self._opening: Dialogue | None = opening(endpoint, self.wire)
        self._started = False
        self.offers = Offers()
        #: What we wait for, oldest first.
        self._due: deque[tuple[Phase, Transaction | None]] = deque()
        #: Commands not written yet, for a server without PIPELINING.
        self._script: deque[tuple[Phase, str, Transaction | None]] = deque()
        self.open: deque[Transaction] = deque()
        #: The server waits for this one's content.
        self.invited: Transaction | None = None
        #: An outcome that waits until the rest of its group shows that nobody lost count.
        self._kept: tuple[str, Outcome] | None = None
        #: A refused transaction is still open on the server.
        self._soiled = False
        #: How much may be written before it is answered: less when the server has lost count.
        self.pipeline: Pipeline = endpoint.pipeline
        #: How many messages have been begun on it.
        self.carried = 0
        self._down = self.leaving = False
        #: Why it is over; None: it is not.
        self.over: SendError | None = None
        self._reason = ""
        #: What it was waiting for when it was over.
        self.phase = Phase.CONNECT
        #: Now, and when it was last begun to wait: since something was written, or heard.
        self._now = self._since = now

    # ── what the pool asks ───────────────────────────────────────────────────────────────────────────────────────
    @property
    def settled(self) -> bool:
        """Whether it is signed in and may be given letters."""
        return self._opening is None and self.over is None and not self.leaving

    @property
    def greeted(self) -> bool:
        """Whether it is wanted, as far as is known: a server that has too many says so instead of a greeting."""
        return self.settled or (self.over is None and self.phase in _GREETED)

    @property
    def established(self) -> bool:
        """Whether it ever was signed in."""
        return self._opening is None

    @property
    def farewell(self) -> bool:
        """Whether the server closed it with a 421 to a message."""
        return any(transaction.said is not None for transaction in self.open)

    @property
    def spent(self) -> bool:
        """Whether it has carried as many messages as one connection may."""
        return 0 < self.endpoint.messages <= self.carried

    @property
    def deadline(self) -> float:
        """When it has been waited for long enough; never where it is for us to go on."""
        if self.leaving:
            return self._since + min(self.endpoint.timeout, _FAREWELL_SECONDS)
        if self.wire.unsent:
            return self._since + self.endpoint.patience(Phase.BODY)
        if self._due:
            return self._since + self.endpoint.patience(self._due[0][0])
        # Before anything is asked there is the connection to be made, and hands to be shaken.
        return math.inf if self._started else self._since + self.endpoint.patience(self.phase)

    def push(self, letter: Letter | None, commands: tuple[str, str], now: float) -> None:
        """Write the content that the server waits for, if it does, and begin *letter*, if there is one."""
        self._now = now
        self._push(letter, commands)

    def _push(self, letter: Letter | None, commands: tuple[str, str] = ("", "")) -> None:
        pieces: tuple[bytes, ...] = ()
        if self.invited is not None:
            pieces = self._content(self.invited)
            self.invited = None
        if letter is not None:
            pieces += (self._begin(letter, commands),)
        if pieces:
            self._write(*pieces)

    def act(self, now: float) -> None:
        """Go on: the socket is ready."""
        self._now = now
        self._go_on()

    def _go_on(self) -> None:
        wire = self.wire
        if not self._started:
            if not (wire.ready or wire.lost):
                wire.advance()
            if wire.ready:
                self._started = True
                self._converse(None)
        if wire.ready:
            self._listen()
        if self._replies.nonsense or wire.lost:
            self.stop(self._replies.nonsense or wire.lost)

    def _listen(self) -> None:
        """Take what has come. Only a whole reply, or a piece of content that was taken, earns more time."""
        if self.wire.unsent and self.wire.flush():
            self._since = self._now
        said = self.wire.read()
        if len(self._due) == _HOPED and self._goes_smoothly(said):
            return
        self._replies.feed(said)
        ready = self._replies.ready
        if ready:
            self._since = self._now
        due = self._due
        while ready and self.over is None:
            reply = ready.popleft()
            # Half of all replies there are: nothing follows from them yet.
            if reply.code == 250 and due and due[0][0] in _QUIET and not self._script:
                due.popleft()
            else:
                self._hear(reply)

    def _goes_smoothly(self, said: bytes) -> bool:
        """Take *said* in one step if it is what nearly always comes: one content is taken, the next is asked for."""
        done, begun = self._due[0][1], self._due[-1][1]
        receipt = hoped(said) if self._replies.silent else None
        if receipt is None or done is None or begun is None or done is begun or self._kept is not None:
            return False
        if done.failure or begun.failure or done.end is None or self.wire.taken < done.end or self.pipeline != "full":
            return False
        self._since = self._now
        self.open.remove(done)
        self._answers.append((done.letter.key, receipt))
        self._due.clear()
        self._due.append((_ANSWER, begun))
        self.invited = begun
        return True

    def stop(self, reason: str, *, late: bool = False) -> None:
        """End it: nothing that comes from here on counts. *late*: because nothing has come."""
        if self.over is None:
            self.phase, self._reason = self._phase(), reason
            self.over = broken(self.phase, reason)
            if (self._kept or len(self.open) > 1) and not self.farewell:
                self._step_down()
            # Of a group half answered and then nothing, we do not know what the answers were to.
            half = late and self.phase in {Phase.RCPT, Phase.DATA}
            self._tell_kept(doubt=bool(self._replies.nonsense) or half, reason=reason)
        self.wire.close()

    def leave(self) -> None:
        """Say goodbye. What the server answers does not matter: every message has had its answer."""
        self.leaving = True
        self._due.append((Phase.RSET, None))
        self.wire.write(b"QUIT\r\n")
        self._since = self._now

    def fate(self, transaction: Transaction, *, others: bool) -> SendError | None:
        """Return the verdict on what was open at the end; None: nothing of it left, and another connection may try."""
        return transaction.fate(self.phase, self._reason, taken=self.wire.taken, others=others)

    @property
    def _grouped(self) -> bool:
        """Whether the commands of a message leave together."""
        return self.offers.pipelining and self.pipeline != "off"

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self, letter: Letter, commands: tuple[str, str]) -> bytes:
        """Return what opens a transaction; without PIPELINING that is its first command."""
        transaction = Transaction(letter, first=not self.carried)
        self.open.append(transaction)
        self.carried += 1
        mail, rcpt = commands
        if self._grouped:
            self._due += ((_MAIL, transaction), (_RCPT, transaction), (_DATA, transaction))
            group = f"{mail}\r\n{rcpt}\r\nDATA\r\n".encode()
            if self._soiled:
                self._soiled = False
                self._due.insert(len(self._due) - 3, (Phase.RSET, None))
                group = b"RSET\r\n" + group
            return group
        if self._soiled:
            self._soiled = False
            self._script.append((Phase.RSET, "RSET", None))
        steps = ((Phase.MAIL, mail), (Phase.RCPT, rcpt), (Phase.DATA, "DATA"))
        self._script += ((phase, line, transaction) for phase, line in steps)
        return self._next_command()

    def _next_command(self) -> bytes:
        phase, line, transaction = self._script.popleft()
        self._due.append((phase, transaction))
        return f"{line}\r\n".encode()

    def _content(self, transaction: Transaction) -> tuple[bytes, ...]:
        pieces = transaction.letter.data()
        transaction.end = sum(map(len, pieces), self.wire.end)
        return pieces

    def _write(self, *pieces: bytes) -> None:
        self.wire.write(*pieces)
        self._since = self._now
        if self.wire.lost:
            self._go_on()  # why it refused us may be there to read

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _hear(self, reply: Reply) -> None:
        if not self._due:
            self.stop(f"the server talks out of turn: {reply}")
            return
        phase, transaction = self._due.popleft()
        if transaction is not None:
            self._hear_of(transaction, phase, reply)
        elif self.leaving:
            self.stop("we said goodbye")
        elif self._opening is not None:
            self._converse(reply)
        else:
            self._cleared(reply)

    def _hear_of(self, transaction: Transaction, phase: Phase, reply: Reply) -> None:
        if reply.code == 421:
            transaction.said = reply
            self._due.appendleft((phase, transaction))
            self.stop(str(reply))
        elif phase is _ANSWER:
            self._answered(transaction, reply)
        elif 400 <= reply.code < 600:
            self._refused(phase, transaction, reply)
        elif goes_on(phase, reply):
            self._went_on(phase, transaction)
        else:
            self._lost_count(phase, transaction, f"unexpected answer {reply}")

    def _went_on(self, phase: Phase, transaction: Transaction) -> None:
        if phase is not _DATA:
            if self._script:
                self._write(self._next_command())
            return
        self._tell_kept()
        self._due.append((_ANSWER, transaction))
        if transaction.failure is not None:
            # 354 although sender or recipient was refused: an empty content ends it for nobody (RFC 2920 §3.1).
            if self.pipeline == "full":
                self._step_down()
            transaction.end = self.wire.end + 3
            self._write(b".\r\n")
        else:
            self.invited = transaction
            if self.pipeline != "full" and not self._replies.ready:  # else it is answered before it is written
                self._push(None)

    def _refused(self, phase: Phase, transaction: Transaction, reply: Reply) -> None:
        """The first refusal decides; the transaction is over when all its commands are answered."""
        if self._grouped and transaction.failure is None and reply.code in _LOST_COUNT:
            self._lost_count(phase, transaction, f"it is confused: {reply}")
            return
        transaction.failure = transaction.failure or refused(phase, reply)
        self._soiled = True
        if phase is Phase.DATA or self._script:
            self._script.clear()
            self._tell_kept()
            self._settle(transaction, transaction.failure)

    def _answered(self, transaction: Transaction, reply: Reply) -> None:
        early = transaction.end is None or self.wire.taken < transaction.end
        if transaction.failure is not None:
            self._settle(transaction, transaction.failure)
        elif 200 <= reply.code < 300 and not early:
            self._settle(transaction, receipt_of(reply.code, reply.text))
        elif 400 <= reply.code < 600:
            self._settle(transaction, refused(Phase.ANSWER, reply))
            if early:
                self.stop("the server did not want the rest")
        else:
            self._due.appendleft((Phase.ANSWER, transaction))
            self.stop(f"unexpected answer {reply}")

    def _cleared(self, reply: Reply) -> None:
        """The answer to RSET."""
        if not goes_on(Phase.RSET, reply):
            self.stop(str(reply))
        elif self._script:
            self._write(self._next_command())

    def _lost_count(self, phase: Phase, transaction: Transaction, reason: str) -> None:
        """The server and we disagree about where we are: what it said last is not believed either."""
        self._due.appendleft((phase, transaction))
        transaction.failure = None
        self._replies.nonsense = self._replies.nonsense or reason
        self._step_down()
        self.stop(reason)

    def _step_down(self) -> None:
        """Write less before it is answered: on this connection at once, on those to come by the pool."""
        if not self._down:
            self._down = True
            self.pipeline = "on" if self.pipeline == "full" else "off"

    def _settle(self, transaction: Transaction, outcome: Outcome) -> None:
        self.open.remove(transaction)
        if self._due and self.over is None:
            self._kept = transaction.letter.key, outcome
        else:
            self._answers.append((transaction.letter.key, outcome))

    def _tell_kept(self, *, doubt: bool = False, reason: str = "") -> None:
        if self._kept is None:
            return
        key, outcome = self._kept
        self._kept = None
        self._answers.append((key, broken(Phase.ANSWER, reason) if doubt else outcome))

    # ── opening ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _converse(self, reply: Reply | None) -> None:
        """Let the dialogue take its next step."""
        assert self._opening is not None
        try:
            step: Any = next(self._opening) if reply is None else self._opening.send(reply)
            while step is ENCRYPT:
                if not self._encrypt():
                    return
                step = next(self._opening)
        except StopIteration as done:
            self._opening, self.offers = None, done.value
            return
        except SendError as error:
            self.over = error
            self.wire.close()
            return
        phase, line = step
        self.phase = phase
        self._due.append((phase, None))
        if line is not None:
            self._write(f"{line}\r\n".encode())

    def _encrypt(self) -> bool:
        """Go on in TLS; words that came before are an injected answer (CVE-2011-0411). False: hands are not shaken."""
        self.phase = Phase.TLS
        if not self._replies.silent:
            self.stop("the server talked before TLS began")
            return False
        self._started = False
        self.wire.encrypt(self.endpoint.context(), self.endpoint.host)
        if self.wire.ready:
            self._started = True
        return self.wire.ready

    def _phase(self) -> Phase:
        if self._opening is not None:
            return self.phase
        return self._due[0][0] if self._due else Phase.RSET
