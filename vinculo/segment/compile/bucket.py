"""A fixed random number for each contact, the same in SQLite, PostgreSQL and Python.

A polynomial of degree 4 over the field of a prime, with coefficients drawn from the salt, is 5-wise independent
(Carter and Wegman 1979): any five contacts fall like five throws of a die. All it needs is 64-bit whole numbers.
"""

from __future__ import annotations

import hashlib
from typing import Any

import sqlalchemy as sa

_PRIME = 2**31 - 1  # products of two numbers below it stay within 63 bits


def _coefficients(salt: str) -> list[int]:
    digest = hashlib.sha256(salt.encode()).digest()
    first, *rest = [int.from_bytes(digest[at : at + 6], "big") for at in range(0, 30, 6)]
    return [1 + first % (_PRIME - 1), *(number % _PRIME for number in rest)]


def bucket(contact_id: sa.ColumnElement[int], salt: str) -> sa.ColumnElement[Any]:
    """Return a number in [0, 1) for each contact; another *salt*, another number."""
    x = contact_id % sa.literal(_PRIME, sa.BigInteger)
    first, *rest = (sa.literal(number, sa.BigInteger) for number in _coefficients(salt))
    value: sa.ColumnElement[int] = first
    for number in rest:
        value = (value * x + number) % sa.literal(_PRIME, sa.BigInteger)
    return sa.type_coerce(sa.cast(value, sa.Double) / sa.literal(float(_PRIME), sa.Double), sa.Double)


def bucket_of(contact_id: int, salt: str) -> float:
    """The same number in Python."""
    x = contact_id % _PRIME
    value, *rest = _coefficients(salt)
    for number in rest:
        value = (value * x + number) % _PRIME
    return value / _PRIME
