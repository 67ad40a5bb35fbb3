"""What entering an audience into the ledger asks first."""

import pytest

from vinculo import audience
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
