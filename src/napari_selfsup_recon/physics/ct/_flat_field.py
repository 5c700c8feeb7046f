"""From counts to transmission to line integrals (Beer and Lambert)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct._arrays import Floats, as_floats, percent
from napari_selfsup_recon.physics.psf import Finding

# No transmission is taken to be smaller, whatever the noise: a line integral of 11.5.
LEAST = 1e-5
_MANY, _DARK = 0.001, 0.01


def flat_field(
    projections: ArrayLike, flat: ArrayLike, dark: ArrayLike | None = None
) -> tuple[Floats, tuple[Finding, ...]]:
    """Return ``(projections - dark) / (flat - dark)``: the transmission, 1 in air.

    Parameters
    ----------
    projections
        Counts ``(angle, row, column)`` or ``(angle, column)``.
    flat
        Counts without the object, ``(row, column)`` or several such frames, which are averaged
        (three or more by their median, which passes over sparks).
    dark
        Counts without light, likewise; 0 where None.

    Returns
    -------
    tuple
        The transmission, float32, not clipped yet, and what was found.

    Raises
    ------
    InputError
        If shapes do not fit, or the flat field is nowhere brighter than the dark one.
    """
    counts = as_floats(projections, "projections")
    frame = counts.shape[1:]
    light = _mean_frame(flat, frame, "flat field")
    black = _mean_frame(dark, frame, "dark field") if dark is not None else np.float32(0)
    gain = light - black
    findings = []
    bad = gain <= _DARK * float(np.median(gain))
    if bad.all() or float(np.median(gain)) <= 0:
        raise InputError(
            "The flat field is nowhere brighter than the dark field.",
            hint="Did flat and dark change places?",
        )
    if bad.any():
        findings.append(
            Finding(
                "flat field",
                f"{percent(float(bad.mean()))} of the detector see no light in the flat field; "
                "they were taken from their neighbours.",
                "repaired",
            )
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        transmission = (counts - black) / gain
    if bad.any():
        transmission = _filled(transmission, bad)
    findings.insert(0, Finding("flat field", _range_in_words(transmission)))
    middle = float(np.median(transmission))
    if middle > 1.5:
        findings.append(
            Finding(
                "flat field",
                f"The projections are {middle:.2g} times as bright as the flat field.",
                "warning",
            )
        )
    return transmission.astype(np.float32, copy=False), tuple(findings)


def without_dark(projections: ArrayLike, dark: ArrayLike) -> Floats:
    """Return projections ``(angle, row, column)`` or ``(angle, column)`` less their dark level."""
    counts = as_floats(projections, "projections")
    frames = np.asarray(dark)
    # A single number is the level of all pixels.
    black = frames if frames.ndim == 0 else _mean_frame(frames, counts.shape[1:], "dark field")
    return counts - black.astype(np.float32)


def air_field(projections: ArrayLike, columns: Sequence[int]) -> tuple[Floats, tuple[Finding, ...]]:
    """Return projections divided by what the detector sees beside the object, view by view.

    Parameters
    ----------
    projections
        ``(..., angle, column)`` or ``(angle, row, column)``: the last axis is the column.
    columns
        First and last (excluded) column that sees air in every view; of two or more such ranges,
        ``(first, last, first, last, ...)``, a straight line is drawn through the light that they
        see.

    Raises
    ------
    InputError
        If there are no such columns, or they are dark.
    """
    counts = as_floats(projections, "projections")
    ranges = air_ranges(columns, counts.shape[-1])
    means = [counts[..., a:b].mean(axis=-1, keepdims=True, dtype=np.float64) for a, b in ranges]
    air = np.concatenate(means, axis=-1)
    level = air.mean(axis=-1, keepdims=True)
    light = level
    if len(ranges) > 1:
        centres = np.array([(a + b - 1) / 2 for a, b in ranges])
        away = centres - centres.mean()
        slope = (air * away).sum(axis=-1, keepdims=True) / (away**2).sum()
        light = level + slope * (np.arange(counts.shape[-1]) - centres.mean())
    if float(light.min()) <= 0:
        words = ", ".join(f"{a} to {b}" for a, b in ranges)
        raise InputError(
            f"The columns {words} see no light in some views.",
            hint="Give columns that see air in every view.",
        )
    transmission = (counts / light).astype(np.float32)
    drift = float(level.std() / level.mean())
    return transmission, (
        Finding("flat field", f"{_range_in_words(transmission)} The light varies by {drift:.1%}."),
    )


def air_ranges(columns: Sequence[int], width: int) -> list[tuple[int, int]]:
    """Return the ranges ``(first, last)`` of air columns on a detector of ``width``.

    Raises
    ------
    InputError
        If they are no ranges of it.
    """
    numbers = [int(c) for c in columns]
    ranges = list(pairwise(numbers))[::2]
    for first, last in ranges:
        if not 0 <= first < last <= width:
            raise InputError(
                f"There are no columns {first} to {last} on a detector of {width}.",
                hint="Give the first and the last (excluded) column that sees air.",
            )
    if not ranges or len(numbers) % 2:
        raise InputError(
            f"{numbers} are no columns that see air.",
            hint="Give the first and the last (excluded) one, and the same of a second range.",
        )
    return ranges


def minus_log(transmission: ArrayLike) -> tuple[Floats, Finding]:
    """Return ``-log(transmission)``; what is not positive is clipped, and told.

    The limit is the smallest transmission that a thousandth of the positive values stay below, so
    that single dark pixels do not become spikes.
    """
    values = as_floats(transmission, "transmission")
    positive = values[values > 0]
    if positive.size == 0:
        raise InputError(
            "No value of the projections is positive, so that they have no logarithm.",
            hint="Check the dark field, or say that these are line integrals already.",
        )
    least = max(LEAST, float(np.quantile(positive[:: max(1, positive.size // 10**6)], 0.001)) / 2)
    low = values < least
    share = float(low.mean())
    logged = -np.log(np.maximum(values, least))
    if share == 0:
        return logged, Finding("counts", "All counts are positive.")
    nothing = int(np.count_nonzero(values <= 0))
    return logged, Finding(
        "counts",
        f"{percent(share)} of the values ({nothing} of them zero or negative) were raised to a "
        f"transmission of {least:.2g}.",
        "warning" if share > _MANY else "repaired",
    )


def _mean_frame(given: ArrayLike, frame: tuple[int, ...], what: str) -> Floats:
    frames = as_floats(given, what, ndim=(1, 2, 3))
    if frames.shape[-len(frame) :] != frame or frames.ndim > len(frame) + 1:
        # One number a column serves a single sinogram that was cut out of a stack.
        raise InputError(
            f"The {what} has the shape {frames.shape}, one projection {frame}.",
            hint=f"Give a {what} of the same detector: rows and columns, or several such frames.",
        )
    if frames.ndim == len(frame):
        return frames
    mean = np.median(frames, axis=0) if len(frames) > 2 else frames.mean(axis=0)
    return mean.astype(np.float32)


def _filled(values: Floats, bad: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    """Return ``values`` with the pixels ``bad`` of each frame taken from the nearest good ones."""
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(bad, return_distances=False, return_indices=True)
    filled: Floats = values[(slice(None), *nearest)]
    return filled


def _range_in_words(transmission: Floats) -> str:
    some = transmission.ravel()[:: max(1, transmission.size // 10**6)]
    low, high = np.quantile(some, (0.01, 0.99))
    return f"Between {low:.3g} and {high:.3g} of the light passes."
