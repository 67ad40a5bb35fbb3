"""A provider that asks us to slow down is obeyed: half the rate after a pause, then slowly more (AIMD, as TCP does).

What is a request to slow down, and whose:

    answer                                             who slows down
    429, 503 that is not queued (status 4.3.2)         the channel; `Retry-After` is waited for
    421 before the recipient was named, in haste       the channel
    421 after it, in haste                             the recipient's domain
    4xx, in haste                                      the recipient's domain
    4.7.x or 4.2.1 at a second attempt                 the recipient's domain
    the same at the first attempt, "greylisted"        nobody: the second attempt succeeds (RFC 6647)
    any other 421                                      nobody: the server closes; the circuit breaker sees to it

"In haste": the status is 4.7.x or 4.2.1 (of a 421), or the words say so: "too many", "rate limited" and the like.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa

from vinculo.connector import Outcome, Temporary, Unavailable
from vinculo.db.insert import insert
from vinculo.db.tables import rate

#: Nothing leaves for so long after a request that does not say how long; what was under way counts as the same request.
PAUSE = timedelta(minutes=1)
#: A provider may ask us to wait longer, but not for ever.
_LONGEST = 86_400.0
#: Never slower than one message a minute: somebody must find out when it is over.
_SLOWEST = 1 / 60

_GREY = re.compile(r"gr[ea]y-?list", re.IGNORECASE)
_HASTE = re.compile(
    r"rate.?limit|too (?:many|fast|much)|throttl|slow.?down|unusual rate|exceed\w* .{0,40}(?:rate|limit|connections)"
    r"|temporarily deferred due to|sending (?:limit|rate|rapidly)",
    re.IGNORECASE,
)
_CODE = re.compile(r"(?:^|: )(\d{3})\b")
#: Phases of an SMTP transaction (`vinculo.mail.verdict`) in which the server knows whom the message is for.
_NAMED = ("rcpt", "data", "body", "answer")


class Slow(NamedTuple):
    """Whom a reply asks to slow down, why, and for how many seconds to rest (0: it does not say)."""

    whole_channel: bool
    reason: str
    after: float = 0.0


def asked_to_slow_down(outcome: Outcome, attempts: int) -> Slow | None:
    """Read *outcome* as a request to slow down; None: it is none. *attempts*: how many there were before."""
    if not isinstance(outcome, Temporary | Unavailable):
        return None
    reason, after = outcome.reason, min(outcome.after or 0.0, _LONGEST)
    found = _CODE.search(reason)
    code = found[1] if found else ""
    suspect = outcome.status == "4.2.1" or outcome.status.startswith("4.7.")
    hasty = bool(_HASTE.search(reason))
    if code == "421":
        return Slow(not reason.startswith(_NAMED), reason, after) if suspect or hasty else None
    if isinstance(outcome, Unavailable) or _GREY.search(reason):
        return None
    if code == "429" or (outcome.status == "4.3.2" and outcome.after is not None):
        return Slow(True, reason, after)
    return Slow(False, reason, after) if hasty or (suspect and attempts) else None


def slow(db: sa.Connection, name: str, before: float | None, asked: Slow, now: datetime) -> None:
    """Let the bucket *name* rest, then go on at half of *before* messages a second (None: as before). Once a pause."""
    statement = insert(db, rate)
    new, resting = statement.excluded, rate.c.until > now
    until = now + (timedelta(seconds=asked.after) if asked.after else PAUSE)
    pace = None if before is None else max(before / 2, _SLOWEST)
    row = {"pace": pace, "slowed_at": until, "reason": asked.reason, "changed_at": now}
    kept = {column: sa.case((resting, rate.c[column]), else_=new[column]) for column in ("pace", "slowed_at")}
    longer = sa.case((rate.c.until > new.until, rate.c.until), else_=new.until)
    upsert = statement.on_conflict_do_update(
        index_elements=["name"],
        set_={**kept, "until": longer, "reason": new.reason, "changed_at": new.changed_at},
    )
    db.execute(upsert, {"name": name, "until": until, **row})


def forget(db: sa.Connection, names: Iterable[str], now: datetime) -> None:
    """Drop what the replies of *names* have taught us; an operator's order stays.

    So does what another worker was taught since ours was read: it rests still.
    """
    ours = rate.c.name.in_(list(names)), rate.c.until <= now
    nothing = {"pace": None, "slowed_at": None, "until": None, "reason": ""}
    db.execute(sa.delete(rate).where(*ours, rate.c.ordered == ""))
    db.execute(sa.update(rate).where(*ours).values(nothing))
