"""How much variation the image may have from which a network starts."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.consistency import consistency
from napari_selfsup_recon.methods._recon._partial import draw_split, has_views, hide
from napari_selfsup_recon.methods._recon._scaled import scaled_equations
from napari_selfsup_recon.methods._recon._start import smooth_start
from napari_selfsup_recon.methods._recon._units import Units
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.mri import MRI

_FIRST, _FACTOR = 1e-3, 3.0
_SMALLEST, _LARGEST = 1e-6, 1.0
_SHARE = 0.1
_SLICES = 4
_CENTRE = 0.2
_TINY = 1e-30


@torch.no_grad()
def find_variation(
    physics: Physics, y: Tensor, units: Units, *, positive: bool, seed: int
) -> float:
    """Return the weight of total variation that predicts left-out values best.

    Found by some slices, on a grid of factors of three and a parabola through its best points.

    Parameters
    ----------
    physics
        What made the measurements.
    y
        ``(items, channel, *measurement_shape)``.
    units
        Of the training.
    positive
        Whether images are never negative.
    seed
        Of the draw of what is left out.
    """
    few = torch.linspace(0, len(y) - 1, min(len(y), _SLICES)).round().long().tolist()
    own = physics if physics.items is None else physics.at(few)
    some = y[few]
    generator = torch_generator(seed, "variation")
    if has_views(own):
        # Single values: a whole projection is foretold best by smoother images than the best ones.
        hidden = (torch.rand(some.shape, generator=generator) < _SHARE).to(some)
    else:
        hidden = draw_split(own, some, _SHARE, generator)
    shown = scaled_equations(hide(own, hidden), some * (1 - hidden), units)

    if isinstance(own, MRI):
        hidden = hidden * outskirts(own.measurement_shape).to(hidden)

    def missed(weight: float) -> float:
        expected = own.A(smooth_start(shown, weight, positive=positive) * units.image)
        return float(consistency(expected, some, weight=hidden))

    found = {0: missed(_FIRST)}
    for way in (1, -1):
        place = best = min(found, key=found.__getitem__)
        while place + way not in found and _SMALLEST < _FIRST * _FACTOR ** (place + way) < _LARGEST:
            place += way
            found[place] = missed(_FIRST * _FACTOR**place)
            if not found[place] < found[best]:
                break
            best = place
    best = min(found, key=found.__getitem__)
    return float(_FIRST * _FACTOR ** (best + between(found, best)))


def between(found: dict[int, float], best: int) -> float:
    """Return how far beside ``best`` the parabola through the logarithms is lowest."""
    if best - 1 not in found or best + 1 not in found:
        return 0.0
    before, here, after = (log(max(found[best + n], _TINY)) for n in (-1, 0, 1))
    bend = before - 2 * here + after
    return (before - after) / (2 * bend) if bend > 0 else 0.0


def outskirts(shape: Sequence[int]) -> Tensor:
    """Return 1 where centred k-space of a shape is far from its centre, and 0 near it.

    The few values near the centre make up most of an image: no prediction is close there.
    """
    radius = torch.zeros(tuple(shape))
    for axis, n in enumerate(shape):
        line = (torch.arange(n) - n // 2) / max(1, n // 2)
        radius += line.square().reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return (radius > _CENTRE**2).float()
