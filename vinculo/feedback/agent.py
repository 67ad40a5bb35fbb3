"""Who loaded the image or followed the link: a person, a mail provider's image proxy, or a machine.

The raw features stay in the history, with the number of the rule that judged them: a better rule can judge again.
A proxy (Gmail, Yahoo, Apple's privacy protection) fetches for a person, or for nobody: it proves no reading, and it
is no robot. Robots name themselves, send no user agent, or ask with HEAD as link scanners do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Raise it with every change of the rule.
RULE = 1

_PROXY = re.compile(r"GoogleImageProxy|YahooMailProxy|YahooCacheSystem|OutlookImageProxy|ggpht\.com", re.IGNORECASE)
#: Apple's proxies say no more than this (Mail Privacy Protection, since 2021).
_APPLE = "Mozilla/5.0"
_MACHINE = re.compile(
    r"bot\b|bot[/_ -]|crawl|spider|slurp|scan|monitor|preview|fetch|check|headless|phantom|curl|wget|python|perl|ruby"
    r"|java/|go-http|okhttp|axios|node|http-?client|libwww|facebookexternal|whatsapp|barracuda|proofpoint|mimecast"
    r"|safelinks|compatible;\s*\w+/|\+https?://|@",
    re.IGNORECASE,
)
_BROWSER = re.compile(r"^(Mozilla|Opera)/\d")


def judge(features: Mapping[str, Any]) -> str:
    """Return `human`, `proxy` or `machine` for *features*: `user_agent`, and `method` if it was not GET."""
    agent = str(features.get("user_agent", "")).strip()
    if str(features.get("method", "GET")).upper() == "HEAD":
        return "machine"
    if agent == _APPLE or _PROXY.search(agent):
        return "proxy"
    return "machine" if _MACHINE.search(agent) or not _BROWSER.match(agent) else "human"
