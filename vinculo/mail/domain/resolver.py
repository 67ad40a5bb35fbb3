"""Asking the name system, within a bounded time. What checks need of it is one function, so tests bring their own."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

#: Name and type (TXT, MX, A, AAAA, PTR) → the records as text, none if there are none. Raises `Unanswered`.
Ask = Callable[[str, str], list[str]]

#: RFC 2606, RFC 6761, RFC 6762: names that no name server has anything to say about.
_RESERVED = ("example", "test", "invalid", "localhost", "local", "example.com", "example.net", "example.org")


class Unanswered(Exception):
    """The name system gave no answer: no network, no server, a failure there. It says nothing of the record."""


def is_reserved(domain: str) -> bool:
    """Tell whether *domain* is one of those kept for examples and tests."""
    return any(domain == name or domain.endswith(f".{name}") for name in _RESERVED)


class Resolver:
    """Asks the name servers of this machine, each question once.

    *seconds*: for one question; *total*: for all of them, after which every question goes unanswered.
    """

    def __init__(self, *, seconds: float = 3, total: float = 15) -> None:
        self._seconds, self._until = seconds, monotonic() + total
        self._known: dict[tuple[str, str], list[str]] = {}
        #: Why the first question had no answer. Without a network all others would wait as long for nothing.
        self._lost = ""

    def __call__(self, name: str, kind: str) -> list[str]:
        """Return the records of *kind* at *name*. Raises `Unanswered`."""
        question = name.lower().rstrip("."), kind
        if question not in self._known:
            self._known[question] = self._asked(*question)
        return self._known[question]

    def _asked(self, name: str, kind: str) -> list[str]:
        found = self._answer(name, kind)
        top = name.rpartition(".")[2]
        if not found and (top, "NS") not in self._known:
            self._known[top, "NS"] = self._answer(top, "NS")
        if not found and not self._known[top, "NS"]:  # "not there" of a server that sees only its own network
            raise Unanswered(f"the name server of this machine knows nothing of .{top}")
        return found

    def _answer(self, name: str, kind: str) -> list[str]:
        from dns import exception, resolver

        left = self._until - monotonic()
        if self._lost or left <= 0:
            raise Unanswered(self._lost or "the name servers are too slow")
        try:
            answer = resolver.resolve(name, kind, lifetime=min(self._seconds, left), search=False)
        except (resolver.NXDOMAIN, resolver.NoAnswer):
            return []
        except (exception.DNSException, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            self._lost = "" if self._known else reason
            raise Unanswered(reason) from None
        return [_text(each) for each in answer]


def _text(record: object) -> str:
    """Return a record as text; the strings of a TXT record are one (RFC 7208 §3.3)."""
    strings = getattr(record, "strings", None)
    return b"".join(strings).decode("utf-8", "replace") if strings is not None else str(record)
