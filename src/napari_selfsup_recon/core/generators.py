"""Work that yields as it goes and returns something at the end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Y = TypeVar("Y")
E = TypeVar("E")
R = TypeVar("R")


def relay(work: Generator[Y, None, R], make: Callable[[Y], E]) -> Generator[E, None, R]:
    """Do the work, yielding ``make(what it yields)``; return what it returns."""
    while True:
        try:
            seen = next(work)
        except StopIteration as end:
            result: R = end.value
            return result
        yield make(seen)


def exhaust(work: Generator[Any, None, R]) -> R:
    """Do the work to its end and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: R = end.value
            return result
