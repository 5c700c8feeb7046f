"""What goes wrong while a PSF is recorded: saturation, lost frames, too few planes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.physics.psf._core import SMOOTHED_NOISE, labels, noise_level
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel

SHORT = 0.05  # of the peak; brighter ends are told
ENOUGH = 0.01  # of the peak; where a PSF may end


def check_saturation(psf: ArrayLike) -> Finding:
    """Return whether the top of a recorded PSF is cut off: a plateau at its largest value.

    A bead that is merely coarse in grey values has a small plateau, too; one that is larger than
    a rounded peak of its width and height can have is told.
    """
    kernel = as_kernel(psf)
    top = float(kernel.max())
    count = plateau(kernel)
    if not count:
        return Finding("saturation", "The PSF is not saturated.")
    return Finding(
        "saturation",
        f"{count} neighbouring voxels share the largest value ({top:g}): the detector was "
        "saturated, and the PSF is flatter and wider than it should be. Record it with less light.",
        "warning",
    )


def plateau(kernel: Kernel) -> int:
    """Return the voxels of the plateau at the maximum, or 0 if it may as well be rounding."""
    top = float(kernel.max())
    low = float(np.median(kernel))
    at_top = kernel == top
    groups, _ = labels(at_top)
    sizes = np.bincount(groups.ravel())[1:]
    largest = int(sizes.max())
    above = kernel[kernel > low + (top - low) / 2]
    levels = np.unique(above)
    # Two values make a mask or a box, which is no recording.
    if largest < 5 or levels.size < 3:
        return 0
    # A rounded parabola: 1 - (r / r_half)^2 / 2 stays within half a grey value of its top.
    quantum = float(np.diff(levels).min())
    share = min(1.0, (quantum / (top - low)) ** (kernel.ndim / 2))
    return largest if largest > 5 + 3 * share * above.size else 0


def mend_dark_planes(psf: ArrayLike) -> tuple[Kernel, Finding]:
    """Return a volume without planes that recorded nothing at all.

    Such a plane has one and the same value everywhere, below the background of the others, or
    between planes that see the light. At the ends they are cut off; in between they are filled from
    their neighbours.
    """
    kernel = as_kernel(psf)
    nothing = Finding("dark planes", "No plane is dark.")
    if kernel.ndim != 3 or kernel.shape[0] < 3:
        return kernel, nothing
    dark = dark_planes(kernel)
    if not dark.any():
        return kernel, nothing
    lit = np.flatnonzero(~dark)
    first, last = int(lit[0]), int(lit[-1])
    inside = [int(i) for i in np.flatnonzero(dark) if first < i < last]
    mended = kernel.copy()
    for plane in inside:
        before, after = lit[lit < plane][-1], lit[lit > plane][0]
        share = (plane - before) / (after - before)
        mended[plane] = (1 - share) * kernel[before] + share * kernel[after]
    cut = first + kernel.shape[0] - 1 - last
    told = []
    if cut:
        told.append(f"{cut} dark planes at the ends were cut off.")
    if inside:
        told.append(
            f"Dark planes were filled from their neighbours: {', '.join(map(str, inside))}."
        )
    return mended[first : last + 1], Finding("dark planes", " ".join(told), "repaired")


def dark_planes(volume: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which planes of a volume recorded nothing, as a list of yes and no."""
    lowest, highest = volume.min(axis=(1, 2)), volume.max(axis=(1, 2))
    constant: NDArray[np.bool_] = lowest == highest
    lit = np.flatnonzero(~constant)
    if lit.size in (0, constant.size):
        return np.zeros_like(constant)
    some = lit[:: max(1, lit.size // 32)]
    low, middle = np.median(np.quantile(volume[some], (0.05, 0.5), axis=(1, 2)), axis=1)
    # The tails of a clean PSF fall off without end; a camera's offset has a level.
    dark: NDArray[np.bool_] = constant & (highest < low) & bool(low > middle / 2)
    base = float(lowest[lit].min())
    bright = highest > base + SHORT * (float(highest.max()) - base)
    for plane in np.flatnonzero(constant & ~dark):
        before, after = lit[lit < plane], lit[lit > plane]
        if before.size and after.size and bright[before[-1]] and bright[after[0]]:
            dark[plane] = True
    return dark


def check_length(psf: ArrayLike) -> Finding:
    """Return whether a volume has enough planes: how bright its first and last plane are.

    Parameters
    ----------
    psf
        Point spread function without background.
    """
    from scipy import ndimage

    kernel = as_kernel(psf)
    planes = kernel.shape[0]
    fine = Finding("length", f"The PSF has enough planes ({planes}).")
    if kernel.ndim != 3 or planes < 2:
        return fine
    smoothed = ndimage.gaussian_filter(kernel, (0.0, 1.0, 1.0), mode="constant")
    noise = 4 * noise_level(kernel) * SMOOTHED_NOISE**2
    tops = (smoothed.max(axis=(1, 2)) - noise).clip(min=0.0)
    peak = int(np.argmax(tops))
    if not tops[peak] > 0:
        return fine
    tops = tops / tops[peak]
    share, end = max((float(tops[0]), 0), (float(tops[-1]), planes - 1))
    if share <= SHORT:
        return fine
    needed = 2 * max(_reach(tops[peak::-1]), _reach(tops[peak:])) + 1
    which = "first" if end == 0 else "last"
    return Finding(
        "length",
        f"The PSF is cut in z: its {which} plane still has {100 * share:.0f} % of the brightness "
        f"of the focus. Record about {needed} planes around the focus; {planes} are there.",
        "warning",
    )


def _reach(tops: Kernel) -> int:
    """Return how many planes from the focus it is dark, judged by the planes that are there."""
    dark = np.flatnonzero(tops <= ENOUGH)
    if dark.size:
        return int(dark[0])
    last = tops.size - 1
    if last == 0:
        return 1
    # Between a Gaussian and light out of focus, which falls with the square of the distance.
    share = min(float(tops[last]), 0.99)
    steep = math.sqrt(math.log(ENOUGH) / math.log(share))
    return math.ceil(last * math.sqrt(steep * math.sqrt(share / ENOUGH)))
