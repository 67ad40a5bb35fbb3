"""What a server says that it can do, in its answer to EHLO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from vinculo.mail.verdict import Reply


@dataclass(frozen=True, slots=True)
class Offers:
    """The extensions we know."""

    starttls: bool = False
    pipelining: bool = False
    eight_bit: bool = False
    utf8: bool = False
    dsn: bool = False
    #: The server says how large a message may be; 0: it says only that it wants to know the size.
    size: int | None = None
    auth: frozenset[str] = frozenset()

    @classmethod
    def read(cls, reply: Reply) -> Self:
        """Read them from the lines of *reply* after the first."""
        words = (line.upper().partition(" ") for line in reply.text.split("\n")[1:])
        said = {keyword: rest.strip() for keyword, _, rest in words}
        size = said.get("SIZE")
        return cls(
            starttls="STARTTLS" in said,
            pipelining="PIPELINING" in said,
            eight_bit="8BITMIME" in said,
            utf8="SMTPUTF8" in said,
            dsn="DSN" in said,
            size=None if size is None else int(size[:20]) if size.isdecimal() else 0,  # RFC 1870 §4
            auth=frozenset(said.get("AUTH", "").split()),
        )
