"""Sampling masks: checked once, kept as bytes, handed out in the dtype of what they meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]


class Mask:
    """Which places of an image or a spectrum are measured.

    Parameters
    ----------
    mask
        Boolean, or zeros and ones: ``(*spatial)`` with up to 3 axes for all images, or
        ``(batch, 1, *spatial)`` with 2 or 3 spatial axes, one for each image.

    Attributes
    ----------
    array
        Boolean, read-only, ``(*spatial)`` or ``(batch, 1, *spatial)``.
    spatial
        Shape without batch and channel.
    items
        How many images have a mask of their own; None where all share one.

    Raises
    ------
    InputError
        If the mask is empty, holds anything but zeros and ones, measures nothing, or has another
        number of axes.
    """

    def __init__(self, mask: ArrayLike | Tensor) -> None:
        values = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)
        if values.size == 0 or values.ndim == 0 or values.ndim > 5:
            raise InputError(
                f"A mask of shape {values.shape} fits no image.",
                hint="Give (y, x), (z, y, x), or one for each image: (batch, 1, y, x).",
            )
        if values.dtype.kind not in "biuf" or not bool(((values == 0) | (values == 1)).all()):
            raise InputError(
                "The mask holds values other than 0 and 1.",
                hint="Give a boolean array, for example mask > 0.",
            )
        own = values.ndim > 3
        if own and values.shape[1] != 1:
            raise InputError(
                f"A mask of shape {values.shape} has {values.shape[1]} channels.",
                hint="All channels of an image share a mask: give (batch, 1, y, x).",
            )
        chosen: BoolArray = np.array(values != 0)
        if own and len(chosen) == 1:
            chosen, own = chosen[0, 0], False
        each = chosen.reshape(len(chosen), -1) if own else chosen.reshape(1, -1)
        if not bool(each.any(axis=1).all()):
            raise InputError("The mask measures nothing.", hint="Ones mark what is measured.")
        chosen.setflags(write=False)
        self.array = chosen
        self.spatial: tuple[int, ...] = chosen.shape[2:] if own else chosen.shape
        self.items = len(chosen) if own else None
        self._kept: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def like(self, value: Tensor) -> Tensor:
        """Return the mask as zeros and ones for a batch, in dtype and on the device of ``value``.

        It is ``(1 or batch, 1, *spatial)``; where images have masks of their own these repeat as
        often as the batch asks for.
        """
        key = (value.dtype, value.device)
        if key not in self._kept:
            whole = self.array if self.items else self.array[None, None]
            self._kept[key] = torch.from_numpy(np.array(whole)).to(value.device, value.dtype)
        kept = self._kept[key]
        if self.items is None or len(value) == self.items:
            return kept
        return kept.repeat(len(value) // self.items, *[1] * (kept.ndim - 1))

    def at(self, items: Sequence[int]) -> BoolArray:
        """Return the masks of some images; the mask itself where all share one.

        Raises
        ------
        InputError
            If there is no such image.
        """
        if self.items is None:
            return self.array
        if not items or not all(-self.items <= n < self.items for n in items):
            raise InputError(
                f"There are masks for {self.items} images, not for {list(items)}.",
                hint="Count from 0.",
            )
        return np.array(self.array[list(items)])
