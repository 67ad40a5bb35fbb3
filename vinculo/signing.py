"""Tokens, signatures and keyed hashes: what leaves the house and comes back, and must not be forged or guessed.

A token is AES-SIV (RFC 5297) over numbers: deterministic, so that a preview equals the send; opaque, so that it tells
no ids; bound to its purpose, so that an `open` token unsubscribes nobody.
"""

from __future__ import annotations

import base64
import hmac
import re
import struct
import threading
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.cmac import CMAC

from vinculo.connector import BadSignature
from vinculo.errors import UsageError, VinculoError
from vinculo.hashing import Hashing

#: Numbers are written in so many bytes each, whatever their size: the length of a token must not tell how big an id is.
_WIDTH = 8
_BLOCK = 16
_BLOCK_BITS = _BLOCK * 8
#: RFC 5297 §2.6: two bits of the tag are cleared before it counts.
_COUNTER = bytes.fromhex("ffffffffffffffff7fffffff7fffffff")
_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
#: From the letters of base64 for 0 to 31 to those of base32 (RFC 4648 §6) in lower case.
_MAIL = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef", b"abcdefghijklmnopqrstuvwxyz234567")
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
        self.token = self._derive(secret, "token")
        self.siv = AESSIV(self.token)

    @staticmethod
    def _derive(secret: str, use: str) -> bytes:
        return hmac.digest(secret.encode(), f"vinculo {use} v1".encode(), "sha512")


class Signer:
    """Makes and reads tokens with the newest secret; still reads what *old* secrets made, newest first."""

    def __init__(self, secret: str, *, old: Sequence[str] = ()) -> None:
        self._keys = [_Key(each) for each in (secret, *old)]
        #: What hashes, and neither makes nor reads a token.
        self.hashing = Hashing(self._keys[-1].mac)

    def token(self, purpose: str, *numbers: int) -> str:
        """Return *numbers* (0 to 2**64 - 1) as a token for URLs."""
        return _base64(self._seal(purpose, numbers))

    def read(self, purpose: str, token: str) -> tuple[int, ...]:
        """Return the numbers in *token*. Raises `BadToken`."""
        return self._open(purpose, _exactly(token, _from_base64, _base64))

    def mail_token(self, purpose: str, *numbers: int) -> str:
        """Return *numbers* as a token for local parts and Message-IDs, which may lose their case on the way."""
        return _base32(self._seal(purpose, numbers))

    def mint(self, url: Sequence[tuple[str, int]], mail: Sequence[tuple[str, int]] = ()) -> Mint:
        """Return what makes several tokens at once: those for URLs, then those for mail.

        Each is a purpose and the place of its number among the numbers that the mint is called with.
        """
        return Mint(self._keys[0], url, mail)

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
        return self.hashing.hash(*parts)

    def hashes(self, *first: str, last: Sequence[str]) -> list[str]:
        """Return `hash(*first, each)` of each of *last*, in a fourth of the time."""
        return self.hashing.hashes(*first, last=last)

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


class Mint:
    """Makes the tokens of one message together, each as `Signer.token` or `Signer.mail_token` would, in ASCII.

    AES-SIV of one number is two blocks of AES (RFC 5297 §2.6), so all tokens are two calls. What depends on the purpose
    alone is worked out beforehand. Each number is the high half of its block.
    """

    def __init__(self, key: _Key, url: Sequence[tuple[str, int]], mail: Sequence[tuple[str, int]]) -> None:
        marks, half = [*url, *mail], len(key.token) // 2
        self.count, self.size = len(marks), len(marks) * _BLOCK
        self.pick, self.split = _picker([which for _, which in marks]), 4 * len(url)
        #: Where each token is put together: the key's name, the tag, the number, and what makes whole letters of it.
        self.frame = [key.name, b"", b"", b"\0\0"] * len(url) + [key.name, b"", b"", b""] * len(mail)
        self.numbers, self.tags, self.seals = _each(">Q8x", marks), _each("16s", marks), _each("8s8x", marks)
        self.keys, self.local = (key.token[:half], key.token[half:]), threading.local()
        fixed = {purpose: _before_number(key.token[:half], purpose) for purpose in dict(marks)}
        self.fixed = int.from_bytes(b"".join(fixed[purpose] for purpose, _ in marks), "big")
        self.mask = int.from_bytes(_COUNTER * self.count, "big")
        self.urls, self.mails = _each(f"{_letters(6)}s2x", url), _each(f"{_letters(5)}s", mail)
        self.steps = _steps(_letters(5) * len(mail))

    def __call__(self, *numbers: int) -> tuple[bytes, ...]:
        """Return the tokens of *numbers* (0 to 2**64 - 1), those for URLs and then those for mail."""
        try:
            first, second = self.local.ciphers
        except AttributeError:
            first, second = self.local.ciphers = self._ciphers()
        size = self.size
        try:
            placed = int.from_bytes(self.numbers.pack(*self.pick(numbers)), "big")
        except struct.error:
            raise OverflowError("A token holds numbers from 0 to 2**64 - 1") from None
        tags = first((self.fixed ^ placed).to_bytes(size, "big"))
        stream = second((int.from_bytes(tags, "big") & self.mask).to_bytes(size, "big"))
        sealed = (int.from_bytes(stream, "big") ^ placed).to_bytes(size, "big")
        parts, split = self.frame.copy(), self.split
        parts[1::4], parts[2::4] = self.tags.unpack(tags), self.seals.unpack(sealed)
        urls = b2a_base64(b"".join(parts[:split]), newline=False).translate(_URL)
        mails = b2a_base64(self._spread(b"".join(parts[split:])), newline=False).translate(_MAIL)
        return self.urls.unpack(urls) + self.mails.unpack(mails)

    def _spread(self, data: bytes) -> bytes:
        """Return each five bits of *data* as six, so that what writes base64 writes base32."""
        number = int.from_bytes(data, "big")
        for low, high, by in self.steps:
            number = number & low | (number & high) << by
        return number.to_bytes(len(data) * 6 // 5, "big")

    def _ciphers(self) -> tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]:
        """Return the block cipher with both keys. A thread has its own: an encryptor serves one at a time."""
        # ECB is AES on single blocks, which is what SIV is made of.
        first, second = (Cipher(algorithms.AES(key), modes.ECB()).encryptor().update for key in self.keys)  # noqa: S305
        return first, second


def _picker(places: list[int]) -> Callable[[Sequence[int]], Sequence[int]]:
    """Return what takes the numbers at *places*."""
    return itemgetter(*places) if len(places) > 1 else lambda numbers: [numbers[place] for place in places]


def _each(form: str, marks: Sequence[object]) -> struct.Struct:
    """Return what packs one *form* for each of *marks*, a byte order before it or none."""
    order, form = (form[0], form[1:]) if form[0] in "<>" else ("", form)
    return struct.Struct(order + form * len(marks))


def _letters(bits: int) -> int:
    """Return how long a token of one number is, with so many *bits* a letter."""
    return -(-(1 + _BLOCK + _WIDTH) * 8 // bits)


def _steps(groups: int) -> list[tuple[int, int, int]]:
    """Return the steps that give each of so many groups of five bits a sixth: halves, quarters and so on move apart."""
    steps, half = [], 1 << max(groups - 1, 0).bit_length() >> 1
    while half:
        repeated = sum(1 << at * 12 * half for at in range(-(-groups // (2 * half))))
        low = (1 << 5 * half) - 1
        steps.append((low * repeated, (low << 5 * half) * repeated, half))
        half //= 2
    return steps


def _before_number(key: bytes, purpose: str) -> bytes:
    """Return all of S2V that the number is then added to (RFC 5297 §2.4), and the last step of CMAC (RFC 4493 §2.4)."""
    zero = bytes(_BLOCK)
    chained = _xor(_doubled(_cmac(key, zero)), _cmac(key, purpose.encode()))
    padding = bytes(_WIDTH) + b"\x80" + bytes(_BLOCK - _WIDTH - 1)
    subkey = _doubled(Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(zero))  # noqa: S305 - one block
    return _xor(_xor(_doubled(chained), padding), subkey)


def _cmac(key: bytes, data: bytes) -> bytes:
    mac = CMAC(algorithms.AES(key))
    mac.update(data)
    return bytes(mac.finalize())


def _doubled(block: bytes) -> bytes:
    """Multiply by x in GF(2**128), as CMAC and SIV do."""
    number = int.from_bytes(block, "big") << 1
    return ((number ^ 0x87 if number >> _BLOCK_BITS else number) & ((1 << _BLOCK_BITS) - 1)).to_bytes(_BLOCK, "big")


def _xor(one: bytes, two: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(two, "big")).to_bytes(_BLOCK, "big")


def _mac(key: _Key, purpose: str, text: str) -> str:
    signed = f"mac\0{purpose}\0{text}".encode("utf-8", "surrogatepass")
    return _base64(hmac.digest(key.mac, signed, "sha256")[:16])


def _base64(data: bytes) -> str:
    return b2a_base64(data, newline=False).translate(_URL).rstrip(b"=").decode()


def _from_base64(text: str) -> bytes:
    return a2b_base64((text + "=" * (-len(text) % 4)).encode().translate(_FROM_URL), strict_mode=True)


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
