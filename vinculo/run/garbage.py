"""The collector of cycles while messages are sent: it would go through all there is, and find hardly anything."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: So many objects more than were let go of, and it looks through the new ones: a claim of contacts has fewer, and they
#: are gone with their messages. Python's own number is 700.
_NEW = 50_000
_lock = threading.Lock()
#: Of each that is in such a block: the numbers that it found, and how many objects were frozen.
_before: list[tuple[tuple[int, int, int], int]] = []


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Until the block ends cycles are looked for rarely, and not among what was there before it.

    Templates, statements and modules are hundreds of thousands of objects, which are gone through again and again for
    nothing. Other threads may be in such blocks, too: the last that leaves puts things back.
    """
    with _lock:
        _before.append((gc.get_threshold(), gc.get_freeze_count()))
        numbers, frozen = _before[0]
        if not frozen:  # else the process has set apart what stays, as the web app does: it is not ours to let go of
            gc.freeze()
        if numbers[0]:  # nought: somebody has turned it off
            gc.set_threshold(_NEW, *numbers[1:])
    try:
        yield
    finally:
        with _lock:
            numbers, frozen = _before.pop()
            if not _before:
                gc.set_threshold(*numbers)
                if not frozen:
                    gc.unfreeze()
