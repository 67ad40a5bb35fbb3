"""Measured on mails that nobody here wrote, by what `make evidence` measures with."""

from collections.abc import Callable

import pytest

from bench.evidence import bounces, texts
from bench.evidence.row import Row
from tests.unit.inbox.letters import with_corpora

pytestmark = with_corpora


@pytest.mark.parametrize(
    "measure", [bounces.recipients, bounces.flufl, bounces.automatic, bounces.malformed, texts.replies, texts.agents]
)
def test_every_bar_is_reached(measure: Callable[[], list[Row]]) -> None:
    rows = measure()
    assert rows
    assert [f"{row.area} on {row.corpus}: {row.words}" for row in rows if not row.reached] == []
