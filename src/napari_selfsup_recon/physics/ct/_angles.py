"""The angles of a scan: their unit, their order, and what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.psf import Finding

Unit = Literal["auto", "degrees", "radians"]
Degrees = NDArray[np.float64]

# A scan in degrees that spans less than this is taken for radians: 2 pi, and a step more.
_RADIANS = 6.4
_FULL, _TOLERANCE = 180.0, 1.5


@dataclass(frozen=True)
class Scan:
    """What the angles of a scan amount to.

    Attributes
    ----------
    views
        How many.
    first, last
        The smallest and the largest angle, degrees.
    step
        Median distance of neighbouring views, degrees.
    gap
        The largest range of directions, of 180 degrees, that no view covers, where it is more than
        a step: the missing wedge. 0 where there is none.
    gap_start
        Direction at which the gap begins, degrees in [0, 180).
    kind
        ``"180"``, ``"360"`` or ``"limited"``.
    """

    views: int
    first: float
    last: float
    step: float
    gap: float
    gap_start: float
    kind: Literal["180", "360", "limited"]

    def __str__(self) -> str:
        around = {"180": "half a turn", "360": "a full turn", "limited": "a limited range"}
        text = (
            f"{self.views} views from {self.first:.4g}° to {self.last:.4g}°, "
            f"every {self.step:.3g}°: {around[self.kind]}"
        )
        return f"{text}, {self.gap:.3g}° are missing." if self.gap else f"{text}."


def even_angles(views: int, span: float = 180.0, *, start: float = 0.0) -> Degrees:
    """Return ``views`` angles, evenly over ``span`` degrees from ``start`` on, without the end.

    Raises
    ------
    InputError
        If there is no view, or no span.
    """
    if views < 1 or not np.isfinite(span) or span == 0:
        raise InputError(
            f"{views} views over {span:g} degrees are no scan.",
            hint="Give at least one view and a range such as 180.",
        )
    return start + span * np.arange(views) / views


def angles_in_degrees(values: ArrayLike, unit: Unit = "auto") -> tuple[Degrees, Finding]:
    """Return angles in degrees; whether they were radians is guessed from their range.

    Parameters
    ----------
    values
        One angle a view.
    unit
        ``"auto"`` takes what spans 6.4 or less, with more than four views, for radians.

    Raises
    ------
    InputError
        If they are not finite numbers, or there are none, or all are the same.
    """
    angles = np.array(values, dtype=np.float64).ravel()
    if angles.size == 0 or not np.isfinite(angles).all():
        raise InputError(
            "The angles are none, or not all of them are numbers.", hint="Give one angle a view."
        )
    span = float(np.ptp(angles))
    if angles.size > 1 and span == 0:
        raise InputError(
            f"All {angles.size} angles are {angles[0]:g}.", hint="Give the angle of each view."
        )
    small = angles.size > 4 and span <= _RADIANS
    if unit == "radians" or (unit == "auto" and small):
        found = Finding("angles", f"They are radians: {np.rad2deg(span):.4g}° in all.")
        if unit == "auto":
            found = Finding(
                "angles",
                f"They span {span:.3g} only and were taken for radians: {np.rad2deg(span):.4g}° in "
                "all.",
                "repaired",
            )
        return np.rad2deg(angles), found
    if small:
        return angles, Finding(
            "angles", f"They span {span:.3g}° only. Are they radians?", "warning"
        )
    if span > 720 + _TOLERANCE:
        return angles, Finding(
            "angles", f"They span {span:.4g}°, which is more than two turns.", "warning"
        )
    return angles, Finding("angles", f"They are degrees: {span:.4g}° in all.")


def describe_scan(degrees: ArrayLike) -> Scan:
    """Return what the angles of a scan amount to; the largest gap decides of what kind it is."""
    angles = np.sort(np.asarray(degrees, dtype=np.float64).ravel())
    steps = np.diff(angles)
    steps = steps[steps > 1e-9]
    step = float(np.median(steps)) if steps.size else 0.0
    # Parallel rays of opposite views are the same: directions count modulo half a turn.
    folded = np.sort(np.mod(angles, _FULL))
    distances = np.diff(np.append(folded, folded[0] + _FULL))
    widest = int(np.argmax(distances))
    gap = float(distances[widest])
    usual = float(np.median(distances[distances > 1e-9])) if gap > 0 else 0.0
    whole = gap <= 2.5 * max(usual, min(step, _FULL)) + 1e-6
    kind: Literal["180", "360", "limited"] = "limited"
    if whole:
        turn = float(angles[-1] - angles[0]) + step
        kind = "360" if turn > 1.75 * _FULL else "180"
    return Scan(
        views=angles.size,
        first=float(angles[0]),
        last=float(angles[-1]),
        step=step,
        gap=0.0 if whole else gap,
        gap_start=float(folded[widest]),
        kind=kind,
    )
