"""Learning rate over the run."""

from __future__ import annotations

from math import cos, pi


def warm_cosine(step: int, steps: int, *, warmup: int = 30, floor: float = 0.02) -> float:
    """Return the factor of the peak learning rate at ``step`` (from 0) of ``steps``.

    Linear from near zero to one over ``warmup`` steps (at most a fifth of the run), then half a
    cosine down to ``floor``.
    """
    warmup = max(1, min(warmup, steps // 5))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return floor + (1 - floor) * 0.5 * (1 + cos(pi * min(1.0, done)))
