"""What a contact wrote that wants an answer: who owes it, since when, what was said, and the answer itself.

A conversation is `open` while we owe an answer, `waiting` while the contact does, and `closed`. An answer is a delivery
like any other: consent, suppression and the ledger's promise hold for it, and it is sent by the same code.
"""

from vinculo.conversation.acting import close, hand_over, reopen, take
from vinculo.conversation.answering import LONGEST, Answered, answer
from vinculo.conversation.asking import answer_at_once
from vinculo.conversation.clock import due, elapsed
from vinculo.conversation.confirming import confirm
from vinculo.conversation.listening import Said, complains, hear
from vinculo.conversation.pace import Week, pace
from vinculo.conversation.reply import replies
from vinculo.conversation.view import CLOSED, OPEN, WAITING, Line, Turn, inbox, owners, thread

__all__ = [
    "CLOSED",
    "LONGEST",
    "OPEN",
    "WAITING",
    "Answered",
    "Line",
    "Said",
    "Turn",
    "Week",
    "answer",
    "answer_at_once",
    "close",
    "complains",
    "confirm",
    "due",
    "elapsed",
    "hand_over",
    "hear",
    "inbox",
    "owners",
    "pace",
    "reopen",
    "replies",
    "take",
    "thread",
]
