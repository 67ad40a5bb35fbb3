"""What a DKIM signature costs: ours with RSA-2048, with Ed25519, with both, against dkimpy, in interleaved rounds.

    PYTHONPATH=. .venv/bin/python bench/signature.py

CPU µs per message of 15 KB; `bare` is what the library needs for the RSA signature alone.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median
from time import process_time

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from vinculo.mail import compose, downgrade
from vinculo.mail.dkim import Dkim, DkimKey
from vinculo.model import Mailbox, Message

AT = datetime(2026, 3, 3, 12, tzinfo=UTC)
ROUNDS, TIMES = 7, 40


def letter() -> bytes:
    """A newsletter of about 15 KB with the headers that we send."""
    words = "<p>Uma história de café, contada em poucas linhas para quem gosta dele de manhã.</p>\n"
    leave = (
        ("Date", "Tue, 03 Mar 2026 12:00:00 +0000"),
        ("List-Id", "news <news.shop.example>"),
        ("Feedback-ID", "c-weekly:t-news:k-newsletter:shopexample"),
        ("List-Unsubscribe", f"<https://shop.example/unsubscribe/{'x' * 40}>, <mailto:replies+x@shop.example>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    shop = Mailbox("Loja", "shop@shop.example")
    return compose(
        Message(
            *("k", "email", "ana@b.example", words * 20),
            subject="Olá, Ana",
            html=words * 140,
            sender=shop,
            message_id="<x@shop.example>",
            headers=leave,
        )
    )


def ways(composed: bytes) -> dict[str, Callable[[], object]]:
    """Each way to sign a message, and what it costs to make it 7-bit before."""
    data = downgrade(composed)
    rsa = DkimKey("shop.example", "r", generate_private_key(65537, 2048))
    edwards = DkimKey("shop.example", "e", Ed25519PrivateKey.generate())
    pem = rsa.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return {
        "bare": lambda: rsa.signature(b"x" * 500),
        "RSA-2048": lambda: Dkim([rsa]).sign(data, AT),
        "Ed25519": lambda: Dkim([edwards]).sign(data, AT),
        "both": lambda: Dkim([rsa, edwards]).sign(data, AT),
        "the 7 bits": lambda: downgrade(composed),
        "dkimpy, RSA-2048": lambda: dkim.sign(data, b"r", b"shop.example", pem),
    }


def measured(way: Callable[[], object]) -> float:
    """CPU µs of one call, of the mean of a few."""
    start = process_time()
    for _ in range(TIMES):
        way()
    return (process_time() - start) / TIMES * 1e6


def main() -> None:
    """Print the medians."""
    data = letter()
    all_ways = ways(data)
    rounds = [{name: measured(way) for name, way in all_ways.items()} for _ in range(ROUNDS)]
    print(f"{len(data):,} bytes, median of {ROUNDS} interleaved rounds")
    for name in all_ways:
        ratio = median(each[name] / each["bare"] for each in rounds)
        print(f"{name:17} {median(each[name] for each in rounds):8.0f} µs   {ratio:6.2f} × bare RSA")


if __name__ == "__main__":
    main()
