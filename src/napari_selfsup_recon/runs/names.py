"""Short names of methods for layers and files."""

from __future__ import annotations

from collections.abc import Mapping

_SHORT = {"richardson-lucy": "LR", "total-variation": "TV", "wiener": "Wiener"}


def label_of(key: str) -> str:
    """Return the short name of the method ``key``, for example ``"SSI"`` or ``"LR"``."""
    return _SHORT.get(key, key.upper())


def result_label(key: str, steps: int, *chosen: Mapping[str, float]) -> str:
    """Return the name of a result: ``"SSI 600"``, ``"LR 12 (auto)"``, ``"TV 0.83 (auto)"``.

    Parameters
    ----------
    key
        Of the method.
    steps
        Steps or iterations that were done.
    chosen
        What the method chose by itself, by option; one mapping a frame.
    """
    if not any(chosen):
        return f"{label_of(key)} {steps}"
    values = {", ".join(f"{value:.3g}" for value in one.values()) for one in chosen}
    # Frames that were given different values have no value in common to be named by.
    return " ".join([label_of(key), *(values if len(values) == 1 else ()), "(auto)"])
