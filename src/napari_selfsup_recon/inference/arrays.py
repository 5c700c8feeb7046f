"""One function on tensors, applied to whatever array it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError


def map_items(
    function: Callable[[Tensor], Tensor],
    y: Any,
    ndim: int,
    *,
    out: Any = None,
    channels: int | None = None,
    shape: Sequence[int] | None = None,
) -> Any:
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
    channels
        Where items have channels that belong together: how many. They come before the spatial axes
        of ``y`` and of the result, and ``function`` gets ``(1, channels, *spatial)``.
    shape
        ``spatial_out``; None: as ``spatial``.

    Returns
    -------
    array
        Tensor for a tensor, lazy dask for dask, ``out`` where given, else float32 NumPy.
    """
    refuse_complex(y)
    own = ndim if channels is None else ndim + 1
    if len(y.shape) < own or (channels is not None and y.shape[-own] != channels):
        needed = f"{ndim} spatial axes are needed"
        raise InputError(
            f"The measurement has shape {tuple(y.shape)}; {needed}"
            + ("." if channels is None else f", and {channels} channels before them."),
            hint="Give an image for 2D physics and a volume for 3D physics."
            if channels is None
            else "Make channels of complex values with as_channels.",
        )
    lead = tuple(y.shape[: len(y.shape) - own])
    made = tuple(y.shape[-own:]) if shape is None else tuple(shape)
    if channels is not None and shape is not None:
        made = (channels, *made)
    if isinstance(y, Tensor):
        flat = y.reshape(-1, *y.shape[-own:])
        stacked = torch.cat([_one(function, item, channels)[None] for item in flat])
        return stacked.reshape(*lead, *stacked.shape[1:])

    def on_numpy(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
        return _numpy(function, values, own, channels)

    if out is None and hasattr(y, "map_blocks"):
        spatial = range(len(lead), len(y.shape))
        whole = y.rechunk(dict.fromkeys(range(len(lead)), 1) | dict.fromkeys(spatial, -1))
        return whole.map_blocks(
            on_numpy,
            dtype=np.float32,
            drop_axis=list(spatial),
            new_axis=list(range(len(lead), len(lead) + len(made))),
            chunks=(*whole.chunks[: len(lead)], *((n,) for n in made)),
        )
    if out is None:
        return on_numpy(np.asarray(y))
    if tuple(out.shape) != lead + made:
        where = "the measurement" if shape is None else "the result"
        raise InputError(
            f"The output array has shape {tuple(out.shape)}, {where} {lead + made}.",
            hint=f"Give an array of the shape of {where}.",
        )
    for index in product(*(range(n) for n in lead)):
        out[index] = on_numpy(np.asarray(y[index]))
    return out


def refuse_complex(y: Any) -> None:
    """Refuse complex values, whose imaginary part would be lost.

    Raises
    ------
    InputError
        If there are any.
    """
    complex_valued = y.is_complex() if isinstance(y, Tensor) else np.iscomplexobj(y)
    if complex_valued or getattr(getattr(y, "dtype", None), "kind", "") == "c":
        raise InputError(
            "The measurement is complex.",
            hint="Make two channels of it, real and imaginary part, with as_channels.",
        )


def _one(function: Callable[[Tensor], Tensor], item: Tensor, channels: int | None) -> Tensor:
    """Return the result for one item, without the axes that it does not have."""
    if not bool(torch.isfinite(item).all()):
        raise InputError(
            "The measurement holds NaN or infinite values.",
            hint="Replace them (numpy.nan_to_num or the median) first.",
        )
    return function(item[None, None])[0, 0] if channels is None else function(item[None])[0]


def _numpy(
    function: Callable[[Tensor], Tensor],
    y: np.ndarray[Any, Any],
    own: int,
    channels: int | None,
) -> np.ndarray[Any, np.dtype[np.float32]]:
    lead = y.shape[: y.ndim - own]
    items = []
    for item in y.reshape(-1, *y.shape[y.ndim - own :]):
        tensor = torch.from_numpy(np.array(item, dtype=np.float32))
        items.append(_one(function, tensor, channels).detach().cpu().numpy())
    stacked = np.stack(items)
    return stacked.reshape(*lead, *stacked.shape[1:])
