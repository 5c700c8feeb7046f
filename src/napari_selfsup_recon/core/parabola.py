"""A parabola through what was found at 0, a half and 1."""

from __future__ import annotations

from typing import NamedTuple


class Parabola(NamedTuple):
    """Values at 0, a half and 1."""

    left: float
    middle: float
    right: float

    @property
    def bend(self) -> float:
        """A quarter of the second derivative; positive where there is a lowest point."""
        return self.left - 2 * self.middle + self.right

    @property
    def lowest(self) -> float:
        """Where it is lowest, which may be beyond 0 and 1; a half where it does not bend up."""
        return 0.5 + 0.25 * (self.left - self.right) / self.bend if self.bend > 0 else 0.5

    def at(self, x: float) -> float:
        """Return the value at ``x``."""
        slope = self.right - self.left - 2 * self.bend
        return self.left + slope * x + 2 * self.bend * x * x
