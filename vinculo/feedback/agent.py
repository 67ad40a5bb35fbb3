"""Who loaded the image or followed the link: a person, a mail provider's image proxy, or a machine.

The raw features stay in the history, with the number of the rule that judged them: a better rule can judge again.
A proxy (Gmail, Yahoo, Apple's privacy protection) fetches for a person, or for nobody: it proves no reading, and it
is no robot. Robots name themselves (crawlers.txt), send no user agent, ask with HEAD as link scanners do, fetch in
advance what nobody may ever look at, or follow the link that no person sees. What calls itself a browser or a mail
program is taken for a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

#: Raise it with every change of the rule, or of crawlers.txt.
RULE = 3

_PROXY = re.compile(
    r"GoogleImageProxy|YahooMailProxy|YahooCacheSystem|OutlookImageProxy|SeznamEmailProxy|ggpht\.com", re.IGNORECASE
)
#: Apple's proxies say no more than this (Mail Privacy Protection, since 2021).
_APPLE = "Mozilla/5.0"
#: Mail programs that crawlers.txt, made for web sites, would take for robots.
_READER = re.compile(
    r"Microsoft Outlook|Thunderbird/|Microsoft Office/|MSOffice \d|Apple Mail|eM ?Client/", re.IGNORECASE
)
#: Scanners of mail that look at every link before a person does, and are not made to be found out by web sites.
_SCANNER = re.compile(
    r"barracuda|proofpoint|mimecast|safelinks|trendmicro|fireeye|forcepoint|ironport|messagelabs|bitdefender"
    r"|sophos|kaspersky|symantec",
    re.IGNORECASE,
)


def judge(features: Mapping[str, Any]) -> str:
    """Return `human`, `proxy` or `machine` for *features*.

    They are `user_agent`, `method` if it was not GET, `purpose` if the page was fetched in advance, `trap` if it is a
    link that no person sees.
    """
    if features.get("trap") or features.get("purpose") or str(features.get("method", "GET")).upper() == "HEAD":
        return "machine"
    return _judge(str(features.get("user_agent", "")).strip()[:_LONGEST])


#: No browser writes more; what does is not read to its end.
_LONGEST = 1000


@lru_cache(maxsize=4096)  # a campaign is opened by the same few programs
def _judge(agent: str) -> str:
    if agent == _APPLE or _PROXY.search(agent):
        return "proxy"
    if not agent or _SCANNER.search(agent):
        return "machine"
    if _READER.search(agent):
        return "human"
    return "machine" if _crawlers().search(agent) else "human"


@cache
def _crawlers() -> re.Pattern[str]:
    lines = (files(__package__) / "crawlers.txt").read_text(encoding="utf-8").splitlines()
    return re.compile("|".join(line for line in lines if not line.startswith("#")), re.IGNORECASE)
