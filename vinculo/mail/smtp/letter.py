"""One message as SMTP carries it: an envelope, and content that may follow DATA."""

from __future__ import annotations

from vinculo.connector import BadAddress, Rejected
from vinculo.mail.compose import compose, downgrade
from vinculo.mail.envelope import envelope_address, needs_utf8, wire_content
from vinculo.mail.header import HeaderError
from vinculo.mail.smtp.offers import Offers
from vinculo.model import Message

#: RFC 3461 §4.4 and §4.2: the longest ENVID and ORCPT.
_LONGEST_ENVID, _LONGEST_ORCPT = 100, 500


class Letter:
    """A message that has been pulled and not been answered."""

    __slots__ = ("again", "content", "key", "name", "recipient", "sender", "smooth", "utf8")

    def __init__(self, message: Message) -> None:
        """Raises `Rejected` or `BadAddress` for what no server could be told."""
        self.key = message.key
        sender = message.return_path or message.sender.address
        self.sender = _checked(sender, Rejected, "5.1.7") if sender else ""
        self.recipient = _checked(message.to, BadAddress, "5.1.3")
        try:
            self.content = message.mime or compose(message)
        except HeaderError as error:
            raise Rejected(str(error), status="5.6.0") from None
        #: Content that may follow DATA as it is.
        self.smooth = message.smooth
        self.name = message.message_id.strip("<>")
        addresses = self.sender + self.recipient
        # Whoever made it smooth put nothing else into its headers that is not ASCII.
        self.utf8 = not addresses.isascii() if self.smooth is self.content else needs_utf8(addresses, self.content)
        #: It has been begun on a connection that then broke, before any of its content was written.
        self.again = False

    def commands(self, offers: Offers) -> tuple[str, str]:
        """Return MAIL and RCPT as a server with *offers* wants them. Raises `Rejected` for what it cannot carry."""
        mail, rcpt = f"MAIL FROM:<{self.sender}>", f"RCPT TO:<{self.recipient}>"
        if not self.content.isascii():
            if offers.eight_bit:
                mail += " BODY=8BITMIME"
            else:
                self._narrow()
        if self.utf8:
            if not offers.utf8:
                raise Rejected("an address or header is not ASCII and the server takes only that", status="5.6.7")
            mail += " SMTPUTF8"
        if offers.size is not None:
            mail += self._size(offers.size)
        if offers.dsn:
            mail += self._envid()
            rcpt += " NOTIFY=FAILURE,DELAY" + self._orcpt()
        return mail, rcpt

    def data(self) -> tuple[bytes, ...]:
        """Return what follows the answer to DATA, its end included, in pieces that need not be copied together."""
        return (self.content, b".\r\n") if self.content is self.smooth else (wire_content(self.content),)

    def _narrow(self) -> None:
        """Make the content 7-bit (RFC 6152 §3)."""
        self.content = downgrade(self.content)
        if not self.content.isascii():
            raise Rejected("the content is 8-bit and the server takes 7-bit only", status="5.6.3")

    def _size(self, most: int) -> str:
        if 0 < most < len(self.content):
            reason = f"{len(self.content)} octets are more than the {most} the server takes"
            raise Rejected(reason, status="5.3.4")
        return f" SIZE={len(self.content)}"

    def _envid(self) -> str:
        """A bounce names the delivery by ENVID even where it returns nothing of the message (RFC 3461 §4.4)."""
        name = _xtext(self.name)
        return f" RET=HDRS ENVID={name}" if name and len(name) <= _LONGEST_ENVID else " RET=HDRS"

    def _orcpt(self) -> str:
        if not self.recipient.isascii():
            return ""  # RFC 6533 has another type for it, which servers without that do not take
        address = f" ORCPT=rfc822;{_xtext(self.recipient)}"
        return address if len(address) <= _LONGEST_ORCPT else ""


def _checked(address: str, error: type[Rejected], status: str) -> str:
    try:
        return envelope_address(address)
    except ValueError as problem:
        raise error(str(problem), status=status) from None


def _xtext(text: str) -> str:
    """Return *text* as RFC 3461 §4 writes it in parameters; nothing if it cannot be written."""
    if not text.isascii() or not text.isprintable():
        return ""
    if "+" in text or "=" in text or " " in text:
        return "".join(f"+{ord(each):02X}" if each in "+= " else each for each in text)
    return text
