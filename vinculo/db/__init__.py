"""Tables, engine, migrations."""

from vinculo.db.engine import connect, require
from vinculo.db.tables import Instant, metadata, micros

__all__ = ["Instant", "connect", "metadata", "micros", "require"]
