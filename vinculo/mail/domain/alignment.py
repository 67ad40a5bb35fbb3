"""Whose domain is it? DMARC asks whether From, the signature and the return path are of one organisation."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def organisation(domain: str) -> str:
    """Return the organisational domain of *domain*: shop.com.br of news.shop.com.br (RFC 7489 §3.2).

    By the Public Suffix List. The walk of RFC 9989 §4.10 gives the same, but for domains that publish `psd=`.
    """
    name = domain.lower().rstrip(".")
    return _suffixes().privatesuffix(name) or name


def aligned(one: str, other: str, *, strict: bool = False) -> bool:
    """Tell whether two domains are aligned: the same, or unless *strict* of one organisation (RFC 7489 §3.1)."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    return one == other or (not strict and organisation(one) == organisation(other))


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # reading its list takes a tenth of a second

    return PublicSuffixList()
