"""The DKIM record of a selector (RFC 6376 §3.6.1): is it the public half of the key that we sign with?"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from vinculo.errors import Finding
from vinculo.mail.dkim import DkimKey
from vinculo.mail.domain.resolver import Ask
from vinculo.mail.domain.tag import tags

_WAIT = "Receivers keep the old record for as long as its TTL says."


def check_dkim(key: DkimKey, ask: Ask) -> Iterator[Finding]:
    """Check what is published for *key*. Raises `Unanswered`."""
    records = ask(key.place, "TXT")
    check = f"DKIM {key.selector}"
    if not records:
        words, remedy = f"there is no record at {key.place}", f'Publish a TXT record there: "{key.record}".'
        yield Finding("wrong", check, words, remedy)
    elif len(records) > 1:
        words = f"there are {len(records)} records at {key.place}: which one is read is chance"
        yield Finding("wrong", check, words, f'Leave one: "{key.record}".')
    else:
        yield from check_dkim_record(records[0], key)


def check_dkim_record(record: str, key: DkimKey) -> Iterator[Finding]:
    """Compare *record* with our *key*."""
    found, syntax = tags(record)
    check, mend = f"DKIM {key.selector}", f'Publish at {key.place}: "{key.record}". {_WAIT}'
    wrong = _wrong(found, syntax, key)
    if wrong:
        yield Finding("wrong", check, f"the record at {key.place} {wrong}", mend)
        return
    if "y" in _list(found.get("t", "")):
        words = f"the record at {key.place} says `t=y`: it is only a test, and receivers may ignore the signature"
        yield Finding("warn", check, words, "Take `t=y` out once signatures verify.")
        return
    yield Finding("ok", check, f"the record at {key.place} is our key ({_size(key)})")


def _wrong(found: dict[str, str], syntax: str, key: DkimKey) -> str:
    """Say why a signature with *key* would not verify, "" when it would."""
    kind = found.get("k", "rsa").lower()
    hashes, uses = (_list(found.get(name, usual)) for name, usual in (("h", "sha256"), ("s", "*")))
    reasons = (
        (bool(syntax), f"is broken: {syntax}"),
        ("v" in found and (next(iter(found)) != "v" or found["v"] != "DKIM1"), "does not begin with `v=DKIM1`"),
        ("p" not in found, "has no public key (`p=`)"),
        (not found.get("p", "?"), "is revoked: its `p=` is empty"),
        (kind != key.type, f"is for a key of type {kind}; we sign with {key.type}"),
        ("sha256" not in hashes, f"allows only `h={':'.join(hashes)}`; we sign with sha256 (RFC 8301)"),
        (not {"*", "email"} & set(uses), f"is not for mail: `s={':'.join(uses)}`"),
    )
    return next((words for wrong, words in reasons if wrong), "") or _other_key(found["p"], key)


def _list(value: str) -> list[str]:
    return "".join(value.split()).lower().split(":")


def _other_key(published: str, key: DkimKey) -> str:
    try:
        data = base64.b64decode("".join(published.split()), validate=True)
    except ValueError:  # binascii.Error is one
        return "has a damaged key: `p=` is not base64"
    return "" if data == base64.b64decode(key.public) else "is of another key than ours"


def _size(key: DkimKey) -> str:
    bits = getattr(key.private, "key_size", None)
    return f"RSA, {bits:,} bits" if bits else "Ed25519"
