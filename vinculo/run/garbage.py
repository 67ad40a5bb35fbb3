"""The collector of cycles while messages are sent: it would go through all there is, and find hardly anything."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: So many objects more than were let go of, and it looks through the new ones: a claim of contacts has fewer, and they
#: are gone with their messages. Python's own number is 700.
_NEW = 50_000
#: After so many blocks all there is is gone through once: what was frozen counts as old when it is let go of, and among
#: the old the collector looks only when there are many that it has not seen frozen.
_BLOCKS = 100
_lock = threading.Lock()
_inside = 0
_ended = 0
#: The numbers that the first who came found, and how many objects were frozen.
_before: tuple[tuple[int, int, int], int] = (0, 0, 0), 0


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Until the block ends cycles are looked for rarely, and not among what was there before it.

    Templates, statements and modules are hundreds of thousands of objects, which are gone through again and again for
    nothing. Other threads may be in such blocks, too: the first that enters sets things apart, the last that leaves
    puts them back.
    """
    with _lock:
        _enter()
    try:
        yield
    finally:
        with _lock:
            _leave()


def _enter() -> None:
    global _inside, _before
    if not _inside:
        _before = numbers, frozen = gc.get_threshold(), gc.get_freeze_count()
        if not frozen:  # else the process has set apart what stays, as the web app does: it is not ours to let go of
            gc.freeze()
        if numbers[0]:  # nought: somebody has turned it off
            gc.set_threshold(_NEW, *numbers[1:])
    _inside += 1


def _leave() -> None:
    global _inside, _ended
    _inside -= 1
    if _inside:
        return
    numbers, frozen = _before
    gc.set_threshold(*numbers)
    if not frozen:
        gc.unfreeze()
    _ended += 1
    if numbers[0] and _ended % _BLOCKS == 0:
        gc.collect()
