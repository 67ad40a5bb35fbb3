"""What entering an audience into the ledger asks first."""

import pytest
import sqlalchemy as sa

from vinculo import audience
from vinculo.db.tables import delivery
from vinculo.errors import UsageError
from vinculo.segment import Segment
from vinculo.testing import store

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize("place", ["segment", "exclude", "within"])
def test_a_question_in_sql_ends_when_its_time_is_over(hall, place):
    hall.add(key="ana")
    files = hall.project()
    files.settings.limits = type("Limits", (), {"sql_seconds": 0.2})
    files.segments["endless"] = Segment(name="endless", sql=ENDLESS)
    files.segments["within"] = Segment(name="within", who={"segment": "endless"})
    asked = {"exclude": ["endless"]} if place == "exclude" else {"segment": {"segment": "endless"}.get(place, place)}
    campaign = store.campaign(**asked)
    with hall.engine.begin() as db, pytest.raises(UsageError, match="took longer"):
        audience.enter(db, files, campaign, store.occurrence(campaign, hall.now), hall.now, zones=[hall.home])


@pytest.mark.parametrize(
    "who", [{"size": "G"}, {"cups": {"at_least": 3}}, {"vegan": True}, {"size": {"is": "present"}}]
)
def test_traits_say_who_gets_a_campaign_and_who_does_not(hall, who):
    there = hall.add(key="ana", email="ana@e.org", traits={"size": "G", "cups": 3, "vegan": True})
    other = hall.add(key="bia", email="bia@e.org", traits={"cups": 2, "vegan": False})
    files = hall.project()
    files.settings.limits = type("Limits", (), {"sql_seconds": 60})
    files.segments["such"] = Segment(name="such", who={"traits": who})
    for campaign, expected in (
        (store.campaign("to", segment="such"), {there: ""}),
        (store.campaign("not-to", exclude=["such"]), {there: "excluded", other: ""}),
    ):
        with hall.engine.begin() as db:
            audience.enter(db, files, campaign, store.occurrence(campaign, hall.now), hall.now, zones=[hall.home])
            rows = sa.select(delivery.c.contact_id, delivery.c.reason).where(delivery.c.campaign == campaign.name)
            assert dict(db.execute(rows).tuples().all()) == expected
