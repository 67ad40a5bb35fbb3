"""DKIM signatures (RFC 6376): a receiver can tell that what it reads is what we wrote, one-click header included.

Canonicalisation is relaxed/simple. Relays refold headers, so those are compared relaxed; nobody re-spaces a body that
is 7-bit with short lines, which is what `compose` makes when a message will be signed (§5.3), and simple costs nothing.
The tag `l=` is never written: what it leaves out, anybody may append (§8.2).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from vinculo.errors import UsageError

#: What a signature covers if it is there: RFC 6376 §5.4.1, RFC 8058 §4, and what Gmail wants signed (Feedback-ID).
SIGNED = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references mime-version content-type "
    b"content-transfer-encoding list-id list-unsubscribe list-unsubscribe-post feedback-id auto-submitted".split()
)
#: What a reader sees or acts on. It is signed once more as absent, so that a second one breaks the signature (§8.15).
ONCE = frozenset(
    b"from reply-to to subject date message-id mime-version content-type content-transfer-encoding "
    b"list-unsubscribe list-unsubscribe-post".split()
)
#: RFC 8301 §3.2 says "at least 2048" as a should, and nothing speaks for less; above 4096 few verify.
_RSA_BITS = range(2048, 4097)
_MAKE = "Make one with `openssl genrsa -out var/dkim.pem 2048`, and name the file in dkim.key_file."
_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \1-----", re.DOTALL)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE)
_BLANKS = re.compile(rb"[ \t]+")


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key, and where its public half is published: a TXT record at `selector._domainkey.domain`."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def type(self) -> str:
        """What the record calls it, `k=`: rsa or ed25519."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def place(self) -> str:
        """The name at which the record is published."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def public(self) -> str:
        """The public key as the record holds it, `p=` (RFC 6376 §3.6.1, RFC 8463 §4)."""
        if isinstance(self.private, RSAPrivateKey):
            data = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            data = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return base64.b64encode(data).decode()

    @property
    def record(self) -> str:
        """The record to publish."""
        return f"v=DKIM1; k={self.type}; p={self.public}"

    def signature(self, text: bytes) -> bytes:
        """Sign *text*. The same text gives the same signature."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(text, PKCS1v15(), SHA256())
        return self.private.sign(hashlib.sha256(text).digest())  # RFC 8463 §3: of the hash, by PureEdDSA


class Dkim:
    """Signs messages with one key or several: RSA for everybody, Ed25519 beside it for those who read it."""

    def __init__(self, keys: Sequence[DkimKey]) -> None:
        self.keys = tuple(keys)

    def sign(self, data: bytes, at: datetime) -> bytes:
        """Return *data*, a message with CRLF line ends, with its signatures before it; *at* is when they say it was.

        The same message at the same time gives the same bytes.
        """
        head, _, body = data.partition(b"\r\n\r\n")
        text, names = _relaxed(head)
        seen = base64.b64encode(hashlib.sha256(_simple(body)).digest()).decode()
        time = int(at.timestamp())
        return b"".join([*(_header(key, text, names, f"t={time}; bh={seen};") for key in self.keys), data])


def _header(key: DkimKey, text: bytes, names: tuple[bytes, ...], facts: str) -> bytes:
    """Return the DKIM-Signature of *key* over the canonical headers *text*."""
    start = (
        f"v=1; a={key.type}-sha256; c=relaxed/simple; d={key.domain};\r\n"
        f" s={key.selector}; {facts}\r\n h={_folded(names)};\r\n b="
    ).encode()
    # Its own header ends what is signed: relaxed, without b= and without a line end (§3.7).
    own = b"dkim-signature:" + start.replace(b"\r\n", b"")
    mark = base64.b64encode(key.signature(text + own))
    lines = b"\r\n ".join(mark[at : at + 74] for at in range(0, len(mark), 74))
    return b"DKIM-Signature: " + start + lines + b"\r\n"


@lru_cache(maxsize=256)
def _folded(names: tuple[bytes, ...]) -> str:
    """Return *names* for `h=`, on lines of at most 78 characters."""
    lines = [""]
    for name in (each.decode() for each in names):
        if len(lines[-1]) + len(name) > 72:
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n ".join(lines)[:-1]


def _relaxed(head: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the headers that are signed in relaxed form (§3.4.2), and their names in the order of `h=`.

    From the last header to the first, since that is how a verifier takes several of one name (§5.4.2).
    """
    text, names = [], []
    for line in reversed(head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")):
        name, _, value = line.partition(b":")
        name = name.rstrip(b" \t").lower()
        if name in SIGNED:
            names.append(name)
            text.append(name + b":" + _squeezed(value) + b"\r\n")
    return b"".join(text), (*names, *dict.fromkeys(name for name in names if name in ONCE))


def _squeezed(value: bytes) -> bytes:
    value = value.strip(b" \t")
    return _BLANKS.sub(b" ", value) if b"  " in value or b"\t" in value else value


def _simple(body: bytes) -> bytes:
    """Return *body* in simple form: it ends in exactly one line end (§3.4.3)."""
    if body.endswith(b"\r\n") and not body.endswith(b"\r\n\r\n"):
        return body
    while body.endswith(b"\r\n"):
        body = body[:-2]
    return body + b"\r\n"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def read_keys(text: str, domain: str, selectors: str) -> tuple[DkimKey, ...]:
    """Read the private keys in *text*, PEM, one for each of *selectors* (apart by blanks), in their order.

    Raises `UsageError` that says what is wrong with a key, and shows nothing of it.
    """
    names = selectors.split()
    for name in (domain, *names):
        if not _NAME.fullmatch(name):
            raise UsageError(f"`{name[:80]}` is no domain or selector of DKIM", "Write letters, digits and hyphens.")
    found = list(_PEM.finditer(text))
    if not found:
        raise UsageError("The DKIM key is no private key in PEM", _MAKE)
    if len(found) != len(names):
        count = f"{len(found)} in the file, {len(names)} named in dkim.selector"
        raise UsageError(f"DKIM has not one key for each selector: {count}", "Give as many, in the same order.")
    return tuple(DkimKey(domain.lower(), name, _key(pem)) for name, pem in zip(names, found, strict=True))


def _key(pem: re.Match[str]) -> RSAPrivateKey | Ed25519PrivateKey:
    if not pem[1].endswith("PRIVATE KEY"):
        raise UsageError(f"The DKIM key is a {pem[1].lower()}, not a private key", _MAKE)
    if "ENCRYPTED" in pem[0]:
        raise UsageError(
            "The DKIM key is locked with a password", "Unlock a copy: `openssl pkey -in KEY -out var/dkim.pem`."
        )
    try:
        key = load_pem_private_key(pem[0].encode("ascii", "replace"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError("The DKIM key cannot be read: the file is damaged", _MAKE) from None
    if isinstance(key, RSAPrivateKey) and key.key_size not in _RSA_BITS:
        raise UsageError(f"The DKIM key has {key.key_size:,} bits; 2,048 to 4,096 are right (RFC 8301)", _MAKE)
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise UsageError(f"The DKIM key is of type {kind}; mail is signed with RSA or Ed25519", _MAKE)
    return key
