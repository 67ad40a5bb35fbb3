"""Tokens, signatures and keyed hashes: what leaves the house and comes back, and must not be forged or guessed.

A token is AES-SIV (RFC 5297) over numbers: deterministic, so that a preview equals the send; opaque, so that it tells
no ids; bound to its purpose, so that an `open` token unsubscribes nobody.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from vinculo.connector import BadSignature
from vinculo.errors import UsageError, VinculoError

#: Numbers are written in so many bytes each, whatever their size: the length of a token must not tell how big an id is.
_WIDTH = 8
_SHORTEST_SECRET = 16
_WEBHOOK_NAMES = ("webhook", "svix")


class BadToken(VinculoError):
    """A token is not ours, is for another purpose, or was altered."""

    def __init__(self) -> None:
        super().__init__("This link or address is not one of ours, or is damaged", "Use the one from the message.")


class _Key:
    """What is derived from one secret: independent keys for encryption and for hashing, and a one-byte name."""

    def __init__(self, secret: str) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise UsageError(
                f"The secret key has {len(secret)} characters; {_SHORTEST_SECRET} is the least",
                "Make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`.",
            )
        self.name = self._derive(secret, "name")[:1]
        self.mac = self._derive(secret, "mac")
        self.siv = AESSIV(self._derive(secret, "token"))

    @staticmethod
    def _derive(secret: str, use: str) -> bytes:
        return hmac.digest(secret.encode(), f"vinculo {use} v1".encode(), "sha512")


class Signer:
    """Makes and reads tokens with the newest secret; still reads what *old* secrets made, newest first."""

    def __init__(self, secret: str, *, old: Sequence[str] = ()) -> None:
        self._keys = [_Key(each) for each in (secret, *old)]

    def token(self, purpose: str, *numbers: int) -> str:
        """Return *numbers* (0 to 2**64 - 1) as a token for URLs."""
        return _base64(self._seal(purpose, numbers))

    def read(self, purpose: str, token: str) -> tuple[int, ...]:
        """Return the numbers in *token*. Raises `BadToken`."""
        return self._open(purpose, _exactly(token, _from_base64, _base64))

    def mail_token(self, purpose: str, *numbers: int) -> str:
        """Return *numbers* as a token for local parts and Message-IDs, which may lose their case on the way."""
        return _base32(self._seal(purpose, numbers))

    def read_mail_token(self, purpose: str, token: str) -> tuple[int, ...]:
        """Return the numbers in *token*, in whatever case it came. Raises `BadToken`."""
        return self._open(purpose, _exactly(token.lower(), _from_base32, _base32))

    def mac(self, purpose: str, text: str) -> str:
        """Return a 128-bit signature of *text*, for URLs."""
        return _mac(self._keys[0], purpose, text)

    def verify(self, purpose: str, text: str, mac: str) -> bool:
        """Tell whether *mac* is our signature of *text* for *purpose*."""
        given = mac.encode("utf-8", "replace")
        return any(hmac.compare_digest(_mac(key, purpose, text).encode(), given) for key in self._keys)

    def hash(self, *parts: str) -> str:
        """Return a keyed hash of *parts*, 64 hexadecimal digits.

        Made with the oldest secret: hashes are kept in the database, and a suppression must survive a new secret.
        """
        framed = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts)
        return hmac.new(self._keys[-1].mac, b"hash\0" + framed, hashlib.sha256).hexdigest()

    def _seal(self, purpose: str, numbers: Sequence[int]) -> bytes:
        key = self._keys[0]
        plain = b"".join(number.to_bytes(_WIDTH, "big") for number in numbers)
        return key.name + key.siv.encrypt(plain, [purpose.encode()])

    def _open(self, purpose: str, sealed: bytes) -> tuple[int, ...]:
        for key in self._keys:
            if sealed[:1] != key.name:
                continue
            try:
                plain = key.siv.decrypt(sealed[1:], [purpose.encode()])
            except InvalidTag:
                continue
            return tuple(int.from_bytes(plain[at : at + _WIDTH], "big") for at in range(0, len(plain), _WIDTH))
        raise BadToken


def _mac(key: _Key, purpose: str, text: str) -> str:
    signed = f"mac\0{purpose}\0{text}".encode("utf-8", "surrogatepass")
    return _base64(hmac.digest(key.mac, signed, "sha256")[:16])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _base32(data: bytes) -> str:
    return base64.b32encode(data).rstrip(b"=").decode().lower()


def _from_base32(text: str) -> bytes:
    return base64.b32decode(text.upper() + "=" * (-len(text) % 8))


def _exactly(text: str, decode: Callable[[str], bytes], encode: Callable[[bytes], str]) -> bytes:
    """Decode *text*; refuse a second spelling of the same bytes, which would slip past what compares tokens."""
    try:
        data = decode(text)
    except ValueError:
        raise BadToken from None
    if encode(data) != text:
        raise BadToken
    return data


# ── webhooks (standardwebhooks.com, specification 1.0) ───────────────────────────────────────────────────────────
def sign_webhook(secret: str, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the standard's word
    """Return the `webhook-signature` of *body*; *timestamp* in seconds since 1970."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_webhook_key(secret), signed, "sha256")).decode()


def verify_webhook(
    secret: str | Sequence[str], headers: Mapping[str, str], body: bytes, *, now: datetime, window: int = 300
) -> str:
    """Return the webhook's id if *body* is signed by one of the secrets, at most *window* seconds from *now*.

    *headers* may be in any case, and named `webhook-…` or `svix-…`. Raises `BadSignature`, also when no secret is set.
    """
    secrets = [each for each in ([secret] if isinstance(secret, str) else secret) if each]
    if not secrets:
        raise BadSignature("The webhook cannot be checked: no secret is set", "Set it in the connector's section.")
    id_, stamp, signatures = _webhook_headers(headers)
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now.timestamp() - int(stamp)) > window:
        raise BadSignature(f"The webhook's timestamp is not within {window} seconds of now")
    given = [each.encode("utf-8", "replace") for each in signatures.split()]
    wanted = [sign_webhook(each, id_, int(stamp), body).encode() for each in secrets]
    if not any(hmac.compare_digest(one, two) for one in wanted for two in given):
        raise BadSignature("The webhook is not signed with our secret")
    return id_


def _webhook_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    for name in _WEBHOOK_NAMES:
        found = tuple(lower.get(f"{name}-{part}", "") for part in ("id", "timestamp", "signature"))
        if all(found):
            return found[0], found[1], found[2]
    raise BadSignature("The webhook lacks one of webhook-id, webhook-timestamp, webhook-signature")


def _webhook_key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:  # binascii.Error is one
        raise UsageError("A webhook secret is not base64", "Copy it as the provider shows it: `whsec_…`.") from None
