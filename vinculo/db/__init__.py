"""Tables, engine, migrations."""

from vinculo.db.engine import connect, require
from vinculo.db.migration import HEAD, backup, current, found, upgrade
from vinculo.db.tables import Instant, metadata, micros

__all__ = ["HEAD", "Instant", "backup", "connect", "current", "found", "metadata", "micros", "require", "upgrade"]
