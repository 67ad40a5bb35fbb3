"""MIME, headers and addresses: the part of mail that must be upgradable for security."""

from vinculo.mail.address import normalise_address
from vinculo.mail.compose import compose
from vinculo.mail.header import HeaderError, safe_header

__all__ = ["HeaderError", "compose", "normalise_address", "safe_header"]
