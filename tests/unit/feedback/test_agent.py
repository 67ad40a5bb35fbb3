"""Who opened: a person, a provider's proxy or a machine."""

import pytest

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
