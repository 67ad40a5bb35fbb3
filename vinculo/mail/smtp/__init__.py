"""An SMTP client that knows how far each message came: many connections in one thread, no message twice.

`Client` is the door; under it a `Pool` of `Session`s, each of which speaks through a `Wire`. Every failure has the
verdict of `vinculo.mail.verdict`.
"""

from vinculo.mail.smtp.client import Client

__all__ = ["Client"]
