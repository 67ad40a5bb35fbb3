"""The mails that come back, as the world's programs write them: replies, automatic answers, bounces, complaints."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cached_property
from html.parser import HTMLParser
from random import Random

from vinculo.demo.act import Caught, Mail
from vinculo.demo.phrase import AWAY, QUOTING, REPLIES

#: (enhanced status, what the server says) for good, and for now.
HARD = ("5.1.1", "550 5.1.1 The email account that you tried to reach does not exist.")
SOFT = ("4.2.2", "452 4.2.2 The recipient's inbox is out of storage space and is over quota.")

_BOUNDARY = "=_report_of_the_mail_system"


class _Links(HTMLParser):
    """Collects links and pictures, and the language of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.language = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "html":
            self.language = said.get("lang") or ""
        for name, place in (("href", self.links), ("src", self.pictures)):
            if (said.get(name) or "").startswith("http"):
                place.append(said[name] or "")


@dataclass(frozen=True)
class Letter:
    """A caught message, opened."""

    to: str
    sender: str
    raw: bytes

    @classmethod
    def of(cls, caught: Caught) -> Letter:
        """Take a message out of the catcher."""
        return cls(caught.to, caught.sender, caught.raw)

    @cached_property
    def mail(self) -> EmailMessage:
        """The message, parsed."""
        return message_from_bytes(self.raw, policy=policy.default)

    @cached_property
    def _page(self) -> _Links:
        page = _Links()
        page.feed(self._part("html"))
        return page

    def _part(self, form: str) -> str:
        part = self.mail.get_body((form,))
        return "" if part is None else str(part.get_content())

    def header(self, name: str) -> str:
        """A header's value, or nothing."""
        return str(self.mail.get(name, ""))

    @property
    def links(self) -> list[str]:
        """Every link of the message, in order."""
        return self._page.links

    @property
    def pixel(self) -> str:
        """The picture that tells of an opening, or nothing."""
        return next((url for url in self._page.pictures if "/o/" in url), "")

    @property
    def one_click(self) -> str:
        """Where a mail program unsubscribes (RFC 8058 §3.1), or nothing."""
        found = re.search(r"<(https?:[^>]+)>", self.header("List-Unsubscribe"))
        return found[1] if found and self.header("List-Unsubscribe-Post") else ""

    @property
    def language(self) -> str:
        """Portuguese, Spanish or English: what the message is written in."""
        language = self._page.language[:2]
        return language if language in REPLIES else "pt"

    @property
    def text(self) -> str:
        """The text part."""
        return self._part("plain")


# ── what people write ────────────────────────────────────────────────────────────────────────────────────────────
def reply(letter: Letter, dice: Random, now: datetime) -> Mail:
    """Answer to Reply-To, above the quoted message, as most programs do."""
    mail = _answer(letter, f"Re: {letter.header('Subject')}", now)
    words = f"{dice.choice(REPLIES[letter.language])}\n\n{_quoted(letter, now)}"
    mail.set_content(words, cte="quoted-printable")
    return Mail(letter.to, letter.to, str(mail["To"]), _wire(mail))


def away(letter: Letter, now: datetime) -> Mail:
    """Answer by itself to the Return-Path, with an empty envelope sender (RFC 3834 §3.3, §4)."""
    subject, words = AWAY[letter.language]
    mail = _answer(letter, f"{subject}: {letter.header('Subject')}", now)
    mail.replace_header("To", letter.sender or mail["To"])
    mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(words + "\n", cte="quoted-printable")
    return Mail(letter.to, "", str(mail["To"]), _wire(mail))


def _answer(letter: Letter, subject: str, now: datetime) -> EmailMessage:
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = letter.to
    mail["To"] = letter.header("Reply-To") or letter.header("From")
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = _own_id(letter, "answer")
    if letter.header("Message-ID"):
        mail["In-Reply-To"] = mail["References"] = letter.header("Message-ID")
    return mail


def _quoted(letter: Letter, now: datetime) -> str:
    line = QUOTING[letter.language].format(
        date=f"{now:%d/%m/%Y}", time=f"{now:%H:%M}", sender=letter.header("From").replace('"', "")
    )
    return "\n".join([line, "", *(f"> {row}".rstrip() for row in letter.text.splitlines()[:25])]) + "\n"


# ── what machines write ──────────────────────────────────────────────────────────────────────────────────────────
def bounce(letter: Letter, verdict: tuple[str, str], now: datetime) -> Mail:
    """Report to the Return-Path that the message was not delivered (RFC 3464)."""
    status, words = verdict
    domain = letter.to.rpartition("@")[2]
    fields = [
        f"Reporting-MTA: dns; mx.{domain}",
        f"Arrival-Date: {format_datetime(now)}",
        "",
        f"Final-Recipient: rfc822; {letter.to}",
        f"Action: {'failed' if status.startswith('5') else 'delayed'}",
        f"Status: {status}",
        f"Remote-MTA: dns; mx.{domain}",
        f"Diagnostic-Code: smtp; {words}",
    ]
    subject = "Undelivered Mail Returned to Sender" if status.startswith("5") else "Delayed Mail (still being retried)"
    notice = f"This is the mail system at host mx.{domain}.\n\n<{letter.to}>: host mx.{domain} said: {words}\n"
    report = _report(letter, "delivery-status", fields, (subject, notice), now)
    return Mail(letter.to, "", letter.sender, report)


def complaint(letter: Letter, now: datetime) -> Mail:
    """Report to the Return-Path's mailbox that the reader pressed "spam" (RFC 5965)."""
    fields = [
        "Feedback-Type: abuse",
        "User-Agent: ExampleFeedback/1.0",
        "Version: 1",
        f"Original-Mail-From: <{letter.sender}>",
        f"Original-Rcpt-To: <{letter.to}>",
        f"Arrival-Date: {format_datetime(now)}",
    ]
    notice = "This is an email abuse report for a message that one of our readers marked as spam.\n"
    report = _report(letter, "feedback-report", fields, (f"FW: {letter.header('Subject')}", notice), now)
    return Mail(letter.to, f"feedback@{letter.to.rpartition('@')[2]}", letter.sender, report)


def _report(letter: Letter, kind: str, fields: list[str], words: tuple[str, str], now: datetime) -> bytes:
    """Build a multipart/report (RFC 6522): words for people, fields for machines, the headers of the message."""
    subject, notice = words
    host = letter.to.rpartition("@")[2]
    head = [
        f"From: Mail Delivery System <postmaster@mx.{host}>",
        f"To: {letter.sender}",
        f"Subject: {_encoded(subject)}",
        f"Date: {format_datetime(now)}",
        f"Message-ID: {_own_id(letter, kind)}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{_BOUNDARY}"',
    ]
    original = letter.raw.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii", "replace")
    parts = {"text/plain": notice, f"message/{kind}": "\n".join(fields), "text/rfc822-headers": original}
    body = "".join(f"--{_BOUNDARY}\nContent-Type: {name}\n\n{text}\n\n" for name, text in parts.items())
    text = "\n".join(head) + f"\n\n{body}--{_BOUNDARY}--\n"
    return text.replace("\n", "\r\n").encode()


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8").encode()


def _own_id(letter: Letter, kind: str) -> str:
    """Return a Message-ID that is the same for the same message: a run can be told apart from its repetition."""
    tag = re.sub(r"\W", "", letter.header("Message-ID"))[-40:] or re.sub(r"\W", "", letter.to)
    return f"<{kind}.{tag}@{letter.to.rpartition('@')[2]}>"


def _wire(mail: EmailMessage) -> bytes:
    return mail.as_bytes(policy=policy.SMTP)
