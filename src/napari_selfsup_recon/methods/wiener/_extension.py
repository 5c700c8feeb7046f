"""A measurement continued so that its period has no edge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.physics._sizes import fast_shape

_LEAST = 16


def extended_shape(shape: Sequence[int], psf_shape: Sequence[int]) -> tuple[int, ...]:
    """Return a fast shape with room for two PSFs behind every axis that is blurred."""
    return fast_shape(
        [
            n + max(_LEAST, 2 * (k - 1)) if k > 1 else n
            for n, k in zip(shape, psf_shape, strict=True)
        ]
    )


def extend(y: Tensor, shape: Sequence[int]) -> tuple[Tensor, float]:
    """Continue ``y`` behind its end by its mirror images, faded from the one at the end into the
    one before the start.

    Parameters
    ----------
    y
        Any number of axes.
    shape
        Of the result, at least that of ``y``.

    Returns
    -------
    tensor, float
        ``y`` in the first corner of ``shape``, and which part of the variance of white noise is
        left on average.
    """
    kept = 1.0
    for axis, (n, total) in enumerate(zip(tuple(y.shape), shape, strict=True)):
        room = total - n
        if not room:
            continue
        mirrored = np.pad(np.arange(n), (room, room), mode="symmetric")
        end, start = (
            y.index_select(axis, torch.from_numpy(index.copy()).to(y.device))
            for index in (mirrored[-room:], mirrored[:room])
        )
        fade = 0.5 + 0.5 * torch.cos(torch.pi * torch.arange(1, room + 1) / (room + 1))
        fade = fade.to(y).reshape([-1 if a == axis else 1 for a in range(y.ndim)])
        y = torch.cat([y, start + (end - start) * fade], dim=axis)
        kept *= (n + float((fade.square() + (1 - fade).square()).sum())) / total
    return y, kept
