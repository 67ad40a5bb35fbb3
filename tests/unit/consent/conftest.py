from datetime import datetime

import pytest
import sqlalchemy as sa

from vinculo.db.tables import contact


@pytest.fixture
def people(engine: sa.Engine, now: datetime) -> list[int]:
    """Three contacts."""
    with engine.begin() as db:
        for key in ("ana", "bruno", "carla"):
            db.execute(sa.insert(contact).values(key=key, first_seen=now, updated_at=now))
        return list(db.scalars(sa.select(contact.c.id).order_by(contact.c.id)))
