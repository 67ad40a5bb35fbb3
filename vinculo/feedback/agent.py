"""Who loaded the image or followed the link: a person, a mail provider's image proxy, or a machine.

The raw features stay in the history, with the number of the rule that judged them: a better rule can judge again.
A proxy (Gmail, Yahoo, Apple's privacy protection) fetches for a person, or for nobody: it proves no reading, and it
is no robot. Robots name themselves, send no user agent, or ask with HEAD as link scanners do. What calls itself a
browser or a mail program is taken for a person.
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
    r"(?<!cu)bots?\b|(?<!cu)bot[/_ -]|crawl|spider|slurp|scan|monitor|preview|fetch|check|headless|phantom"
    r"|curl|wget|python|perl|ruby"
    r"|java/|go-http|axios|node|http-?client|libwww|facebookexternal|barracuda|proofpoint|mimecast|safelinks|archive|feed"
    r"|catchpoint|gomez|lighthouse|inspect|verif|transcod|observ|google(?:other|weblight)|google-|-google"
    r"|compatible;\s*[\w.-]+/|\+?https?://|@[a-z]",
    re.IGNORECASE,
)
#: What people read with names one of these; what names none is a program.
_PERSON = re.compile(
    r"^Mozilla/\d|Opera|Outlook|Microsoft Office|AppleWebKit|Dalvik|Android|Darwin|iOS|iPhone|Windows|Linux|Amiga"
    r"|BlackBerry|Nokia|Samsung|MIDP",
    re.IGNORECASE,
)


def judge(features: Mapping[str, Any]) -> str:
    """Return `human`, `proxy` or `machine` for *features*: `user_agent`, and `method` if it was not GET."""
    agent = str(features.get("user_agent", "")).strip()
    if str(features.get("method", "GET")).upper() == "HEAD":
        return "machine"
    if agent == _APPLE or _PROXY.search(agent):
        return "proxy"
    return "machine" if _MACHINE.search(agent) or not _PERSON.search(agent) else "human"
