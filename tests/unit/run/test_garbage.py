"""The collector of cycles while messages are sent."""

from __future__ import annotations

import gc
import weakref
from contextlib import ExitStack

import pytest

from vinculo.run.garbage import rarely_collected


class _Ring:
    """Holds itself, so that nobody but the collector can let go of it."""

    def __init__(self) -> None:
        self.self = self


def test_the_collector_works_as_before_once_the_last_block_is_left() -> None:
    """Two threads may be in such blocks, and the first to enter may be the first to leave."""
    gc.unfreeze()  # whatever another test has left
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    one, two = ExitStack(), ExitStack()
    one.enter_context(rarely_collected())
    two.enter_context(rarely_collected())
    assert gc.get_threshold()[0] > before[0]
    one.close()
    assert gc.get_threshold()[0] > before[0]
    assert gc.get_freeze_count() > frozen
    two.close()
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, 0)


def test_what_the_process_has_frozen_for_good_stays_so_and_nothing_else_does() -> None:
    """The web app does, before it answers: what it hands over now and then must neither undo that nor add to it."""
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        kept = [_Ring() for _ in range(1_000)]
        with rarely_collected():
            assert gc.get_freeze_count() <= frozen
        assert frozen - 100 < gc.get_freeze_count() <= frozen  # some of it may have been let go of
        assert len(kept) == 1_000
    finally:
        gc.unfreeze()


def test_what_holds_itself_is_let_go_of_while_messages_are_sent() -> None:
    """A process that sends for hours must not grow."""
    with rarely_collected():
        seen = weakref.ref(_Ring())
        kept = [[] for _ in range(200_000)]
        assert seen() is None
    assert len(kept) == 200_000


def test_a_process_that_sends_again_and_again_does_not_grow() -> None:
    """What was there before a block, and is let go of after it, was frozen meanwhile: it counts as old."""
    seen = []
    for _ in range(110):
        ring = _Ring()
        with rarely_collected():
            seen.append(weakref.ref(ring))
    del ring
    assert sum(one() is not None for one in seen) <= 100


def test_what_is_made_while_another_sends_is_not_set_apart() -> None:
    """One of several threads is always in such a block: nothing would ever be let go of."""
    with rarely_collected():
        ring = _Ring()
        with rarely_collected():
            seen = weakref.ref(ring)
        del ring
        gc.collect()
        assert seen() is None


def test_a_collector_that_was_turned_off_stays_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rarely_collected():
            assert gc.get_threshold()[0] == 0
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_it_is_put_back_after_an_error_too() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="gone"), rarely_collected():
        raise ValueError("gone")
    assert gc.get_threshold() == before
