"""What a sharpened image leaves of its measurement: the honest check of a deconvolution."""

from __future__ import annotations

import math
import weakref
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from napari.layers import Image, Layer

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.runs.config import Boundary
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.widgets.bridge import origin_of
from napari_selfsup_recon.widgets.pairing import overlap, values


@dataclass(frozen=True, eq=False)
class Recipe:
    """The blur that a result was made with: prepared PSF, or one for each frame, and boundary."""

    psfs: tuple[np.ndarray[Any, Any], ...]
    boundary: Boundary


_RECIPES: weakref.WeakKeyDictionary[Layer, Recipe] = weakref.WeakKeyDictionary()


def remember(layer: Layer, plan: RunPlan) -> None:
    """Keep with what blur a result was made; scans are left out."""
    if plan.problem is None:
        several = len(plan.psfs) > 1
        frames = plan.measurement.leading_indices()
        own = tuple(k for index in frames if (k := plan.psf_of(index)) is not None)
        _RECIPES[layer] = Recipe(own if several else plan.psfs, plan.config.physics.boundary)


def remember_blur(layer: Layer, psfs: Sequence[np.ndarray[Any, Any]], boundary: Boundary) -> None:
    """Keep the prepared PSFs of a result that was made elsewhere: one, or one for each frame."""
    _RECIPES[layer] = Recipe(tuple(psfs), boundary)


def can_reblur(layer: Layer | None) -> bool:
    """Whether the measurement and the blur of a result are known."""
    return layer is not None and layer in _RECIPES and origin_of(layer) is not None


def residual_of(layer: Image) -> Generator[str, None, tuple[FloatImage, tuple[slice, ...]]]:
    """Return ``y - A(x)`` of a result, and which part of its source that is; yields stages.

    A is the blur, or nothing where only noise was removed. Beyond its edge the image is continued
    by the pixels there.

    Raises
    ------
    InputError
        If the measurement is gone or it is not known how the result was made.
    """
    source = origin_of(layer)
    recipe = _RECIPES.get(layer)
    if source is None or recipe is None or not isinstance(source, Image):
        raise InputError(
            f"What {layer.name!r} was made from is not known any more.",
            hint="Run the method again; the residual belongs to results of this window.",
        )
    mine, theirs = overlap([layer, source])
    yield "Reading"
    y, x = values(source, theirs), values(layer, mine)
    if not recipe.psfs:
        return y - x, theirs
    left = np.empty_like(y)
    lead = y.ndim - recipe.psfs[0].ndim
    frames = np.arange(math.prod(layer.data.shape[:lead])).reshape(layer.data.shape[:lead])
    numbers = frames[mine[:lead]]
    for index in product(*(range(n) for n in y.shape[:lead])):
        yield "Blurring again"
        left[index] = y[index] - blurred(x[index], recipe, int(numbers[index]))
    return left, theirs


def blurred(image: FloatImage, recipe: Recipe, frame: int = 0) -> FloatImage:
    """Return what the instrument would have made of ``image``, the frame with this number."""
    import torch

    from napari_selfsup_recon.physics.blur import Blur

    blur = Blur(recipe.psfs[frame % len(recipe.psfs)], image.shape, boundary=recipe.boundary)
    pad = [side for pair in reversed(blur.margins) for side in pair]
    with torch.no_grad():
        tensor = torch.from_numpy(np.ascontiguousarray(image))[None, None]
        if any(pad):
            tensor = torch.nn.functional.pad(tensor, pad, mode="replicate")
        made: FloatImage = blur.A(tensor)[0, 0].numpy()
    return made
