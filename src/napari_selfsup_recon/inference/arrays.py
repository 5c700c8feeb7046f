"""One function on tensors, applied to whatever array it is given."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError


def map_items(function: Callable[[Tensor], Tensor], y: Any, ndim: int, *, out: Any = None) -> Any:
    """Apply ``function`` to every item of ``y`` along its leading axes.

    Parameters
    ----------
    function
        Maps ``(1, 1, *spatial)`` to ``(1, 1, *spatial_out)``, float32.
    y
        ``(*leading, *spatial)`` with ``ndim`` spatial axes: tensor, NumPy, dask, or anything that
        is sliced like NumPy (zarr).
    out
        Filled item by item where given; needed for arrays that are neither of the first three.

    Returns
    -------
    array
        Tensor for a tensor, lazy dask for dask, ``out`` where given, else float32 NumPy.
    """
    if len(y.shape) < ndim:
        raise InputError(
            f"The measurement has shape {tuple(y.shape)}; {ndim} spatial axes are needed.",
            hint="Give an image for 2D physics and a volume for 3D physics.",
        )
    if isinstance(y, Tensor):
        lead = y.shape[: y.ndim - ndim]
        items = [function(_finite(item)[None, None]) for item in y.reshape(-1, *y.shape[-ndim:])]
        stacked = torch.cat(items)[:, 0]
        return stacked.reshape(*lead, *stacked.shape[1:])
    if out is None and hasattr(y, "map_blocks"):
        whole = y.rechunk(dict.fromkeys(range(y.ndim - ndim), 1) | _spatial(y.ndim, ndim))
        return whole.map_blocks(lambda block: _numpy(function, block, ndim), dtype=np.float32)
    if out is None:
        return _numpy(function, np.asarray(y), ndim)
    if tuple(out.shape) != tuple(y.shape):
        raise InputError(
            f"The output array has shape {tuple(out.shape)}, the measurement {tuple(y.shape)}.",
            hint="Give an array of the shape of the measurement.",
        )
    for index in product(*(range(n) for n in y.shape[: len(y.shape) - ndim])):
        out[index] = _numpy(function, np.asarray(y[index]), ndim)
    return out


def _spatial(total: int, ndim: int) -> dict[int, int]:
    return dict.fromkeys(range(total - ndim, total), -1)


def _numpy(
    function: Callable[[Tensor], Tensor], y: np.ndarray[Any, Any], ndim: int
) -> np.ndarray[Any, np.dtype[np.float32]]:
    lead = y.shape[: y.ndim - ndim]
    items = []
    for item in y.reshape(-1, *y.shape[y.ndim - ndim :]):
        tensor = torch.from_numpy(np.array(item, dtype=np.float32))
        items.append(function(_finite(tensor)[None, None])[0, 0].detach().cpu().numpy())
    stacked = np.stack(items)
    return stacked.reshape(*lead, *stacked.shape[1:])


def _finite(y: Tensor) -> Tensor:
    if not bool(torch.isfinite(y).all()):
        raise InputError(
            "The measurement holds NaN or infinite values.",
            hint="Replace them (numpy.nan_to_num or the median) first.",
        )
    return y
