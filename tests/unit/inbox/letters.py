"""Mails that come back, made for tests."""

from __future__ import annotations

import pytest

from bench.evidence.row import CORPORA

with_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason=f"the corpora are not at {CORPORA}")


def dsn(
    to: str = "bounces@shop.example",
    *,
    action: str = "failed",
    status: str = "5.1.1",
    words: str = "smtp; 550 5.1.1 <ana@example.com>: user unknown",
    recipients: tuple[str, ...] = ("ana@example.com",),
    message_id: str = "<original@shop.example>",
    extra: str = "",
) -> bytes:
    """A delivery report (RFC 3464)."""
    groups = "\r\n\r\n".join(
        f"Final-Recipient: rfc822; {each}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: {words}"
        for each in recipients
    )
    return (
        f"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\r\nTo: {to}\r\n"
        f"Subject: Undelivered Mail Returned to Sender\r\nMessage-ID: <report@mx.example>\r\n{extra}"
        "Date: Tue, 1 Dec 2026 12:00:00 +0000\r\nAuto-Submitted: auto-replied\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\nYour mail could not be delivered.\r\n\r\n"
        f"--b1\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n{groups}\r\n\r\n"
        f"--b1\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: {message_id}\r\nFrom: news@shop.example\r\n"
        "Subject: News\r\n\r\nHello\r\n--b1--\r\n"
    ).encode()


def complaint(*, kind: str = "abuse", returned: str = "To: ana@example.com\r\n", fields: str = "") -> bytes:
    """A feedback report (RFC 5965)."""
    return (
        "From: fbl@provider.example\r\nTo: abuse@shop.example\r\nSubject: FW: News\r\nMessage-ID: <arf@provider.example>\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b1"\r\n\r\n'
        "--b1\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        f"--b1\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nVersion: 1\r\n{fields}"
        f"--b1\r\nContent-Type: message/rfc822\r\n\r\nFrom: news@shop.example\r\n{returned}\r\nHello\r\n--b1--\r\n"
    ).encode()


def letter(
    text: str = "Thank you!",
    *,
    to: str = "replies@shop.example",
    subject: str = "Re: News",
    headers: str = "In-Reply-To: <original@shop.example>\r\n",
) -> bytes:
    """A mail that a person wrote."""
    return (
        f"From: Ana <ana@example.com>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <1@example.com>\r\n"
        f"Date: Tue, 1 Dec 2026 12:00:00 +0000\r\n{headers}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
