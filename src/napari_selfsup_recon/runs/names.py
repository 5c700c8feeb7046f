"""Short names of methods for layers and files."""

from __future__ import annotations

_SHORT = {"richardson-lucy": "LR"}


def label_of(key: str) -> str:
    """Return the short name of the method ``key``, for example ``"SSI"`` or ``"LR"``."""
    return _SHORT.get(key, key.upper())
