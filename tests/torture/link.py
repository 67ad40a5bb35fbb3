"""A network of two ends in namespaces of their own, with a wire between them that loses, delays and is cut.

The wire is a process that reads packets from one TUN device and writes them to the other: as `tc netem` does, on
kernels that have none. Started by itself: `python tests/torture/link.py '{"ends": [...], "loss": 0.1, ...}'`; it says
`up` when both devices are there, and takes them along when it ends.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

DEVICE = "wire"
#: Addresses that are nowhere but inside the two namespaces.
ADDRESSES = ("10.213.0.1", "10.213.0.2")
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def enter(name: str) -> None:
    """Move the calling thread into the network namespace *name*."""
    with Path(f"/run/netns/{name}").open() as place:
        if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")


def inside(name: str, do: Callable[[], Any]) -> Any:
    """What *do* returns in a thread of that namespace; its sockets stay there."""
    found: list[Any] = []

    def work() -> None:
        enter(name)
        found.append(do())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return found[0]


# ── the wire ─────────────────────────────────────────────────────────────────────────────────────────────────────
class Wire:
    """Packets on their way, each until its time."""

    def __init__(
        self, *, ends: list[str], loss: float = 0.0, delay: float = 0.0, cut: tuple[int, float] | None = None
    ) -> None:
        self.devices = [_device(end) for end in ends]
        self.loss, self.delay, self.cut = loss, delay, cut
        self.chance, self.passed, self.until = random.Random(25), 0, 0.0
        self.flying: list[tuple[float, int, int, bytes]] = []

    def run(self) -> None:
        """Carry packets until standard input ends."""
        while True:
            wait = max(0.0, self.flying[0][0] - time.monotonic()) if self.flying else None
            ready, _, _ = select.select([*self.devices, sys.stdin], [], [], wait)
            if sys.stdin in ready:
                return
            for device in ready:
                self._take(device, os.read(device, 65_536))
            while self.flying and self.flying[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(self.flying)
                with suppress(OSError):  # the other end is not up: lost, as on any wire
                    os.write(device, packet)

    def _take(self, device: int, packet: bytes) -> None:
        now = time.monotonic()
        self.passed += 1
        if self.cut and self.passed == self.cut[0]:
            self.until = now + self.cut[1]
        if now < self.until or self.chance.random() < self.loss:
            return
        other = self.devices[self.devices[0] == device]
        late = self.delay * (0.5 + self.chance.random())  # so that packets overtake each other
        heapq.heappush(self.flying, (now + late, self.passed, other, packet))


def _device(end: str) -> int:
    def make() -> int:
        device = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
        return device

    return int(inside(end, make))


# ── for the tests ────────────────────────────────────────────────────────────────────────────────────────────────
def possible() -> bool:
    """Whether this user may make networks here."""
    return os.geteuid() == 0 and Path("/dev/net/tun").exists()


@contextmanager
def network(**how: Any) -> Iterator[list[str]]:
    """Two namespaces with a wire between them; see `Wire` for *how*. Nothing of it is left behind."""
    ends = [f"vinculo-{os.getpid()}-{end}" for end in "ab"]
    try:
        for end in ends:
            _ip("netns", "add", end)
        command = [sys.executable, __file__, json.dumps({"ends": ends, **how})]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as wire:
            assert wire.stdout
            assert wire.stdout.readline() == "up\n"
            for end, address in zip(ends, ADDRESSES, strict=True):
                _ip("-n", end, "addr", "add", f"{address}/30", "dev", DEVICE)
                for device in (DEVICE, "lo"):
                    _ip("-n", end, "link", "set", device, "up")
            yield ends
    finally:
        for end in ends:
            subprocess.run(["ip", "netns", "del", end], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def connected(end: str, host: str, port: int) -> bool:
    """Whether somebody listens there, seen from *end*."""

    def try_it() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, port)) == 0

    return bool(inside(end, try_it))


if __name__ == "__main__":
    wire = Wire(**json.loads(sys.argv[1]))
    sys.stdout.write("up\n")
    sys.stdout.flush()
    wire.run()
