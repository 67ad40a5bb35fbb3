"""A project of a few files, and a store filled with people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from vinculo import audience
from vinculo.db.tables import delivery, occurrence
from vinculo.model import Moment
from vinculo.project.schema import Campaign, Policy
from vinculo.segment import Segment
from vinculo.testing import store

HOME = "America/Sao_Paulo"


def project(**policy: Any) -> Any:
    """What `allocate` reads of a project."""
    segments = {
        "everyone": Segment(name="everyone", who={"all": []}),
        "staff": Segment(name="staff", who={"kind": "staff"}),
        "friends": Segment(name="friends", who={"tag": "friend"}),
    }
    shape = Policy.model_validate({"topics": {"news": {"title": {"en": "News"}}}, **policy})
    company = SimpleNamespace(timezone=HOME, currency="BRL")
    return SimpleNamespace(policy=shape, segments=segments, settings=SimpleNamespace(company=company))


class Hall:
    """Asks for the audience of one campaign over the contacts of one database."""

    def __init__(self, engine: sa.Engine, now: datetime) -> None:
        self.engine, self.now, self.home = engine, now, HOME
        self.project = project

    def add(self, **fields: Any) -> int:
        with self.engine.begin() as db:
            fields = {"consent": ["news"], **fields}
            return store.add_contact(db, **fields)

    def ask(
        self, campaign: Campaign, *, zones: dict[str, datetime] | None = None, lands: Sequence[str] = (),
        at: datetime | None = None, **policy: Any,
    ):  # fmt: skip
        """Each contact's row of the allocation."""
        now = at or self.now
        select = audience.allocate(
            project(**policy), campaign, store.occurrence(campaign, self.now), Moment(now, now.date()),
            zones={HOME: self.now} | (zones or {}), lands=lands,
        )  # fmt: skip
        with self.engine.begin() as db:
            rows = db.execute(select).all()
        assert len({row.contact_id for row in rows}) == len(rows)
        return {row.contact_id: row for row in rows}

    def had(
        self, contact_id: int, days: float, *, kind: str = "newsletter", channel: str = "email", state: str = "accepted"
    ) -> None:
        """Give a contact an earlier delivery, *days* before now."""
        at = self.now - timedelta(days=days)
        campaign = store.campaign(f"{kind}-{contact_id}-{days}".replace(".", "-"), kind=kind)
        key = {"campaign": campaign.name, "occurrence": "o"}
        times = {"due_at": at, "expires_at": at, "submitted_at": at}
        definition = campaign.model_dump(mode="json", by_alias=True)
        with self.engine.begin() as db:
            db.execute(
                sa.insert(occurrence).values(**key, state="finished", due_at=at, planned_at=at, definition=definition)
            )
            row = {"contact_id": contact_id, "state": state, "channel": channel, "topic": "service"}
            row |= {} if state == "skipped" else {"basis": "service"}
            db.execute(sa.insert(delivery).values(**key, **row, **times))


@pytest.fixture
def hall(engine: sa.Engine, now: datetime) -> Hall:
    return Hall(engine, now)
