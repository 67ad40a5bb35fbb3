"""Several processes at the same moments of one clock: together they keep the rate that was set."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.traffic.conftest import Street

#: Takes a turn at each moment that it reads, and prints what it let through.
WORKER = """
import json, sys
from datetime import datetime, timedelta
from pathlib import Path
import sqlalchemy as sa
from vinculo import ledger, project
from vinculo.db import connect
from vinculo.db.tables import delivery
from vinculo.traffic import Gate

url, root, name = sys.argv[1:]
engine, gate = connect(url, durability="process"), Gate(project.load(Path(root), {}))
for line in sys.stdin:
    now = datetime.fromisoformat(line.strip())
    with engine.begin() as db:
        go = gate.admit(db, ledger.claim(db, name, 1000, now, timedelta(minutes=5)), now)
        gone = delivery.c.id.in_([claim.id for claim in go])
        db.execute(sa.update(delivery).where(gone).values(state="accepted", submitted_at=now, lease_until=None))
    print(json.dumps([claim.id for claim in go]), flush=True)
"""


def test_processes_keep_the_rate_together(street: Street, tmp_path: Path) -> None:
    street.limits('[limits.rates]\nemail = "20/s"').people(900)
    url = street.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", WORKER, url, str(tmp_path / "shop")]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen([*command, f"w{number}"], stdin=pipe, stdout=pipe, text=True) for number in range(3)]
    left: list[list[int]] = []
    for second in range(41):
        for worker in workers:
            print(street.at(second).isoformat(), file=worker.stdin, flush=True)
        left += [json.loads(next(worker.stdout or iter(()))) for worker in workers]
    assert [worker.communicate(timeout=60) and worker.returncode for worker in workers] == [0, 0, 0]
    sent = [one for share in left for one in share]
    assert len(sent) == len(set(sent)) == pytest.approx(800, rel=0.05)
