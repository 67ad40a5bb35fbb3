"""Renders templates that run away, each in a process of its own, and prints what became of it: for test_runaway.py."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from tests.unit.render.compile.test_edition import sending
from vinculo.model import Contact
from vinculo.project import load
from vinculo.render import Renderer, RenderError
from vinculo.signing import Signer

MB = 1 << 20
_SECONDS = 6


def attempt(one: Renderer, name: str) -> dict[str, object]:
    """Render template *name*, then one that is well, in at most 256 MB more than there are."""
    signal.alarm(_SECONDS)  # the process dies, and says nothing
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (pages + 256 * MB,) * 2)
    started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        one.message(sending(Contact(3, "ana", given_name="Ana"), template=name))
        said = "nothing was cut"
    except RenderError as error:
        said = error.reason
    seconds, grown = time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    well = one.message(sending(Contact(3, "ana", given_name="Ana"))).subject
    return {"said": said, "seconds": seconds, "mb": grown / 1024, "next": well}


def main(root: str) -> None:
    project = load(Path(root), {})
    one = Renderer(project, signer=Signer("a secret key for these tests"), link_id=len)
    one.seconds = 0.4  # a second is the default: half of what each may take here
    one.message(sending(Contact(3, "ana", given_name="Ana")))
    for name in sorted(project.templates):
        if name.startswith("run"):
            read, write = os.pipe()
            if os.fork() == 0:
                os.write(write, json.dumps(attempt(one, name)).encode())
                os._exit(0)
            os.close(write)
            with os.fdopen(read) as answer:
                sys.stdout.write(json.dumps([name, json.loads(answer.read() or "{}")]) + "\n")
            os.wait()


if __name__ == "__main__":
    main(sys.argv[1])
