"""What a failure of HTTP means for the message: one table, used by every connector that speaks HTTP.

    failure                                           verdict
    no connection (DNS, refused, TLS)                 Unavailable   nobody's message can leave
    request not fully written in time                 Temporary
    no answer to a request that was written           InDoubt
    401, 402, 403; 404, 405 and 3xx (a wrong URL)     Unavailable   none of it is the contact's fault
    408, 409, 425, 429                                Temporary     after Retry-After
    other 4xx                                         Rejected, or BadAddress by the provider's own code
    503 of a provider that queues nothing then        Temporary     after Retry-After
    5xx                                               InDoubt       it may have been taken before it broke

A provider that dedupes on `Message.key` says so in its `Capabilities`: then the engine sends again what is in doubt.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2

from vinculo.connector import BadAddress, InDoubt, Rejected, SendError, Temporary, Unavailable

_UNAVAILABLE = frozenset({401, 402, 403, 404, 405})
_LATER = frozenset({408, 409, 425, 429})
#: Whatever a provider says, we ask again within a week, in seconds.
_LONGEST = 604_800.0
_NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


def refused(
    answer: httpx2.Response, now: datetime, *,
    code: str = "", bad_address: Collection[str] = (), not_queued: Collection[int] = (),
) -> SendError:  # fmt: skip
    """Return the verdict of an *answer* that is not 2xx; *code* is the provider's own, *bad_address* those about it.

    *not_queued*: the statuses of which the provider documents that it has taken nothing, 503 for instance.
    """
    reason = f"{answer.status_code} {code}".strip()
    wait = seconds(answer.headers.get("retry-after", ""), now)
    if answer.status_code in _UNAVAILABLE or answer.status_code < 400:
        return Unavailable(reason, after=wait)
    if answer.status_code in _LATER or answer.status_code in not_queued:
        return Temporary(reason, after=wait, status="4.3.2")
    if answer.status_code < 500:
        return BadAddress(reason) if code in bad_address else Rejected(reason)
    return InDoubt(reason)


def broken(error: httpx2.TransportError) -> SendError:
    """Return the verdict when no answer came."""
    if isinstance(error, _NOT_CONNECTED):
        return Unavailable(f"cannot reach the provider: {error}", status="4.4.1")
    if isinstance(error, httpx2.WriteTimeout):
        return Temporary("the request could not be written in time", status="4.4.2")
    return InDoubt(f"no answer from the provider: {type(error).__name__}", status="4.4.2")


def seconds(retry_after: str, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110 §10.2.3), a number of seconds or a date. None: absent or no such thing.

    At most a week: a date in another century is a mistake, and no message waits for it.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST)
    try:
        date = parsedate_to_datetime(text)
        wait = (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds()
    except ValueError:
        return None
    return min(max(0.0, wait), _LONGEST)


def json_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one: a provider's answer must not be able to break a run."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
