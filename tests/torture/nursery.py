"""Keeps one process that has everything loaded, and forks the workers that are to die.

It reads one command a line and answers each with one line, all JSON:

    {"warm": {job}}       does a job itself: its children then have everything loaded
    {"spawn": {job}}      a worker that waits at its gate; its number
    {"go": number}        opens the gate
    {"wait": [numbers]}   [number, how it ended], of the first to end; a stop is [number, "stopped"]

Started by itself (`python tests/torture/nursery.py`): a fork of pytest would take its threads and locks along.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import connectors.gateway
import connectors.smtp  # noqa: F401
from tests.torture.worker import work

gates: dict[int, int] = {}
ended: dict[int, int | str] = {}


def spawn(job: dict) -> int:
    there, gate = os.pipe()
    number = os.fork()
    if number:
        os.close(there)
        gates[number] = gate
        return number
    os.close(gate)
    status = 1
    try:
        os.read(there, 1)  # the nursery's end as well: an end of file opens every gate, and nobody is left behind
        status = work(job)
    except BaseException:  # noqa: BLE001 - it is shown, and the process ends
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def go(number: int) -> int:
    os.write(gates[number], b"!")
    os.close(gates.pop(number))
    return number


def wait(numbers: list[int]) -> list:
    """The first of *numbers* that ends or stops; who else ends meanwhile is remembered.

    Who is asked for alone is waited for alone: the numbers of others stay theirs.
    """
    while not (done := [number for number in numbers if number in ended]):
        number, status = os.waitpid(numbers[0] if len(numbers) == 1 else -1, os.WUNTRACED)
        ended[number] = "stopped" if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
    return [done[0], ended.pop(done[0])]


if __name__ == "__main__":
    for line in sys.stdin:
        [(command, value)] = json.loads(line).items()
        answer = {"warm": work, "spawn": spawn, "go": go, "wait": wait}[command](value)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
