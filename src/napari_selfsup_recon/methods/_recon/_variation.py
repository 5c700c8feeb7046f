"""How much variation the image may have from which a network starts."""

from __future__ import annotations

from collections.abc import Sequence

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


@torch.no_grad()
def find_variation(
    physics: Physics, y: Tensor, units: Units, *, positive: bool, seed: int
) -> float:
    """Return the weight of total variation that predicts left-out values best.

    Found within a factor of three, by some slices; the network does the rest.

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

    weight, lowest = _FIRST, missed(_FIRST)
    for ratio in (_FACTOR, 1 / _FACTOR):
        moved = False
        while _SMALLEST < weight * ratio < _LARGEST:
            now = missed(weight * ratio)
            if not now < lowest:
                break
            weight, lowest, moved = weight * ratio, now, True
        if moved:
            break
    return weight


def outskirts(shape: Sequence[int]) -> Tensor:
    """Return 1 where centred k-space of a shape is far from its centre, and 0 near it.

    The few values near the centre make up most of an image: no prediction is close there.
    """
    radius = torch.zeros(tuple(shape))
    for axis, n in enumerate(shape):
        line = (torch.arange(n) - n // 2) / max(1, n // 2)
        radius += line.square().reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return (radius > _CENTRE**2).float()
