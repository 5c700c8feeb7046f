"""Half-sample mirroring of one axis (the edge voxel is repeated) and its transpose."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def mirror_index(n: int, before: int, behind: int, device: torch.device) -> Tensor:
    """Return which of ``n`` voxels is seen at each place of the mirrored axis; any margin."""
    index = np.pad(np.arange(n), (before, behind), mode="symmetric")
    return torch.from_numpy(index).to(device)


def mirror(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    """Extend ``x`` along ``axis`` by its mirror image."""
    if before == behind == 0:
        return x
    return x.index_select(axis, mirror_index(x.shape[axis], before, behind, x.device))


def mirror_adjoint(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    """Return the transpose of :func:`mirror`: what was mirrored is added where it came from."""
    if before == behind == 0:
        return x
    n = x.shape[axis] - before - behind
    shape = list(x.shape)
    shape[axis] = n
    index = mirror_index(n, before, behind, x.device)
    return torch.zeros(shape, dtype=x.dtype, device=x.device).index_add(axis, index, x)
