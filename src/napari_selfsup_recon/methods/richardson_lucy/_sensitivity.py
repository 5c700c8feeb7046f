"""How much of each voxel of the image the measurement sees."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.physics._mirror import mirror_adjoint
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur


def sensitivity(physics: Physics, like: Tensor) -> Tensor:
    """Return ``A_adjoint`` of ones, ``image_shape``, for the dtype and device of ``like``.

    For a blur it is summed in double precision without a transform: the correction divides by it,
    also where it is small.
    """
    if not isinstance(physics, Blur):
        ones = like.new_ones((1, 1, *physics.measurement_shape))
        with torch.no_grad():
            return physics.A_adjoint(ones)[0, 0]
    seen = torch.from_numpy(np.array(physics.psf))
    if physics.boundary == "circular":
        return like.new_full(physics.image_shape, float(seen.sum()))
    for axis, n in enumerate(physics.measurement_shape):
        seen = _seen_along(seen, axis, n)
    # So far of the extended image; the others are a part of it or a mirror before it.
    for axis, (k, n) in enumerate(zip(physics.psf.shape, physics.measurement_shape, strict=True)):
        before, behind = k - 1 - k // 2, k // 2
        if physics.boundary == "reflect":
            seen = mirror_adjoint(seen, axis, before, behind)
        elif physics.boundary == "zero":
            seen = seen.narrow(axis, before, n)
    return seen.to(like.dtype).to(like.device)


def _seen_along(psf: Tensor, axis: int, n: int) -> Tensor:
    # Voxel j of the extended axis reaches the voxels i of the measurement with the entries
    # i + k - 1 - j of the PSF: those from k - 1 - j to n + k - 2 - j, where there are such.
    k = psf.shape[axis]
    sums = torch.cat([torch.zeros_like(psf.narrow(axis, 0, 1)), psf.cumsum(axis)], dim=axis)
    j = torch.arange(n + k - 1)
    first, behind = (k - 1 - j).clamp_min(0), (n + k - 1 - j).clamp_max(k)
    return sums.index_select(axis, behind).sub_(sums.index_select(axis, first))
