"""What is said to a contact → the e-mail that says it."""

from __future__ import annotations

from typing import Any

from vinculo.mail import compose, downgrade
from vinculo.mail.dkim import Dkim
from vinculo.mail.header import mailbox, subject
from vinculo.model import Message
from vinculo.quick import quick
from vinculo.render.compile.edition import Filled
from vinculo.render.compile.own import Own
from vinculo.render.compile.unit import Words
from vinculo.render.header import Head, date, value
from vinculo.render.sending import Sending

_message = quick(Message)
#: Made with what whoever sends MIME does not ask for left for later.
_mail: Any = quick(Message, later=("text", "html", "reply_to", "headers"))


class _Later:
    """Makes what was left for later."""

    __slots__ = ("head", "own", "page")

    def __init__(self, page: Filled, head: Head, own: list[bytes]) -> None:
        self.page, self.head, self.own = page, head, own

    def __call__(self, name: str) -> object:
        if name in {"text", "html"}:
            return getattr(self.page, name)
        return self.head.reply_to(self.own) if name == "reply_to" else self.head.more(self.own)


def sealed(
    sending: Sending, head: Head, page: Words | Filled, own: list[bytes], *, test: bool, dkim: Dkim | None
) -> Message:
    """Return the e-mail that *page* is; *own* are our own values. Nothing is changed once signed.

    Raises `HeaderError`.
    """
    name, mime, at = sending.contact.name, b"", date(sending.at).encode()
    if isinstance(page, Filled):
        mime = page.seal(value(mailbox("To", name, sending.address)), value(subject(page.subject)), at)
        if mime and dkim is None:
            return _mail(  # type: ignore[no-any-return]
                *(sending.key, "email", sending.address, page.subject, name, head.sender, head.return_path(own)),
                *(head.message_id(own), mime, test, _Later(page, head, own), mime if page.smooth else None),
            )
    own[Own.DATE] = at
    fields = (
        *(sending.key, "email", sending.address, page.text, page.subject, page.html, name, head.sender),
        *(head.reply_to(own), head.return_path(own), head.message_id(own), head.more(own)),
    )
    mime = mime or compose(Message(*fields))
    if dkim is not None:
        # In 7 bits from the start: a relay that made them out of 8 would break the signature (RFC 6376 §5.3).
        mime = dkim.sign(downgrade(mime), sending.at)
    return _message(*fields, mime, test)
