"""Bringing the centre of a PSF to the middle of its array."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.physics.psf._core import find_core
from napari_selfsup_recon.physics.psf._finding import Finding, Kernel, as_kernel

By = Literal["core", "peak", "centroid"]


def centre(psf: ArrayLike, *, by: By = "core", subvoxel: bool = False) -> tuple[Kernel, Finding]:
    """Return the PSF with its centre at ``n // 2`` of each axis.

    It is moved by whole voxels, and nothing is lost: where it moves, the array grows to odd sides.
    A PSF that is stored with its centre in the first voxel (FFT order) is unrolled.

    Parameters
    ----------
    psf
        Point spread function without background.
    by
        What the centre is: the centroid of the ``"core"`` (all above half of the maximum), the
        brightest voxel (``"peak"``), or the ``"centroid"`` of the whole array.
    subvoxel
        Also shift the rest, a fraction of a voxel, by cubic interpolation. It blurs a little.

    Returns
    -------
    tuple
        The PSF and by how much its centre was moved. The level is ``"warning"`` where several
        bright spots were found or the core touches the border.
    """
    kernel = as_kernel(psf)
    unrolled = _unroll(kernel)
    if unrolled is not None:
        return unrolled, Finding(
            "centre", "The PSF was unrolled: its centre was in the first voxel.", "repaired"
        )
    core = find_core(kernel)
    if by == "core":
        position = core.centroid
    elif by == "peak":
        peak = np.unravel_index(int(np.argmax(kernel)), kernel.shape)
        position = tuple(float(i) for i in peak)
    else:
        light = kernel.clip(min=0.0)
        grids: tuple[NDArray[np.intp], ...] = np.indices(kernel.shape, sparse=True)
        position = tuple(float((light * grid).sum() / light.sum()) for grid in grids)
    shift = tuple(_whole(n // 2 - p) for n, p in zip(kernel.shape, position, strict=True))
    moved = _pad(kernel, shift)
    message = f"PSF centre moved by ({', '.join(str(s) for s in shift)}) voxels."
    if not any(shift):
        message = "The centre of the PSF is in the middle."
    if subvoxel:
        moved, rest = _fraction(moved, kernel.shape, shift, position)
        message = f"{message} It was shifted by another ({', '.join(f'{r:.2f}' for r in rest)})."
    cut = any(
        low == 0 or high == n - 1
        for (low, high), n in zip(core.extent, kernel.shape, strict=True)
        if n > 3
    )
    if core.spots > 1:
        message += f" It shows {core.spots} bright spots; crop the image of a single point."
    elif cut:
        message += " It is cut off at the border of its array."
    doubtful = core.spots > 1 or cut
    level: Literal["ok", "repaired", "warning"] = (
        "warning" if doubtful else "repaired" if any(shift) or subvoxel else "ok"
    )
    return moved, Finding("centre", message, level)


def _whole(shift: float) -> int:
    # Half a voxel either way is no reason to move: even-sized symmetric PSFs stay as they are.
    return 0 if abs(shift) < 0.5 + 1e-6 else round(shift)


def _pad(kernel: Kernel, shift: tuple[int, ...]) -> Kernel:
    """Return ``kernel`` padded with zeros so that voxel ``n // 2 - shift`` is in the middle."""
    widths = []
    for n, s in zip(kernel.shape, shift, strict=True):
        position = n // 2 - s
        half = max(position, n - 1 - position)
        widths.append((half - position, half - (n - 1 - position)) if s else (0, 0))
    return np.pad(kernel, widths)


def _fraction(
    moved: Kernel, shape: tuple[int, ...], shift: tuple[int, ...], position: tuple[float, ...]
) -> tuple[Kernel, tuple[float, ...]]:
    from scipy import ndimage

    rest = tuple(n // 2 - p - s for n, p, s in zip(shape, position, shift, strict=True))
    shifted: Kernel = ndimage.shift(moved, rest, order=3, mode="constant")
    return shifted, rest


def _unroll(kernel: Kernel) -> Kernel | None:
    """Return ``kernel`` in natural order if it is in FFT order, else None."""
    if np.unravel_index(int(np.argmax(kernel)), kernel.shape) != (0,) * kernel.ndim:
        return None
    for axis, n in enumerate(kernel.shape):
        after = kernel[tuple(1 if a == axis else 0 for a in range(kernel.ndim))] if n > 2 else 0.0
        before = kernel[tuple(-1 if a == axis else 0 for a in range(kernel.ndim))] if n > 2 else 0.0
        if n <= 2 or before <= 0 or after <= 0 or not 0.5 < before / after < 2:
            return None
    return np.fft.fftshift(kernel)
