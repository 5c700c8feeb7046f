"""Slices that are in both domains."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError


def without_copies(noisy: Tensor, clean: Tensor) -> tuple[Tensor, int]:
    """Return which noisy slices ``(items, z)`` are no clean examples, and how many are.

    Parameters
    ----------
    noisy, clean
        ``(items, z, y, x)``.

    Raises
    ------
    InputError
        If all of them are.
    """
    known = {_print(plane) for plane in clean.flatten(0, 1)}
    use = torch.tensor(
        [[_print(plane) not in known for plane in item] for item in noisy], dtype=torch.bool
    )
    if not bool(use.any()):
        raise InputError(
            "The clean examples are the noisy images themselves.",
            hint="Give other images as clean examples, or only the clean slices of the stack.",
        )
    return use, int((~use).sum())


def _print(plane: Tensor) -> bytes:
    return hashlib.sha256(plane.cpu().numpy().tobytes()).digest()
