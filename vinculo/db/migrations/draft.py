"""Writes the revision that leads from the one before it to `db/tables`; read it before you commit it.

python -m vinculo.db.migrations.draft 0001 "the first tables"
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations.ops import UpgradeOps
from alembic.runtime.migration import MigrationContext

from vinculo.db.engine import connect
from vinculo.db.migration import config
from vinculo.db.tables import Instant, metadata

_TEMPLATE = '''"""{message}"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = {before!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{code}
'''


def draft(revision: str, message: str) -> Path:
    """Write the revision *revision* (`0001`, `0002` …) and return its file."""
    before = f"{int(revision) - 1:04}" if int(revision) > 1 else None
    engine = connect("sqlite://")
    with engine.begin() as db:
        if before:
            command.upgrade(config(db), before)
        context = MigrationContext.configure(db, opts={"target_metadata": metadata})
        code = _code(produce_migrations(context, metadata).upgrade_ops)
    path = Path(__file__).parent / "versions" / f"{revision}.py"
    path.write_text(_TEMPLATE.format(message=message, revision=revision, before=before, code=code), encoding="utf-8")
    return path


def _code(operations: UpgradeOps | None) -> str:
    assert operations is not None
    code = render_python_code(operations, render_as_batch=True, render_item=_item)
    lines = (line for line in code.splitlines() if "###" not in line)
    return "\n".join(lines).replace("JSONB(astext_type=Text())", "JSONB()")


def _item(kind: str, value: Any, context: Any) -> str | Literal[False]:  # noqa: ARG001 - Alembic's signature
    """A migration must mean the same for ever: no type of ours, which may change, is named in it."""
    return "sa.BigInteger()" if kind == "type" and isinstance(value, Instant) else False


if __name__ == "__main__":
    if len(sys.argv) != 3 or not re.fullmatch(r"\d{4}", sys.argv[1]):
        sys.exit(__doc__)
    print(draft(sys.argv[1], sys.argv[2]))  # noqa: T201 - a maintainer's tool
