"""Short names of methods and of their results, for layers and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from napari_selfsup_recon.core.options import Options

_SHORT = {
    "richardson-lucy": "LR",
    "total-variation": "TV",
    "wiener": "Wiener",
    "filtered-back-projection": "FBP",
    "least-squares": "LSQ",
}
# The option that tells two results of a method apart, where it is not the number of steps.
_KNOBS = {"total-variation": "weight", "wiener": "balance"}
_COUNTS = ("iterations", "steps")
# Methods that do one thing only, and have nothing to be told apart by.
_ALONE = ("filtered-back-projection",)


def label_of(key: str) -> str:
    """Return the short name of the method ``key``, for example ``"SSI"`` or ``"LR"``."""
    return _SHORT.get(key, key.upper())


def chosen_by(method: Any, options: Options, steps: int) -> dict[str, float]:
    """Return what a method chose for the numbers that were left to it (``"auto"``).

    It tells by an attribute of the name of the option; how often it went round is seen from
    outside.
    """
    found: dict[str, float] = {}
    for name in _left_to_it(options):
        value = getattr(method, name, None)
        if value is None and name in _COUNTS:
            value = steps
        if isinstance(value, int | float):
            found[name] = value
    return found


def result_label(key: str, options: Options, steps: int, *chosen: Mapping[str, float]) -> str:
    """Return the name of a result: ``"SSI 600"``, ``"LR 12 (auto)"``, ``"TV 0.83 (auto)"``.

    Parameters
    ----------
    key
        Of the method.
    options
        What it was given.
    steps
        Steps or iterations that were done.
    chosen
        What it chose by itself (:func:`chosen_by`), one mapping a frame.
    """
    if key in _ALONE:
        return label_of(key)
    left = _left_to_it(options)
    knob = _KNOBS.get(key, next((name for name in left if name in _COUNTS), ""))
    if knob not in left:
        value = steps if not knob or knob in _COUNTS else getattr(options, knob)
        return (
            f"{label_of(key)} {value:.4g}"
            if isinstance(value, float)
            else (f"{label_of(key)} {value}")
        )
    values = {f"{one[knob]:.3g}" for one in chosen if knob in one}
    # Frames that were given different values have none in common to be named by.
    return " ".join([label_of(key), *(values if len(values) == 1 else ()), "(auto)"])


def _left_to_it(options: Options) -> list[str]:
    """Return the names of the numbers that the method is to choose."""
    return [
        name
        for name, field in type(options).model_fields.items()
        if getattr(options, name) == "auto" and _may_be_number(field.annotation)
    ]


def _may_be_number(annotation: Any) -> bool:
    return annotation in (int, float) or any(map(_may_be_number, get_args(annotation)))
