"""What the published SSI figures were compared with, kept for that comparison only.

For work, use the methods of this package: they assume no mirror at the border and converge faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.simulate._convolve import as_array, as_psf


def lucy_richardson_mirror(y: ArrayLike, psf: ArrayLike, iterations: int) -> NDArray[np.float64]:
    """Return the published Lucy-Richardson variant after ``iterations``, clipped to [-1, 1].

    Starts from the mean of the measurement and mirrors the image at its border, the edge pixel
    repeated; no background, no damping, no acceleration::

        e <- e (K^T (y / (K e)))          with 1 in place of K e where that is 0

    Parameters
    ----------
    y
        Measurement in [0, 1]; negative values count as 0. It is not changed.
    psf
        Same number of axes, odd sides no longer than the image, used as it is (not normalised).
    iterations
        At least 1.

    Raises
    ------
    InputError
        If the measurement or the PSF are not finite and real-valued or do not fit each other.
    """
    return lucy_richardson_mirror_at(y, psf, (iterations,))[iterations]


def lucy_richardson_mirror_at(
    y: ArrayLike, psf: ArrayLike, iterations: Iterable[int]
) -> dict[int, NDArray[np.float64]]:
    """Return :func:`lucy_richardson_mirror` at several numbers of iterations in one run.

    Returns
    -------
    dict
        Number of iterations to estimate, in rising order.
    """
    wanted = sorted(set(iterations))
    if not wanted or wanted[0] < 1:
        raise InputError(
            f"{wanted} iterations cannot be run.", hint="Give whole numbers of 1 or more."
        )
    estimates = _iterate(y, psf)
    kept: dict[int, NDArray[np.float64]] = {}
    for i in range(1, wanted[-1] + 1):
        estimate = next(estimates)
        if i in wanted:
            kept[i] = np.clip(estimate, -1.0, 1.0)
    return kept


def _iterate(y: ArrayLike, psf: ArrayLike) -> Iterator[NDArray[np.float64]]:
    from scipy import fft

    data = np.maximum(as_array(y, "measurement"), 0.0)
    # The authors' kernel is single precision.
    kernel = as_psf(psf, data.ndim).astype(np.float32).astype(np.float64)
    if any(k > n for k, n in zip(kernel.shape, data.shape, strict=True)):
        raise InputError(
            f"The PSF {kernel.shape} is larger than the measurement {data.shape}.",
            hint="Crop the PSF or use a larger image.",
        )
    half = [k // 2 for k in kernel.shape]
    padded = [n + k - 1 for n, k in zip(data.shape, kernel.shape, strict=True)]
    fast = [fft.next_fast_len(n, real=True) for n in padded]
    # Circular wrap-around at these sizes only reaches pixels that are cropped.
    inner = tuple(slice(k - 1, k - 1 + n) for k, n in zip(kernel.shape, data.shape, strict=True))
    forward, backward = fft.rfftn(kernel, fast), fft.rfftn(np.flip(kernel), fast)

    def convolve(image: NDArray[np.float64], otf: NDArray[np.complex128]) -> NDArray[np.float64]:
        mirrored = np.pad(image, [(h, h) for h in half], mode="symmetric")
        result: NDArray[np.float64] = fft.irfftn(fft.rfftn(mirrored, fast) * otf, fast)[inner]
        return result

    estimate = np.full(data.shape, data.mean())
    while True:
        blurred = convolve(estimate, forward)
        # What rounding leaves of a zero is none; the data are zero there as well.
        blurred[np.abs(blurred) <= 1e-15 * np.abs(blurred).max()] = 1.0
        estimate = estimate * convolve(data / blurred, backward)
        yield estimate


def published_blobs_3d(length: int = 64, *, seed: int = 1) -> NDArray[np.float32]:
    """Return the 0/1 blobs of the published 3D demo, a cube of side ``length``.

    Random points, smoothed by a Gaussian of a fortieth of the side and cut at their median.
    """
    from scipy.ndimage import gaussian_filter

    points = length * np.random.RandomState(seed).rand(3, 1000)
    grid = np.zeros((length,) * 3)
    grid[tuple(points.astype(int))] = 1
    smooth = gaussian_filter(grid, 0.025 * length, mode="nearest")
    blobs: NDArray[np.float32] = (smooth >= np.median(smooth)).astype(np.float32)
    return blobs
