"""What a mail that came back is: bounces first, for many of them call themselves automatic replies too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from datetime import date as day
from email.utils import parsedate_to_datetime
from typing import Any

from vinculo.inbox.automatic import is_automatic, is_machine, returns_on
from vinculo.inbox.bounce import ADDRESS, Recipient, recipients, report_text
from vinculo.inbox.intent import wants_out
from vinculo.inbox.parse import Part, decode_words, parse
from vinculo.inbox.reply import reply_text

#: What a mail may be.
KINDS = ("bounce", "complaint", "auto_reply", "unsubscribe", "reply", "other", "unparsable")


@dataclass(frozen=True, slots=True)
class Mail:
    """A classified mail. *tokens* are `(local part before the plus, token)` found in addresses, unverified."""

    kind: str
    sender: str = ""
    subject: str = ""
    date: datetime | None = None
    recipients: tuple[Recipient, ...] = ()
    message_ids: tuple[str, ...] = ()
    tokens: tuple[tuple[str, str], ...] = ()
    #: The mail's own Message-ID.
    message_id: str = ""
    status: str = ""
    reason: str = ""
    #: What the sender wrote, without quotes and signature; of a bounce, what the server wrote.
    text: str = ""
    #: Of a bounce or a complaint: the subject of the message that came back.
    returned: str = ""
    #: The Feedback-Type of a complaint (RFC 5965 §7.3).
    feedback: str = ""
    #: To these a program must not answer (RFC 3834 §2).
    machine: bool = False
    #: Of an unsubscription: nothing but the subject asks for it, and some telephones repeat ours without `Re:`.
    by_subject: bool = False
    #: Of an automatic answer: when its writer says to be back.
    returns: day | None = None


def classify(raw: bytes) -> Mail:
    """Say what *raw* is. Never raises: what cannot be read, or not within the limits, is `unparsable`."""
    try:
        return _classify(parse(raw))
    except Exception as error:  # noqa: BLE001 - a mail from a stranger must not stop the others
        return Mail("unparsable", reason=f"{type(error).__name__}: {error}"[:200])


def _classify(mail: Part) -> Mail:
    feedback = _feedback(mail)
    if feedback:
        # RFC 5965 §3.2: the return path that the message came with, though the message itself be left out.
        return _mail(
            "complaint", mail, recipients=_complained(mail, feedback), feedback=feedback["feedback-type"],
            returned=_returned_subject(mail), tokens=_tokens(mail, feedback.get("original-mail-from", "")),
        )  # fmt: skip
    found = tuple(recipients(mail))
    if found:
        first = found[0]
        return _mail(
            "bounce", mail, recipients=found, status=first.status, reason=first.reason, text=report_text(mail).strip(),
            returned=_returned_subject(mail),
        )  # fmt: skip
    tokens, subject = _tokens(mail), mail.get("subject")[:200]
    asked = "x-apple-unsubscribe" in mail.headers or any(local.lower().startswith("unsub") for local, _ in tokens)
    if asked or _UNSUBSCRIBE.match(subject):
        return _mail("unsubscribe", mail, by_subject=not asked)
    text = reply_text(_body(mail))  # once: of a page of HTML it is the most work
    if is_automatic(mail, text):
        return _away(mail, text)
    if not text.strip() and not _BEFORE.match(subject) and wants_out(subject):
        return _mail("unsubscribe", mail, text=text, by_subject=True)
    answers = bool(tokens) or any(name in mail.headers for name in ("in-reply-to", "references"))
    return _mail("reply" if answers or _ANSWER.match(subject) else "other", mail, text=text)


def _away(mail: Part, text: str) -> Mail:
    found = _mail("auto_reply", mail, text=text)
    return replace(found, returns=returns_on(found.text, found.date.date()) if found.date else None)


#: Answers and forwards in the languages of the mail programs, and notices that somebody has read it. A company's own
#: mail server may put a mark before it: `[EXTERNAL] Re:`.
_BEFORE = re.compile(
    r"^(\s*(\[[^\]]{1,40}\]\s*)*(re|res|resp|rv|aw|sv|antw|odp|fw|fwd|enc|auto|r|i|rif|tr|wg|vs|vb|ynt|ilt|doorst"
    r"|lid[ao]|le[ií]do|read)(\[\d+\])?\s*:)+\s*",
    re.IGNORECASE,
)


def subject_of(text: str) -> str:
    """Return a subject without what answering and forwarding put before it."""
    return _BEFORE.sub("", text[:1000]).strip()


_ANSWER = re.compile(r"\s*(re|res|resp|rv|aw|sv|antw|odp)(\[\d+\])?\s*:", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(
    r"\s*(unsubscribe|opt.?out|stop|remove( me)?|descadastrar"
    r"|cancelar( inscri[cç][aã]o)?|remover|sair|baja|darme de baja"
    r"|cancelar suscripci[oó]n|desuscribir(me)?)\s*[.!]*\s*$",
    re.IGNORECASE,
)


def _mail(kind: str, mail: Part, **found: object) -> Mail:
    if "text" not in found:
        found["text"] = reply_text(_body(mail))
    found.setdefault("tokens", _tokens(mail))
    return Mail(
        kind,
        sender=_sender(mail.get("from")[:1000]),
        subject=mail.get("subject")[:1000],
        date=_date(mail.get("date")),
        message_ids=tuple(_message_ids(mail)),
        message_id=mail.get("message-id").strip()[:1000],
        machine=is_machine(mail),
        **found,  # type: ignore[arg-type]
    )


def _sender(value: str) -> str:
    """Return the address in a From line. The standard library's reader overflows the stack on `((((`…"""
    found = re.search(f"<({ADDRESS.pattern})>", value) or ADDRESS.search(value)
    return found[0].strip("<>'") if found else ""


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value[:100])
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _body(mail: Part) -> str:
    """Return the first plain text of the mail, else the text of its HTML without what it quotes."""
    texts = {part.type: part.text for part in reversed(list(mail.own())) if part.type in ("text/plain", "text/html")}
    plain = texts.get("text/plain", "")
    if plain.strip() or "text/html" not in texts:
        return plain
    from inscriptis import get_text
    from lxml import html

    root: Any = html.fromstring(f"<div>{texts['text/html'][:_LONGEST_HTML]}</div>")  # type: ignore[no-untyped-call]
    for quoted in root.xpath("//blockquote | //*[contains(@class, 'gmail_quote')] | //style | //script"):
        quoted.drop_tree()
    text: str = get_text(html.tostring(root, encoding="unicode"))  # type: ignore[no-untyped-call]
    return text


_LONGEST_HTML = 100_000


# ── complaints (RFC 5965) ────────────────────────────────────────────────────────────────────────────────────────
def _feedback(mail: Part) -> dict[str, str]:
    """Return the fields of the feedback report, or {} when the mail has none."""
    for part in mail.own():
        if part.type == "message/feedback-report":
            pairs = (line.partition(":") for line in re.sub(r"\n[ \t]+", " ", part.text).split("\n"))
            fields = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
            return fields | {"feedback-type": fields.get("feedback-type", "abuse").lower()}
    # Microsoft's reports follow no standard, but this header in the message that came back.
    hotmail = [part.get("x-hmxmroriginalrecipient") for part in _returned(mail)]
    return {"feedback-type": "abuse", "original-rcpt-to": hotmail[0]} if any(hotmail) else {}


def _complained(mail: Part, feedback: dict[str, str]) -> tuple[Recipient, ...]:
    """Find who complained: in the report, else in the message that came back."""
    came_back = [part.get("to") for part in _returned(mail)]
    for value in (feedback.get("original-rcpt-to", ""), feedback.get("removal-recipient", ""), *came_back):
        found = ADDRESS.search(value)
        if found:
            return (Recipient(found[0].strip("'"), "complained", reason="complaint"),)
    return ()


def _returned(mail: Part) -> Iterator[Part]:
    """Yield the messages that came back within *mail*."""
    for part in mail.own():
        if part.parts and not part.type.startswith("multipart/"):
            yield from part.parts


_SUBJECT = re.compile(r"^[ \t>]*Subject:[ \t]*(\S.{0,997})$", re.IGNORECASE | re.MULTILINE)


def _returned_subject(mail: Part) -> str:
    """Find the subject of the message that came back: in its part, else where a server copied it into its text."""
    for part in _returned(mail):
        if subject := part.get("subject").strip():
            return subject
    found = _SUBJECT.search(mail.text[:_LONGEST_HTML])
    return decode_words(found[1]).strip() if found else ""


# ── where it belongs ─────────────────────────────────────────────────────────────────────────────────────────────
_TO = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-rcpt-to")
_OF_RETURNED = ("return-path", "reply-to", "list-unsubscribe", "sender")
#: A forwarder may wrap the address (SRS0=…=bounces+TOKEN@…, prvs=bounces+TOKEN=…@…, quoted or not): the tag survives.
TAG = re.compile(r"([A-Za-z0-9._-]{1,64})\+([A-Za-z2-7]{26,80})(?![A-Za-z0-9])")
_MESSAGE_ID = re.compile(r"<([^<>@\s]{1,200}@[^<>\s]{1,200})>")


def _tokens(mail: Part, *further: str) -> tuple[tuple[str, str], ...]:
    """Find tagged addresses: to whom the mail was sent, then in *further*, then in the message that came back."""
    values = [value for name in _TO for value in mail.all(name)] + [*further]
    values += [value for part in _returned(mail) for name in _OF_RETURNED for value in part.all(name)]
    return tuple(dict.fromkeys((local, token.lower()) for value in values for local, token in TAG.findall(value)))


def _message_ids(mail: Part) -> list[str]:
    """Find the messages spoken of: the one that came back, then In-Reply-To, then References from the last on."""
    values = [value for part in _returned(mail) for value in part.all("message-id")]
    values += mail.all("in-reply-to")
    values += [
        " ".join(reversed(_MESSAGE_ID.findall(value))).join("<>").replace(" ", "> <")
        for value in mail.all("references")
    ]
    values += re.findall(
        r"^[ \t>]*Message-ID:[ \t]*(<[^<>\s]{1,400}>)", mail.text[:_LONGEST_HTML], re.IGNORECASE | re.MULTILINE
    )
    return list(dict.fromkeys(found for value in values for found in _MESSAGE_ID.findall(value)))[:50]
