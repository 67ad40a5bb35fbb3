"""Memory does not grow with the audience: the most that a process held, for ten thousand contacts and for a million."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys

from bench.clock import Figures
from bench.stage import NULL, ROOT, stage

FEW, MANY = 10_000, int(os.environ.get("MILLION", "1000000"))


def measure() -> Figures:
    """`ratio` is the greatest resident set with many contacts by that with few, each in a process of its own."""
    few, many = _sent(FEW), _sent(MANY)
    return {
        "ratio": many["rss"] / few["rss"],
        "MB at 10,000": few["rss"],
        "MB at 1,000,000": many["rss"],
        "cpu at 1,000,000": many["cpu"],
    }


def _sent(contacts: int) -> dict[str, float]:
    """Lay the contacts in one process, send in another: only the second is measured."""
    with stage(contacts, NULL) as on:
        url = on.rt.engine.url.render_as_string(hide_password=False)
        on.rt.engine.dispose()
        command = [sys.executable, "-m", "bench.memory", url]
        ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main(url: str) -> None:
    """Plan and send what is laid at *url*, then say what it took."""
    from bench.stage import Stage, runtime
    from vinculo.db import connect

    with runtime(connect(url), NULL) as rt:
        sent = Stage(rt, 0).send()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"rss": usage.ru_maxrss / 1024, "cpu": (usage.ru_utime + usage.ru_stime) / sent * 1e6}))


if __name__ == "__main__":
    main(sys.argv[1])
