"""The lowest point of a function of a few variables, without derivatives (Nelder and Mead 1965)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Point = list[float]
Function = Callable[[Sequence[float]], float]


def minimise(function: Function, start: Sequence[float], *, step: float = 0.5, close: float = 1e-7) -> Point:
    """Return where *function* is lowest near *start*: when the corners' values differ by less than *close*, or after
    200 steps a variable.
    """
    size = len(start)
    corners = [list(start)] + [[v + step * (i == j) for j, v in enumerate(start)] for i in range(size)]
    valued = sorted((function(corner), corner) for corner in corners)
    for _ in range(200 * size):
        if valued[-1][0] - valued[0][0] < close:
            break
        valued = _step(function, valued)
    return valued[0][1]


def _step(function: Function, valued: list[tuple[float, Point]]) -> list[tuple[float, Point]]:
    (best, _), (second, _), (worst, corner) = valued[0], valued[-2], valued[-1]
    centre = [sum(values) / (len(valued) - 1) for values in zip(*(p for _, p in valued[:-1]), strict=True)]

    def tried(factor: float) -> tuple[float, Point]:
        point = [c + factor * (w - c) for c, w in zip(centre, corner, strict=True)]
        return function(point), point

    reflected = tried(-1.0)
    if reflected[0] < best:
        return sorted([*valued[:-1], min(tried(-2.0), reflected)])
    if reflected[0] < second:
        return sorted([*valued[:-1], reflected])
    contracted = tried(-0.5 if reflected[0] < worst else 0.5)
    if contracted[0] < min(worst, reflected[0]):
        return sorted([*valued[:-1], contracted])
    return _shrunk(function, valued)


def _shrunk(function: Function, valued: list[tuple[float, Point]]) -> list[tuple[float, Point]]:
    best = valued[0][1]
    points = [[(b + v) / 2 for b, v in zip(best, point, strict=True)] for _, point in valued[1:]]
    return sorted([valued[0], *((function(point), point) for point in points)])
