"""Who may come into the console, from where, by which name: walked over every route there is."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.unit.web.conftest import BASE, OURS, Build, Town
from vinculo.db.tables import control, occurrence
from vinculo.errors import NotReady
from vinculo.project.schema import Web
from vinculo.web import console
from vinculo.web.console.gate import COOKIE, require_password
from vinculo.web.failures import Failures

PASSWORD = 'password = "correct horse"'
POSTS = [route.path for route in console.routes if "POST" in (route.methods or ())]
GETS = [route.path for route in console.routes if "GET" in (route.methods or ())]
FILLED = {"{name}": "weekly", "{number:int}": "1"}


def filled(path: str) -> str:
    for hole, value in FILLED.items():
        path = path.replace(hole, value)
    return path


def enter(town: Town, password: str = "correct horse", **form: str) -> int:
    return town.client.post("/login", data={"password": password, **form}, headers=OURS).status_code


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8500"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {},
    ],
    ids=str,
)
def test_no_post_from_elsewhere_changes_anything(town: Town, path: str, headers: dict[str, str]) -> None:
    before = town.rows(control), town.rows(occurrence)
    assert town.client.post(filled(path), headers=headers).status_code == 403
    assert (town.rows(control), town.rows(occurrence)) == before


@pytest.mark.parametrize("path", [path for path in POSTS if path != "/login"])
def test_no_post_without_a_login_changes_anything(build: Build, path: str) -> None:
    town = build(setup=PASSWORD)
    assert town.client.post(filled(path), headers=OURS).status_code == 403
    assert town.rows(control) == 0


@pytest.mark.parametrize("path", [path for path in GETS if path != "/login"])
def test_no_page_is_shown_without_a_login(build: Build, path: str) -> None:
    town = build(setup=PASSWORD)
    answer = town.client.get(f"{filled(path)}?days=1&all")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=" + quote(f"{filled(path)}?days=1&all", safe="")


def test_every_route_of_the_app_is_the_contacts_the_consoles_or_neither(town: Town) -> None:
    open_ = (
        "/o/",
        "/c/",
        "/unsubscribe/",
        "/preferences/",
        "/view/",
        "/survey/",
        "/confirm/",
        "/webhooks/",
        "/events",
        "/healthz",
    )
    app = town.client.app
    rest = [r for r in app.routes if isinstance(r, Route) and not r.path.startswith(open_)]  # type: ignore[attr-defined]
    assert rest == console.routes
    assert all(route.app.__class__.__name__ == "Gate" for route in rest)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8500", "http://localhost:8500"])
def test_an_older_browser_is_known_by_its_origin(town: Town, origin: str) -> None:
    headers = {"Origin": origin, "Host": origin.removeprefix("http://")}
    assert town.client.post("/campaigns/weekly/pause", headers=headers).status_code == 303
    assert town.rows(control) == 1


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8500"])
def test_a_name_that_is_not_ours_gets_nothing(town: Town, host: str) -> None:
    answer = town.client.get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert "weekly" not in answer.text


def test_a_console_for_other_machines_is_called_by_whatever_name_they_have_for_it(build: Build) -> None:
    town = build(setup=PASSWORD + '\nhost = "0.0.0.0"')
    assert town.client.get("/", headers={"Host": "10.0.0.7:8500"}).status_code == 303


def test_a_name_that_web_url_gives_us_is_ours(build: Build) -> None:
    town = build(setup='url = "https://mail.casaaurora.example"')
    assert town.client.get("/", headers={"Host": "mail.casaaurora.example"}).status_code == 200


# ── logging in ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_password_opens_the_console_until_the_session_ends(build: Build) -> None:
    town = build(setup=PASSWORD)
    answer = town.client.post("/login", data={"password": "correct horse", "next": "/plan?days=1"}, headers=OURS)
    assert (answer.status_code, answer.headers["location"]) == (303, "/plan?days=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert town.client.get("/").status_code == 200
    town.clock[0] += timedelta(hours=12, seconds=1)
    assert town.client.get("/").status_code == 303


def test_over_https_the_cookie_is_for_https_alone(build: Build) -> None:
    town = build(setup=PASSWORD + '\nurl = "https://127.0.0.1:8500"')
    answer = town.client.post("/login", data={"password": "correct horse"}, headers=OURS)
    assert "Secure" in answer.headers["set-cookie"]
    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_logging_out_takes_the_cookie_back(build: Build) -> None:
    town = build(setup=PASSWORD)
    enter(town)
    town.client.post("/logout", headers=OURS)
    assert town.client.get("/").status_code == 303


def test_a_cookie_that_was_altered_or_made_for_another_password_is_none(build: Build) -> None:
    town = build(setup=PASSWORD)
    enter(town)
    good = town.client.cookies[COOKIE]
    until, _, mac = good.partition(".")
    town.client.cookies.clear()
    other = town.rt.signer.mac("console", f"{until} {town.rt.signer.hash('console', 'another')}")
    for forged in (
        f"{int(until) + 1}.{mac}",
        f"{until}.{mac[:-1]}x",
        f"{until}.{other}",
        until,
        ".",
        "x.y",
        "nan." + mac,
    ):
        assert town.client.get("/", headers={"Cookie": f"{COOKIE}={forged}"}).status_code == 303, forged
    assert town.client.get("/", headers={"Cookie": f"{COOKIE}={good}"}).status_code == 200


def test_failures_cost_waits_that_double_and_end(build: Build) -> None:
    town = build(setup=PASSWORD)
    assert [enter(town, "wrong") for _ in range(5)] == [403] * 5
    assert enter(town) == 429  # not even the right one
    town.clock[0] += timedelta(seconds=1)
    assert enter(town, "wrong") == 403
    answer = town.client.post("/login", data={"password": "x"}, headers=OURS)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    town.clock[0] += timedelta(seconds=2)
    assert enter(town) == 303


def test_who_fails_makes_nobody_else_wait_and_a_right_password_ends_the_count(build: Build) -> None:
    """Else whoever guesses locks out whose console it is."""
    town = build(setup=PASSWORD)
    assert [enter(town, "wrong") for _ in range(6)] == [*[403] * 5, 429]
    town.client = TestClient(town.client.app, base_url=BASE, client=("192.0.2.7", 1), follow_redirects=False)
    for _ in range(2):
        assert [enter(town, "wrong") for _ in range(4)] == [403] * 4
        assert enter(town) == 303


def test_however_many_fail_the_wait_stays_at_five_minutes_and_the_last_are_remembered(now: datetime) -> None:
    failures = Failures()
    for _ in range(1_100):
        failures.add("one", now)
    assert failures.wait("one", now) == 300
    assert failures.wait("one", now + timedelta(seconds=299)) == 1
    assert failures.wait("one", now + timedelta(seconds=300)) == 0
    for number in range(9_998):
        failures.add(str(number), now)
    failures.add("one", now)  # it goes on: it is the newest again
    for number in range(9_999):
        failures.add(f"new {number}", now)
    assert failures.wait("one", now) == 300
    failures.add("the 10001st", now)
    assert failures.wait("one", now) == 0


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1", ""]
)
def test_after_the_login_nobody_is_led_away(build: Build, path: str) -> None:
    town = build(setup=PASSWORD)
    answer = town.client.post("/login", data={"password": "correct horse", "next": path}, headers=OURS)
    assert answer.headers["location"] == "/"


def test_an_open_console_is_for_this_machine_alone() -> None:
    for ours in ("127.0.0.1", "localhost", "::1"):
        require_password(Web(host=ours))
    require_password(Web(host="0.0.0.0", url="https://mail.example", password="p"))
    for web in (Web(host="0.0.0.0"), Web(url="https://mail.example")):
        with pytest.raises(NotReady, match=r"Set web\.password"):
            require_password(web)
