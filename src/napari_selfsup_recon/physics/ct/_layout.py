"""Which axis of an array is the angle: known from the number of angles, or guessed, and told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf import Finding

Order = Literal["auto", "sinograms", "projections", "transposed"]
_Name = Literal["sinograms", "projections", "transposed"]

_WORDS = {
    "sinograms": "sinograms (slice, angle, column)",
    "projections": "projections (angle, row, column)",
    "transposed": "transposed sinograms (slice, column, angle)",
}


@dataclass(frozen=True)
class Layout:
    """How the axes of an array are read.

    Attributes
    ----------
    order
        ``"sinograms"``: ``(angle, column)`` or ``(slice, angle, column)``; ``"projections"``:
        ``(angle, row, column)``; ``"transposed"``: ``(column, angle)`` or
        ``(slice, column, angle)``.
    findings
        What was guessed.
    """

    order: _Name
    findings: tuple[Finding, ...] = ()

    @property
    def angle_axis(self) -> int:
        """The axis of the angle, counted from the end."""
        return {"sinograms": -2, "projections": -3, "transposed": -1}[self.order]


def find_layout(values: ArrayLike, views: int | None = None, order: Order = "auto") -> Layout:
    """Return which axis is the angle.

    Parameters
    ----------
    values
        Two or three axes.
    views
        How many angles are known; None where a range is to be spread over the views.
    order
        What a person says; only checked then.

    Raises
    ------
    InputError
        If no axis has as many entries as there are angles.
    """
    array: NDArray[Any] = np.asarray(values)
    if array.ndim not in (2, 3):
        raise InputError(
            f"Projections of shape {array.shape} cannot be read.",
            hint="Give a sinogram (angle, column) or a stack with three axes.",
        )
    allowed = ["sinograms", "transposed"] if array.ndim == 2 else list(_WORDS)
    if order == "projections" and array.ndim == 2:
        order = "sinograms"
    if order != "auto":
        layout = Layout(order)
        if views is not None and array.shape[layout.angle_axis] != views:
            raise _mismatch(array.shape, views, f", read as {_WORDS[order]}")
        return layout
    if views is not None:
        fitting = [
            name for name in allowed if array.shape[Layout(_known(name)).angle_axis] == views
        ]
        if not fitting:
            raise _mismatch(array.shape, views)
    else:
        fitting = allowed
    if len(fitting) > 1:
        fitting = [min(fitting, key=lambda name: _unevenness(array, _known(name)))]
    return Layout(_known(fitting[0]), _told(array, fitting[0], views))


def as_sinograms(values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return the array as ``(angle, column)`` or ``(slice, angle, column)``; a view, no copy."""
    if layout.order == "transposed":
        return np.swapaxes(values, -1, -2)
    if layout.order == "projections":
        return np.swapaxes(values, 0, 1)
    return values


def _told(array: NDArray[Any], order: str, views: int | None) -> tuple[Finding, ...]:
    if order == "transposed":
        why = f"there are {views} angles" if views is not None else "its rows do not add up alike"
        return (
            Finding(
                "layout",
                f"The sinogram is transposed: {why}. Its columns were taken as views.",
                "repaired",
            ),
        )
    if array.ndim == 3:
        shape = " x ".join(map(str, array.shape))
        return (Finding("layout", f"{shape} was read as {_WORDS[order]}."),)
    return ()


def _unevenness(array: NDArray[Any], order: _Name) -> float:
    """Return how much the total of a view changes from view to view: hardly, in truth.

    Every view sees the whole object, so the sum over the columns is the same in all of them.
    """
    thinned = tuple(slice(0, None, max(1, n // 64)) for n in array.shape)
    values = np.asarray(array if array.ndim == 2 else array[thinned], dtype=np.float64)
    stack = as_sinograms(values, Layout(order))
    sums = stack.reshape(-1, *stack.shape[-2:]).sum(axis=-1)
    # The background of counts would hide the object: differences are compared with the contrast.
    contrast = stack.reshape(-1, *stack.shape[-2:]).std(axis=-1).mean() * stack.shape[-1]
    return float(sums.std(axis=-1).mean()) / max(float(contrast), 1e-12)


def _known(name: str) -> _Name:
    assert name in _WORDS
    return name  # type: ignore[return-value]


def _mismatch(shape: tuple[int, ...], views: int, more: str = "") -> InputError:
    lengths = " x ".join(map(str, shape))
    return InputError(
        f"There are {views} angles, but no axis of the projections ({lengths}{more}) has as many "
        "entries.",
        hint="Give one angle a view, or the range of the scan instead of the angles.",
    )
