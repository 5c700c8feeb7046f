"""The data of one training: one measurement an object, frozen; some of it held out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.losses.consistency import weighted_mean
from napari_selfsup_recon.methods._recon._held_out import draw_sets
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods._recon._partial import (
    draw_entries,
    equations,
    hide,
    noise_level,
)
from napari_selfsup_recon.methods._recon._units import LEAST_TRUST, Phase, Units
from napari_selfsup_recon.methods._recon._variation import find_variation
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.scaling import quantile, sample

_CHUNK = 8
_VALUES = 100_000  # of each chunk that are looked at
_BRIGHT = 0.99
_POWER_STEPS = 20
# What is learned is about so large as part of the image, and where the start is a good one.
_LEARNED, _LEARNED_SMOOTH = 0.1, 0.03
_MOST_TRUST = 100.0


class Problem:
    """Measurements, what is held out of them, and their units.

    Parameters
    ----------
    physics
        The instrument.
    y
        ``(items, channel, *measurement_shape)``; an item is a slice, or a slab of slices as
        channels.
    clean
        ``(items, channel, *image_shape)``, for supervised learning.
    held_out
        Share of the slices, or of the entries where there are few slices.
    seed
        Of the draw.
    noise
        Of the measurements, where it is known.
    start
        The image that the network improves.
    positive
        Whether images are never negative.
    phases
        What may be taken of the phase of complex images, if the start is total variation.
    stack, slab
        Slices of a stack, where items are slabs of it, and of each slab.

    Attributes
    ----------
    train, choose, report
        Numbers of the items that are learned from, that choose, and that report.
    asked
        Where entries are held out: those that choose and those that report, as 1 or 0; the three
        sets of items are then all the same.
    """

    def __init__(
        self,
        physics: Physics,
        y: Tensor,
        *,
        clean: Tensor | None = None,
        held_out: float,
        seed: int,
        noise: Noise | None = None,
        start: Literal["total-variation", "inverse"] = "inverse",
        positive: bool = False,
        phases: Sequence[Phase] = ("free",),
        stack: int | None = None,
        slab: int = 1,
    ) -> None:
        self.whole = physics
        self.y = y
        self.noise = noise
        items = len(y)
        self.asked: tuple[Tensor, Tensor] | None = None
        self.physics = physics
        sets = draw_sets(items, held_out, seed, stack=stack, slab=slab)
        if sets is not None:
            self.choose, self.report, self.train = sets
        else:
            self.choose = self.report = self.train = list(range(items))
            self.asked = draw_entries(physics, y[:1], held_out, seed)
            if not all(bool(entries.any()) for entries in self.asked):
                raise InputError(
                    "Too few entries are measured to hold any out for the score.",
                    hint="Raise the share that is held out, or give more slices.",
                )
            self.physics = hide(physics, self.asked[0] + self.asked[1])
        self.clean: Tensor | None = None
        smooth = start == "total-variation"
        self.units = measure_units(physics, y, seed, noise, smooth=smooth)
        if smooth:
            # What is held out has no say in it.
            part = self.part(self.train)
            self.units = find_variation(
                part.physics,
                part.y,
                self.units,
                noise=noise,
                positive=positive,
                phases=phases,
                seed=seed,
                slab=slab,
            )
        if clean is not None:
            self.clean = clean / self.units.image

    def part(self, items: Sequence[int]) -> Part:
        """Return some measurements."""
        index = torch.as_tensor(list(items), device=self.y.device)
        physics = self.physics if self.physics.items is None else self.physics.at(list(items))
        y = self.y[index]
        if self.asked is not None:
            y = y * (1 - self.asked[0] - self.asked[1])
        return Part(y, physics, None if self.clean is None else self.clean[index])

    def batch(self, size: int, generator: torch.Generator) -> list[int]:
        """Draw the items of a step."""
        order = torch.randperm(len(self.train), generator=generator)[:size]
        return [self.train[int(n)] for n in order]


@torch.no_grad()
def measure_units(
    physics: Physics, y: Tensor, seed: int, noise: Noise | None = None, *, smooth: bool = False
) -> Units:
    """Return the units of measurements ``(items, channel, *measurement_shape)``.

    ``smooth`` tells that the first guess of the image will be one of little variation.

    Raises
    ------
    InputError
        If the measurements say that there is nothing at all.
    """
    values = []
    x = y.new_zeros(())
    for first in range(0, len(y), _CHUNK):
        items = range(first, min(first + _CHUNK, len(y)))
        own = physics if physics.items is None else physics.at(list(items))
        guess = own.A_dagger(y[first : first + _CHUNK])
        x = x if first else guess
        values.append(sample(guess.flatten().abs(), _VALUES))
    sizes = torch.cat(values)
    bright = quantile(sizes, _BRIGHT) or float(sizes.max())
    if not bright > 0:
        raise InputError(
            "The measurement is zero everywhere.", hint="Check the physics and the measurement."
        )
    few = list(range(min(len(y), _CHUNK)))
    own = physics if physics.items is None else physics.at(few)
    # A small change, so that the answer also holds where counts fall exponentially.
    change = own.A(1.01 * x) - own.A(x)
    size = float((x / bright).square().mean().sqrt())
    observed = own.observed(change)
    measured = float(weighted_mean(change.square(), observed).sqrt()) / 0.01 / size
    norm = _norm(own, y[: len(few)], x.shape, seed)
    trust = LEAST_TRUST
    if noise is not None:
        variance = noise_level(own, y[: len(few)], noise)
        learned = (_LEARNED_SMOOTH if smooth else _LEARNED) * bright
        trust = min(max(trust, variance / (norm * learned**2)), _MOST_TRUST)
    return Units(bright, measured, norm, trust)


def _norm(physics: Physics, y: Tensor, shape: Sequence[int], seed: int) -> float:
    """Return the square of the largest singular value of the linear operator."""
    operator = equations(physics, y).operator
    x = torch.randn(tuple(shape), generator=torch_generator(seed, "norm")).to(y)
    norm = 1.0
    for _ in range(_POWER_STEPS):
        x = operator.A_adjoint(operator.A(x))
        norm = float(x.flatten(1).norm(dim=1).max())
        if not norm > 0:
            raise InputError("The physics maps every image to zero.", hint="Check the physics.")
        x = x / norm
    return norm
