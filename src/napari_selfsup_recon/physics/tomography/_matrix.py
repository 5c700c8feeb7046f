"""The sparse matrix of rays through an image, by torch alone: on any device, in chunks of rays."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from napari_selfsup_recon.physics.tomography._rays import Rays


def entries(rays: Rays, shape: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return counts a ray, pixel indices (int32) and weights (float64) of the matrix's rows."""
    height, width = shape
    device = rays.low.device
    rows = rays.along_rows[:, None]
    step = torch.arange(max(shape), device=device)
    one, other = (edge[0, :, None] + edge[1, :, None] * step for edge in (rays.low, rays.high))
    low, high = torch.minimum(one, other), torch.maximum(one, other)
    span = high - low
    scale = rays.length[:, None] / span
    if rays.depth is not None:
        scale /= rays.depth[0, :, None] + rays.depth[1, :, None] * step
    taps = math.ceil(float(span.max())) + 1
    pixel = torch.floor(low + 0.5)[..., None] + torch.arange(taps, device=device)
    share = torch.minimum(high[..., None], pixel + 0.5)
    share -= torch.maximum(low[..., None], pixel - 0.5)
    keep = (share > 0) & (pixel >= 0) & (pixel < torch.where(rows, width, height)[..., None])
    keep &= (step < torch.where(rows, height, width))[..., None]
    share *= scale[..., None]
    index = torch.where(rows, 1, width).int()[..., None] * pixel.int()
    index += (torch.where(rows, width, 1) * step).int()[..., None]
    return keep.sum(dim=(1, 2)), index[keep], share[keep]


def csr(counts: Tensor, index: Tensor, weights: Tensor, columns: int) -> Tensor:
    """Return a sparse CSR tensor; its indices are 32 bits wide, which the libraries ask for."""
    starts = torch.zeros(len(counts) + 1, dtype=torch.int32, device=counts.device)
    starts[1:] = torch.cumsum(counts, 0)
    return sparse(starts, index, weights, (len(counts), columns))


def sparse(starts: Tensor, index: Tensor, weights: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the CSR tensor of these parts, without torch's remark that it is new."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(starts, index, weights, size=size, check_invariants=False)


def transposed(matrix: Tensor) -> Tensor:
    """Return the transpose as a CSR tensor of its own: products with it run at full speed."""
    rows, columns = matrix.shape
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSC tensor support is in beta")
        csc = matrix.to_sparse_csc()
    starts, index = csc.ccol_indices().int(), csc.row_indices().int()
    return sparse(starts, index, csc.values(), (columns, rows))


def product(matrix: Tensor, x: Tensor) -> Tensor:
    """Return ``matrix`` times the images ``x``, one a row: ``(images, rows of the matrix)``."""
    with torch.autocast(x.device.type, enabled=False):
        if len(x) == 1:
            return (matrix @ x[0])[None]
        # Images side by side: each entry of the matrix then meets one short run of memory.
        return (matrix @ x.T.contiguous()).T.contiguous()
