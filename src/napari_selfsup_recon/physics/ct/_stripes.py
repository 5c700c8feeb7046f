"""Stripes in sinograms, which become rings in slices."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics.ct._arrays import Floats, as_floats
from napari_selfsup_recon.physics.psf import Finding

StripeMethod = Literal["sorting", "algotom"]


def remove_stripes(
    sinograms: ArrayLike, *, size: int = 21, method: StripeMethod = "sorting"
) -> tuple[Floats, Finding]:
    """Return ``(..., angle, column)`` without stripes along the angle, and how strong they were.

    ``"sorting"`` sorts the values of each column, smooths the sorted values across columns with a
    median, and puts them back to where they came from: what belongs to a column alone goes, what
    wanders through the columns with the angle stays (N. T. Vo et al., Optics Express 26, 28396,
    2018, algorithm 3). ``"algotom"`` uses the combined removal of that package, which knows large
    and dead stripes too.

    Parameters
    ----------
    sinograms
        One sinogram or a stack.
    size
        Columns of the median; stripes up to half as wide are removed.
    method
        Which of the two.

    Raises
    ------
    InputError
        If ``size`` is no odd number between 3 and the number of columns, or algotom is not
        installed.
    """
    values = as_floats(sinograms, "sinogram")
    columns = values.shape[-1]
    if size < 3 or size % 2 == 0 or size > columns:
        raise InputError(
            f"The window against stripes is {size} columns wide.",
            hint=f"Give an odd number from 3 to {columns}.",
        )
    stack = values.reshape(-1, *values.shape[-2:])
    clean = _algotom(stack, size) if method == "algotom" else _sorted(stack, size)
    stripes = (stack - clean).mean(axis=1)
    strength = float(stripes.std()) / max(float(stack.std()), 1e-12)
    return clean.reshape(values.shape), Finding(
        "stripes",
        f"Stripes were removed; they were {strength:.1%} as strong as the sinogram.",
        "repaired",
    )


def _sorted(stack: Floats, size: int) -> Floats:
    from scipy.ndimage import median_filter  # slow to import, so only where it is used

    clean = np.empty_like(stack)
    for sinogram, target in zip(stack, clean, strict=True):
        order = np.argsort(sinogram, axis=0, kind="stable")
        ranked = np.take_along_axis(sinogram, order, axis=0)
        np.put_along_axis(target, order, median_filter(ranked, (1, size), mode="nearest"), axis=0)
    return clean


def _algotom(stack: Floats, size: int) -> Floats:
    try:
        from algotom.prep.removal import remove_all_stripe
    except ImportError:
        raise InputError(
            "The package algotom is not installed.",
            hint="pip install napari-selfsup-recon[ct], or choose the method 'sorting'.",
        ) from None
    clean = [remove_all_stripe(sinogram.copy(), sm_size=size) for sinogram in stack]
    return np.stack(clean).astype(np.float32)
