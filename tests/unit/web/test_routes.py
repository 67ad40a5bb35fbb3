"""The documentation lists the app's routes: all of them, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.routing import Route

from tests.unit.web.conftest import Town

DOCS = Path(__file__).resolve().parents[3] / "docs" / "web.md"


def test_the_table_of_urls_is_the_apps(town: Town) -> None:
    rows = re.findall(r"^\| (GET|POST) \| `([^`]+)` \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    app = town.client.app
    routes = [
        (method, route.path)
        for route in app.routes  # type: ignore[attr-defined]
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]
    assert sorted(rows) == sorted(routes)


def test_every_page_that_is_shown_answers_head(town: Town) -> None:
    for path in ("/", "/calendar", f"/unsubscribe/{town.token('unsubscribe')}", "/healthz"):
        answer = town.client.head(path)
        assert (answer.status_code, answer.content) == (200, b"")
