"""What is given, checked before any work: both domains, and what of them networks see at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.methods.base import as_tensor
from napari_selfsup_recon.methods.iscl.options import ISCLOptions

# Fewer slices make no block.
_FEWEST = 4


def read_domains(y: Any, clean: Any, shape: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return noisy and clean images, ``(items, z, y, x)`` each.

    Parameters
    ----------
    y
        Noisy images ``(*leading, *shape)``.
    clean
        Clean images ``(*leading, y, x)`` or, beside stacks, ``(*leading, z, y, x)``.
    shape
        Of one noisy image or stack.

    Raises
    ------
    InputError
        If shapes do not fit, or there are no clean images.
    """
    ndim = len(shape)
    noisy = as_tensor(y, ndim)
    if tuple(noisy.shape[2:]) != tuple(shape):
        raise InputError(
            f"The physics is for images of shape {tuple(shape)}, not {tuple(noisy.shape[2:])}.",
            hint="Build the physics for this shape.",
        )
    if clean is None or 0 in np.shape(clean):
        raise InputError(
            "ISCL needs clean examples: images of the same kind with little noise.",
            hint="Give clean=: another image or stack, or the clean slices of this one.",
        )
    examples = as_tensor(clean, 3 if np.ndim(clean) > 2 and ndim == 3 else 2)
    one = noisy[:, 0] if ndim == 3 else noisy
    return one, examples[:, 0] if examples.ndim == 5 else examples


def reach_of(options: ISCLOptions, ndim: int, slices: int) -> int:
    """Return how many neighbours on either side 2D networks see.

    Parameters
    ----------
    options
        Of the method.
    ndim
        Axes of a noisy image.
    slices
        Of the shallower of both domains.

    Raises
    ------
    InputError
        If neighbours are wanted but cannot be seen.
    """
    published = options.players == "published"
    wanted = options.neighbours == "both"
    if wanted and (ndim == 2 or published):
        raise InputError(
            "There are no neighbouring slices to see."
            if ndim == 2
            else "The published networks see one slice.",
            hint="Set the neighbouring slices to auto.",
        )
    if options.neighbours == "auto":
        wanted = ndim == 3 and slices > 2 and not published
    return int(wanted)


def depth_of(options: ISCLOptions, ndim: int, noisy: int, clean: int) -> int:
    """Return how many slices the blocks have that 3D networks learn from; 0 where they are 2D.

    Parameters
    ----------
    options
        Of the method.
    ndim
        Axes of a noisy image.
    noisy, clean
        Slices of the stacks of both domains.

    Raises
    ------
    InputError
        If there are no stacks, or other options do not fit.
    """
    if options.dimensions == "2D":
        return 0
    way_out = "Set the dimensions to 2D."
    if options.players == "published":
        raise InputError("The published networks see one slice.", hint=way_out)
    if options.neighbours == "none":
        raise InputError(
            "3D networks see neighbouring slices, which are switched off.",
            hint=f"{way_out[:-1]}, or the neighbouring slices to auto.",
        )
    if ndim == 2:
        raise InputError("Single images have no third dimension.", hint=way_out)
    for name, slices in (("noisy images", noisy), ("clean examples", clean)):
        if slices < _FEWEST:
            raise InputError(
                f"3D networks learn from stacks of at least {_FEWEST} slices, but the {name} have "
                f"{slices}.",
                hint=f"Give stacks, or: {way_out[0].lower()}{way_out[1:]}",
            )
    return min(options.depth, noisy, clean)
