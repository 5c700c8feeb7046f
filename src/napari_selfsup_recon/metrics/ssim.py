"""Structural similarity."""

from __future__ import annotations

from collections.abc import Callable

from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.metrics._check import as_pair, check_range

_WINDOW = 7


def ssim(
    truth: ArrayLike, test: ArrayLike, *, data_range: float, window: int | None = None
) -> float:
    """Return the mean structural similarity (Wang et al. 2004); 1 is best.

    A uniform window, K1 = 0.01, K2 = 0.03, sample covariance, half a window cropped from each side
    before the mean. A volume is compared with a cubic window: its last axis is no colour channel.

    Parameters
    ----------
    truth, test
        Real-valued images of one shape. Axes of length 1 are dropped.
    data_range
        Largest minus smallest possible value. It has no default, since the result depends on it
        strongly. The published SSI figures use 2 for images in [0, 1]; 1 is the honest value
        and gives much lower figures.
    window
        Odd side of the window in pixels. ``None`` takes 7, or the longest odd side that fits where
        an axis is shorter, as in a stack of few planes.

    Raises
    ------
    InputError
        If the images differ in shape, are empty or not finite, are smaller than the window or than
        3 pixels along an axis, or the range is not positive.
    """
    reach = check_range(data_range)
    a, b = (image.squeeze() for image in as_pair(truth, test))
    shortest = min(a.shape, default=1)
    if shortest < 3:
        raise InputError(
            f"SSIM needs at least 3 pixels along each axis; the images are {a.shape}.",
            hint="Compare them plane by plane or by PSNR.",
        )
    side = min(_WINDOW, shortest - (shortest + 1) % 2) if window is None else window
    if side % 2 == 0 or not 3 <= side <= shortest:
        raise InputError(
            f"A window of {side} pixels does not fit images of the shape {a.shape}.",
            hint=f"Give an odd window from 3 to {shortest}, or None.",
        )

    from skimage.metrics import structural_similarity  # slow to import, so only where it is used

    similarity: Callable[..., float] = structural_similarity  # some releases are typed in part
    return float(similarity(a, b, win_size=side, data_range=reach))
