"""Messages that answer one of a contact's: in its thread, in the words of a person or of a template."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date

from vinculo.mail import HeaderError, compose, downgrade
from vinculo.mail.header import domain_of
from vinculo.model import Mailbox, Message
from vinculo.render.error import RenderError
from vinculo.render.header import headers, tagged
from vinculo.render.renderer import Prepared, Renderer
from vinculo.render.sending import Sending

#: So many ids of a thread are named, the first and the last of them (RFC 5322 §3.6.4).
_THREAD = 12
#: Strangers wrote these: what is no id of this form is not repeated.
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]{1,200}@[!-;=?A-~]{1,200}>")
_NO_SUBJECT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_LONGEST_SUBJECT, _LONGEST_QUOTE = 200, 5_000
_WROTE = {"pt": "Em {at}, {name} escreveu:", "en": "On {at}, {name} wrote:", "es": "El {at}, {name} escribió:"}
#: What a person's letter does without: it is no list's, and no machine's.
_OF_MACHINES = frozenset({"List-Id", "X-Auto-Response-Suppress", "Auto-Submitted"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a message answers. *text*: a person's words, else *template* has them. *automatic*: nobody read it first.

    *subject*, *message_id*, *thread* (its References), *quoted* and *quoted_at* are those of the message answered.
    """

    at: datetime
    text: str = ""
    template: str = ""
    automatic: bool = False
    subject: str = ""
    message_id: str = ""
    thread: tuple[str, ...] = ()
    quoted: str = ""
    quoted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replying(Sending):
    """A sending that answers."""

    reply: Reply | None = None


def replying(sending: Sending, reply: Reply) -> Replying:
    """Make *sending* answer: its date is the answer's own, not that of the day on which the first one was given."""
    fields = {name: getattr(sending, name) for name in Sending.__dataclass_fields__}
    return Replying(**{**fields, "at": reply.at}, reply=reply)


def together(renderer: Renderer, sendings: Iterable[Sending]) -> dict[int, Prepared]:
    """Return what `write` takes for *sendings*. As `Renderer.prepare`."""
    return renderer.prepare(each for each in sendings if not isinstance(each, Replying))


def write(renderer: Renderer, sending: Sending, *, sign: bool = True, prepared: Prepared | None = None) -> Message:
    """Render *sending*, whether it answers or not. Raises `RenderError`. As `Renderer.message`."""
    if not isinstance(sending, Replying) or sending.reply is None:
        return renderer.message(sending, sign=sign, prepared=prepared)
    reply = sending.reply
    if reply.text:
        message = _by_hand(renderer, sending, reply)
    else:
        campaign = sending.campaign.model_copy(update={"template": reply.template})
        message = renderer.message(replace(sending, campaign=campaign), sign=False)
    if sending.channel != "email":
        return message
    try:
        threaded = _threaded(message, reply, renderer.company.sender_name)
        mime = compose(threaded)
        dkim = renderer.dkim() if sign else None
        signed = dkim.sign(downgrade(mime), sending.at) if dkim else mime
    except HeaderError as error:
        raise RenderError(str(error), template=sending.campaign.name) from None
    return replace(threaded, mime=signed)


def _by_hand(renderer: Renderer, sending: Sending, reply: Reply) -> Message:
    company, most = renderer.company, renderer.max_text(sending.channel)
    name = sending.contact.name
    if sending.channel != "email":
        if most is not None and len(reply.text) > most:
            raise RenderError(f"The text has {len(reply.text):,} characters; {sending.channel} carries {most:,}")
        return Message(sending.key, sending.channel, sending.address, reply.text, to_name=name)
    token = {purpose: renderer.signer.mail_token(purpose, sending.delivery_id) for purpose in _TOKENS}
    reply_to = tagged(company.reply_email, token["reply"])
    return Message(
        key=sending.key,
        channel="email",
        to=sending.address,
        text=reply.text + _quote(reply, sending, renderer),
        to_name=name,
        sender=Mailbox(company.sender_name, company.sender_email),
        reply_to=reply_to,
        return_path=tagged(company.bounce_email, token["bounce"]),
        message_id=f"<{token['message']}@{domain_of(company.sender_email)}>",
        headers=headers(sending.campaign, company, format_datetime(sending.at), "", reply_to),
    )


_TOKENS = ("reply", "bounce", "message")


def _quote(reply: Reply, sending: Sending, renderer: Renderer) -> str:
    """The words answered, below: who reads the answer a week later knows to what."""
    if reply.automatic or not reply.quoted or reply.quoted_at is None:
        return ""
    company = renderer.company
    spoken = (sending.contact.language[:2], company.language[:2], "en")
    language = next(each for each in spoken if each in _WROTE)
    local = reply.quoted_at.astimezone(ZoneInfo(company.timezone))
    at = f"{format_date(local, 'long', locale=language)}, {local:%H:%M}"
    name = sending.contact.name or sending.address
    quoted = "\n".join(f"> {line}".rstrip() for line in reply.quoted[:_LONGEST_QUOTE].split("\n"))
    return f"\n\n{_WROTE[language].format(at=at, name=name)}\n\n{quoted}"


def _threaded(message: Message, reply: Reply, otherwise: str) -> Message:
    """Put *message* into the thread (RFC 5322 §3.6.4), and say who wrote it, a person or not (RFC 3834 §3.1)."""
    kept = tuple(field for field in message.headers if field[0] not in _OF_MACHINES)
    if reply.automatic:
        kept = tuple(field for field in message.headers if field[0] != "Auto-Submitted")
        kept += (("Auto-Submitted", "auto-replied"),)
    if _MESSAGE_ID.fullmatch(reply.message_id):
        known = [each for each in reply.thread if _MESSAGE_ID.fullmatch(each) and each != reply.message_id]
        known = known[:1] + known[1:][-_THREAD + 2 :]
        kept += (("In-Reply-To", reply.message_id), ("References", " ".join([*known, reply.message_id])))
    return replace(message, subject=_subject(message, reply, otherwise), headers=kept, mime=b"")


def _subject(message: Message, reply: Reply, otherwise: str) -> str:
    """`Re:` and what it was about; of a machine's answer `Auto:` (RFC 3834 §3.1.5)."""
    about = _NO_SUBJECT.sub(" ", reply.subject).replace("=?", "= ?").strip()[:_LONGEST_SUBJECT]
    if not about:
        return message.subject or otherwise
    return f"{'Auto' if reply.automatic else 'Re'}: {about}"
