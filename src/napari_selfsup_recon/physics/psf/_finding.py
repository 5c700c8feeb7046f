"""What was found in a PSF and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_selfsup_recon.core.errors import InputError

Level = Literal["ok", "repaired", "warning"]
Kernel = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """One check of a PSF, in plain words.

    Attributes
    ----------
    step
        What was looked at: ``"background"``, ``"centre"``, ``"voxel size"``, ``"noise"``,
        ``"size"``, ``"values"``, ``"sum"``, ``"axes"``, ``"sharpness"``, ``"saturation"``,
        ``"dark planes"``, ``"length"``, ``"sampling"`` or ``"beads"``.
    message
        One sentence for the user.
    level
        ``"ok"``: nothing was wrong; ``"repaired"``: it was, and now it is not; ``"warning"``: look
        at it.
    undoable
        Whether :func:`~napari_selfsup_recon.psf.prepare` can leave this step out: name it in
        ``skip``.
    skipped
        Whether it was left out, because ``skip`` names it.
    """

    step: str
    message: str
    level: Level = "ok"
    undoable: bool = False
    skipped: bool = False


def as_kernel(psf: ArrayLike) -> Kernel:
    """Return ``psf`` in double precision, never the array that was given.

    Raises
    ------
    InputError
        If it is no real-valued array, is empty, holds NaN or infinite values, or is zero or
        constant everywhere (a PSF of one voxel may be constant).
    """
    array: NDArray[Any] = np.asarray(psf)
    if array.ndim == 0 or array.size == 0 or array.dtype.kind not in "uifb":
        raise InputError(
            f"The PSF has the shape {array.shape} and holds {array.dtype} values.",
            hint="Give a real-valued array.",
        )
    with np.errstate(over="ignore"):  # long doubles
        kernel = np.array(array, dtype=np.float64, order="C")
    bad = kernel.size - int(np.count_nonzero(np.isfinite(kernel)))
    if bad:
        raise InputError(
            f"The PSF holds {bad} voxels that are NaN or infinite.",
            hint="Replace them (for example with numpy.nan_to_num) or choose another PSF.",
        )
    if not kernel.any():
        raise InputError("The PSF is zero everywhere.", hint="Choose another PSF.")
    if kernel.size > 1 and kernel.min() == kernel.max():
        raise InputError(
            f"The PSF is constant (every voxel is {kernel.flat[0]:g}).",
            hint="Choose the image of a point, with dark voxels around it.",
        )
    return kernel


def in_words(values: tuple[float, ...] | tuple[int, ...]) -> str:
    """Return ``(31, 63, 63)`` as ``"31 x 63 x 63"``."""
    return " x ".join(
        f"{value:.3g}" if isinstance(value, float) else str(value) for value in values
    )
