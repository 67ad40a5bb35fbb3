"""`make bench` runs every benchmark, `make bench ONLY=path,ledger` some; STRICT=1 fails where a goal is missed."""

from __future__ import annotations

import importlib
import json
import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.clock import summary
from bench.stage import CONTACTS, ROUNDS
from bench.target import missed, table

NAMES = (
    "path",
    "connector",
    "naive",
    "ledger",
    "memory",
    "latency",
    "orchestration",
    "tracking",
    "importing",
    "segments",
    "profile",
    "value",
    "planning",
    "console",
)
OUT = Path("var/bench.json")


def main() -> int:
    if sys.argv[1:]:
        print(f"Write which benchmarks as ONLY={','.join(sys.argv[1:])} before the command.", file=sys.stderr)
        return 2
    only = [name for name in os.environ.get("ONLY", "").split(",") if name]
    unknown = set(only) - set(NAMES)
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    results, without = run_all(only or NAMES)
    print("\n" + "\n".join(table(results)))
    OUT.parent.mkdir(exist_ok=True)
    told = {"machine": machine(), "results": results, "without": without}
    OUT.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    print(f"Medians of {ROUNDS} interleaved rounds of {CONTACTS:,} contacts; all figures are in {OUT}.")
    if without:
        print(f"No figures of {', '.join(without)}: see above.", file=sys.stderr)
    return 1 if without or (os.environ.get("STRICT") and missed(results)) else 0


def run_all(names: Sequence[str]) -> tuple[dict[str, dict[str, dict[str, float]]], list[str]]:
    """What each benchmark found, and those that have failed, or were not asked because somebody ended it all."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `timeout` is answered as Ctrl-C is: with the table
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in names:
        try:
            results[name] = run(name)
        except KeyboardInterrupt:
            print(f"\n{name} was ended", file=sys.stderr)
            break
        except Exception:  # noqa: BLE001 - the others' figures took an hour
            print(f"\n{name} has failed", file=sys.stderr)
            traceback.print_exc()
    return results, [name for name in names if name not in results]


def run(name: str) -> dict[str, dict[str, float]]:
    """One benchmark, printed as it ends."""
    since = time.monotonic()
    load = os.getloadavg()[0]
    found = {figure: summary(value) for figure, value in importlib.import_module(f"bench.{name}").measure().items()}
    print(f"\n{name} ({time.monotonic() - since:.0f} s; load {load:.1f} before, {os.getloadavg()[0]:.1f} after)")
    for figure, value in found.items():
        print(f"  {figure:28} {value['median']:12.2f}   {value['min']:.2f} to {value['max']:.2f}", flush=True)
    return found


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}


if __name__ == "__main__":
    sys.exit(main())
