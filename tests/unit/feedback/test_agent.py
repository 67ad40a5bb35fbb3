"""Who opened: a person, a provider's proxy or a machine."""

import pytest
from ruamel.yaml import YAML

from tests.unit.inbox.letters import CORPORA, with_corpora
from vinculo.feedback.agent import judge


@pytest.mark.parametrize(
    ("agent", "who"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "human",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
            "human",
        ),
        ("Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)", "proxy"),
        ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "proxy"),
        ("Mozilla/5.0", "proxy"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "machine"),
        ("Barracuda Sentinel (EE)", "machine"),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17328; Pro)", "human"),
        ("Mozilla/5.0 (Linux; Android 6.0; CUBOT MAX) AppleWebKit/537.36 Chrome/72.0 Mobile Safari/537.36", "human"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0", "human"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Mimecast", "machine"),
        ("curl/8.5.0", "machine"),
        ("", "machine"),
    ],
)
def test_the_user_agent_tells(agent: str, who: str) -> None:
    assert judge({"user_agent": agent}) == who


def test_a_link_checked_with_head_is_checked_by_a_machine() -> None:
    assert judge({"user_agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140", "method": "head"}) == "machine"


def test_nothing_known_is_no_person() -> None:
    assert judge({}) == "machine"


def _agents(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [agent for each in inner for agent in _agents(each)]


@with_corpora
@pytest.mark.parametrize(
    ("name", "who", "least"), [("crawlers", ("machine", "proxy"), 0.97), ("browsers", ("human",), 0.995)]
)
def test_the_rule_on_agents_that_others_collected(name: str, who: tuple[str, ...], least: float) -> None:
    agents = _agents(YAML(typ="safe").load(CORPORA / "agents" / f"{name}.yml"))
    right = sum(judge({"user_agent": agent}) in who for agent in agents)
    print(f"{name}: {right} of {len(agents)}")  # noqa: T201 - shown with `pytest -s`
    assert right >= least * len(agents)
