"""From what a tomograph recorded to sinograms of line integrals, with a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct._angles import Degrees, Unit, angles_in_degrees, even_angles
from napari_selfsup_recon.physics.ct._arrays import Floats, as_floats
from napari_selfsup_recon.physics.ct._axis import Axis, find_axis
from napari_selfsup_recon.physics.ct._columns import repair_columns
from napari_selfsup_recon.physics.ct._flat_field import (
    air_field,
    air_ranges,
    flat_field,
    minus_log,
    without_dark,
)
from napari_selfsup_recon.physics.ct._layout import Order, as_sinograms, find_layout
from napari_selfsup_recon.physics.ct._stripes import remove_stripes
from napari_selfsup_recon.physics.psf import Finding

SKIPPABLE = ("columns", "stripes")
"""Names of the steps that :func:`prepare` can leave out."""

# Where the flat field fits, the brightest of the detector sees at least so much of it.
_AIR = 0.9


@dataclass(frozen=True, eq=False)
class Sinograms:
    """Sinograms ready for an operator, and what was done to them.

    Attributes
    ----------
    values
        float32 ``(angle, column)`` or ``(slice, angle, column)``: line integrals, or counts where
        they were kept (``keep_counts``).
    degrees
        One angle a view.
    axis
        Column of the rotation axis.
    light
        Counts of the light without the object, where counts were kept; else 0.
    findings
        One a check, in the order of the steps.
    """

    values: Floats
    degrees: Degrees
    axis: float
    light: float
    findings: tuple[Finding, ...]

    @property
    def axis_offset(self) -> float:
        """Columns between the middle of the detector and the axis."""
        return float(self.axis - (self.values.shape[-1] - 1) / 2)


def prepare(
    projections: ArrayLike,
    angles: ArrayLike | float = 180.0,
    *,
    unit: Unit = "auto",
    order: Order = "auto",
    flat: ArrayLike | None = None,
    dark: ArrayLike | None = None,
    air: Sequence[int] | None = None,
    log: bool | Literal["auto"] = "auto",
    axis: float | Literal["auto", "middle"] = "auto",
    stripes: bool = False,
    keep_counts: bool = False,
    skip: Collection[str] = (),
) -> Sinograms:
    """Return sinograms of line integrals, with a report.

    The steps: axes told apart, angles read, dark and flat correction, dead columns repaired,
    logarithm, stripes removed, rotation axis found. The projections are not modified.

    Parameters
    ----------
    projections
        A sinogram ``(angle, column)``, a stack of them or of projections.
    angles
        One angle a view, or the range of the scan in degrees, spread evenly over the views without
        its end.
    unit
        Of the angles.
    order
        How the axes are read; ``"auto"`` goes by the number of angles.
    flat, dark
        Frames without the object and without light. Without a flat field the dark one is
        subtracted, for values that are no transmission (HAADF) or have air columns.
    air
        First and last (excluded) column that sees air, or two such ranges; without a flat field,
        or where the light has changed since it was taken.
    log
        Whether to take ``-log``; ``"auto"`` does so after a flat or air correction.
    axis
        Column of the rotation axis; ``"auto"`` finds it, ``"middle"`` takes the middle.
    stripes
        Whether stripes are removed.
    keep_counts
        Return corrected counts instead of line integrals, for noise that is that of counts.
    skip
        Names of the steps to leave out, from :data:`SKIPPABLE`.

    Raises
    ------
    InputError
        If shapes, angles or counts cannot be used.
    """
    if unknown := sorted(set(skip) - set(SKIPPABLE)):
        raise InputError(
            f"The step {unknown[0]!r} cannot be left out.",
            hint=f"Choose from {', '.join(SKIPPABLE)}.",
        )
    if dark is not None and flat is None and air is None and log is not False:
        raise InputError(
            "There is a dark field, but no flat field.",
            hint="Give both, or the columns that see air, or say that no logarithm is wanted.",
        )
    values = as_floats(projections, "projections")
    spread = isinstance(angles, int | float)
    views = None if spread else np.asarray(angles).size
    layout = find_layout(values, views, order)
    findings = list(layout.findings)
    count = values.shape[layout.angle_axis]
    if spread:
        degrees = even_angles(count, float(angles))  # type: ignore[arg-type]
    else:
        degrees, found = angles_in_degrees(angles, unit)
        findings.append(found)
    stack = as_sinograms(values, layout)
    light = 0.0
    corrected = flat is not None or air is not None
    if flat is not None or dark is not None:
        frames = np.moveaxis(stack, -2, 0)  # (angle, row, column) or (angle, column)
        if flat is None:
            frames = without_dark(frames, dark)  # type: ignore[arg-type]
        else:
            frames, told = flat_field(frames, flat, dark)
            light = _light(flat, dark)
            findings += told[1:] if air is not None else (*told, *_dim(frames))
        stack = np.moveaxis(frames, 0, -2)
    if air is not None:
        ranges = air_ranges(air, stack.shape[-1])
        beside = float(np.mean([stack[..., a:b].mean() for a, b in ranges]))
        light = beside if flat is None else light * beside
        stack, told = air_field(stack, air)
        findings += told
    stack = np.ascontiguousarray(stack, dtype=np.float32)
    if "columns" in skip:
        words = "Dead columns of the detector were left as they are."
        findings.append(Finding("columns", words, undoable=True, skipped=True))
    else:
        stack, found = repair_columns(stack)
        findings.append(_undoable(found))
    logged = corrected if log == "auto" else log
    if keep_counts:
        integrals, found = minus_log(stack if corrected else stack / max(_bright(stack), 1e-12))
        light = light if corrected else _bright(stack)
        result = np.maximum(stack * np.float32(light), 0) if corrected else stack
    else:
        if logged:
            stack, found = minus_log(stack if corrected else stack / _bright(stack))
            findings.append(found)
        else:
            findings += _intensities(stack)
        integrals = stack  # shows its axis better than what is left after stripes were removed
        if stripes and "stripes" not in skip:
            stack, found = remove_stripes(stack, size=_window(stack.shape[-1]))
            findings.append(found)
        result = stack
        light = 0.0
    where = _axis(integrals, degrees, axis)
    if isinstance(where, Axis):
        findings.append(where.finding)
        column = where.column
    else:
        column = where
    return Sinograms(result, degrees, column, light, tuple(findings))


def _axis(stack: Floats, degrees: Degrees, axis: float | Literal["auto", "middle"]) -> Axis | float:
    columns = stack.shape[-1]
    if axis == "auto":
        return find_axis(stack, degrees)
    if axis == "middle":
        return float((columns - 1) / 2)
    if not 0 <= axis <= columns - 1:
        raise InputError(
            f"The rotation axis (column {axis:g}) lies outside the detector (columns 0 to "
            f"{columns - 1}).",
            hint="Give a column of the detector, or let the axis be found.",
        )
    return float(axis)


def _dim(transmission: Floats) -> list[Finding]:
    """Warn where nothing is as bright as the flat field says that air is."""
    some = transmission.ravel()[:: max(1, transmission.size // 10**6)]
    brightest = float(np.quantile(some, 0.99))
    if brightest >= _AIR:
        return []
    return [
        Finding(
            "flat field",
            f"No more than {brightest:.0%} of the light passes anywhere. If some columns see air "
            "in all views, give them: the light was weaker than in the flat field. If none does, "
            "the object is wider than the detector.",
            "warning",
        )
    ]


def _light(flat: ArrayLike, dark: ArrayLike | None) -> float:
    black = 0.0 if dark is None else float(np.asarray(dark).mean())
    return float(np.asarray(flat).mean()) - black


def _bright(stack: Floats) -> float:
    """Return what air looks like where nothing says so: the brightest that is common."""
    return float(np.quantile(stack.ravel()[:: max(1, stack.size // 10**6)], 0.995))


def _intensities(stack: Floats) -> list[Finding]:
    """Warn where values look like light that passed, and no logarithm is taken."""
    edge = float(np.median(stack[..., [0, 1, -2, -1]]))
    middle = float(np.median(stack[..., stack.shape[-1] // 3 : -(stack.shape[-1] // 3) or None]))
    if edge > 0 and middle < 0.8 * edge and float(stack.min()) >= 0:
        return [
            Finding(
                "counts",
                "The object is darker than what is beside it: these look like counts, not like "
                "line integrals. Give flat and dark fields, or the columns that see air.",
                "warning",
            )
        ]
    return []


def _window(columns: int) -> int:
    """Return how many columns the removal of stripes looks at: few of a narrow detector.

    What is narrower than half of them, and stays in its columns, is taken for a stripe.
    """
    return min(21, 5 + 2 * (columns // 60), columns - 1 + columns % 2)


def _undoable(found: Finding) -> Finding:
    return Finding(found.step, found.message, found.level, found.level == "repaired")
