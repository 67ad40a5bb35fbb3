from __future__ import annotations

from vinculo.mail.smtp.cap import Cap


def test_a_farewell_halves_and_half_a_minute_doubles() -> None:
    cap = Cap(8)
    assert cap.room(0, 0) == 8
    cap.halve(8, 100)
    assert cap.room(4, 101) == 0
    cap.halve(4, 110)
    assert cap.room(2, 139) == 0
    assert [cap.room(2, at) for at in (140, 141, 170, 200)] == [2, 2, 6, 6]


def test_a_refused_connection_leaves_those_there_are() -> None:
    cap = Cap(8)
    cap.settle_for(3, 0)
    assert cap.room(3, 1) == 0
    assert cap.room(3, 30) == 3


def test_one_connection_is_always_allowed() -> None:
    cap = Cap(8)
    for _ in range(9):
        cap.halve(1, 0)
    assert cap.room(0, 1) == 1
