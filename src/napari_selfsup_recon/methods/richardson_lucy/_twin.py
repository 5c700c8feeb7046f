"""The number of iterations, chosen on a twin of the measurement whose truth is known."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import product
from math import ceil, exp, log, log2, prod

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

# The object of the twin has gone so many times further than the iteration it asks for.
_FURTHER = {False: 2.2, True: 1.5}
_FIRST = 2
_PATIENCE = 0.3
_LEAST_PATIENCE = 3
# Tiles that stand in for a larger measurement: voxels along an axis, tiles along it.
_TILE = {2: ((256, 2), (256, 2)), 3: ((32, 1), (96, 1), (96, 1))}


@dataclass(frozen=True)
class Try:
    """One twin: its object is the image after ``object`` iterations; ``best`` suits it best."""

    object: int
    best: float


@dataclass(frozen=True)
class Choice:
    """How many iterations, and whether more than the most allowed were wanted."""

    iterations: int
    limited: bool


@dataclass(frozen=True, eq=False)
class _Tile:
    physics: Physics
    work: Iteration


class Twins:
    r"""Finds the iteration that is best for a twin of the measurement.

    The image :math:`x_m` after m iterations is taken for the truth, blurred and given the noise of
    the measurement; Lucy-Richardson on that comes closest to :math:`x_m` after :math:`n(m)`
    iterations. An :math:`x_m` of few iterations lacks the details that more would recover, one of
    many carries noise that looks like details. Where it is to be stopped at n, the image of about
    2 n iterations has as much of the one as of the other: the choice is the n that its own twin
    asks for,

    .. math:: n = n(m), \qquad m = c \, n,

    with c = 2.2, accelerated c = 1.5, settled on simulated measurements. Large measurements are
    represented by tiles.

    Parameters
    ----------
    physics, y
        Of the measurement, ``measurement_shape``, float32; wrong pixels repaired if they will be.
    noise
        What the twins are given. ``outliers`` are drawn evenly from the range of ``y``. Rounding
        to grey levels is part of the noise that was measured.
    background, accelerate
        See :class:`~napari_selfsup_recon.methods.richardson_lucy._iteration.Iteration`.
    most
        Iterations allowed.
    """

    def __init__(
        self,
        physics: Physics,
        y: Tensor,
        noise: NoiseEstimate,
        *,
        background: float,
        accelerate: bool,
        most: int,
    ) -> None:
        self._noise = noise
        self._range = float(y.min()), float(y.max())
        self._background = background
        self._accelerate = accelerate
        self._most = most
        self._tiles = [
            _Tile(part, self._iteration(part, y[region]))
            for part, region in _parts(physics, tuple(y.shape))
        ]
        self._objects: dict[int, list[Tensor]] = {}

    @property
    def most_tries(self) -> int:
        """How many twins there can be."""
        return 2 + max(0, ceil(log2(_FURTHER[self._accelerate] * self._most / _FIRST)))

    def choose(self) -> Generator[Try | None, None, Choice]:
        """Return the choice; yields a :class:`Try` a twin, and None now and then in between."""
        further = _FURTHER[self._accelerate]
        # Twins whose objects have gone twice as far each, until one asks for less than it has.
        at, before = _FIRST, None
        while True:
            best = yield from self._twin(at)
            if best <= at / further or at >= further * self._most:
                break
            before, at = (at, best), 2 * at
        if before is None:
            # Even the dullest twin asks for less.
            return self._choice(best)
        low, high = before, (at, best)
        middle = round((low[0] * high[0]) ** 0.5)
        if low[0] < middle < high[0]:
            best = yield from self._twin(middle)
            low, high = ((middle, best), high) if best > middle / further else (low, (middle, best))
        return self._choice(_crossing(low, high, further))

    def _choice(self, wanted: float) -> Choice:
        return Choice(min(max(1, round(wanted)), self._most), wanted > self._most - 0.5)

    def _twin(self, at: int) -> Generator[Try | None, None, float]:
        """Return the best iteration for the twin whose object is the image after ``at``."""
        yield from self._advance(at)
        pairs = [
            (tile, truth, self._iteration(tile.physics, self._recorded(tile.physics, truth, seed)))
            for seed, (tile, truth) in enumerate(zip(self._tiles, self._objects[at], strict=True))
        ]
        errors = [self._error(pairs)]
        best = 0
        while len(errors) - 1 < self._most:
            for _, _, work in pairs:
                yield from work.step()
            errors.append(self._error(pairs))
            done = len(errors) - 1
            best = done if errors[done] < errors[best] else best
            if done - best > max(_LEAST_PATIENCE, _PATIENCE * best):
                break
        found = max(_vertex(errors, best), 0.5)
        yield Try(at, found)
        return found

    def _advance(self, to: int) -> Generator[None, None, None]:
        """Iterate the tiles up to ``to``, and keep the images that may be needed."""
        kept = {to, round(to / 2**0.5)}
        for index, tile in enumerate(self._tiles):
            while tile.work.count < to:
                yield from tile.work.step()
                if tile.work.count in kept:
                    images = self._objects.setdefault(tile.work.count, [])
                    assert len(images) == index
                    images.append(tile.work.estimate.clone())
        for count in [count for count in self._objects if count < to // 2]:
            del self._objects[count]

    def _iteration(self, physics: Physics, y: Tensor) -> Iteration:
        return Iteration(physics, y, background=self._background, accelerate=self._accelerate)

    def _recorded(self, physics: Physics, truth: Tensor, seed: int) -> Tensor:
        """Return what the instrument would have made of ``truth``."""
        with torch.no_grad():
            clean = physics.A(truth[None, None])[0, 0].cpu() + self._background
        noise, generator = self._noise, torch_generator("twin", seed)
        y = clean
        if noise.gain > 0:
            light = (clean - noise.offset).clamp_min(0)
            y = clean - light + noise.gain * torch.poisson(light / noise.gain, generator=generator)
        y = y + noise.sigma * torch.randn(y.shape, generator=generator)
        if noise.outliers:
            low, high = self._range
            struck = torch.rand(y.shape, generator=generator) < noise.outliers
            anything = low + (high - low) * torch.rand(y.shape, generator=generator)
            y = torch.where(struck, anything, y)
        if noise.clipped_low is not None:
            y = y.clamp_min(noise.clipped_low)
        if noise.clipped_high is not None:
            y = y.clamp_max(noise.clipped_high)
        return y.to(truth.device)

    @staticmethod
    def _error(pairs: list[tuple[_Tile, Tensor, Iteration]]) -> float:
        total = 0.0
        for tile, truth, work in pairs:
            apart = tile.physics.field_of_view((work.estimate - truth)[None, None])
            total += float(apart.square().sum())
        return total


def _parts(physics: Physics, shape: tuple[int, ...]) -> list[tuple[Physics, Region]]:
    """Return the tiles of a large measurement, or the whole of a small one."""
    whole = tuple(slice(0, n) for n in shape)
    plan = _TILE.get(len(shape), ())
    if not plan or prod(shape) <= 1.2 * prod(side * count for side, count in plan):
        return [(physics, whole)]
    starts = []
    for n, (side, count) in zip(shape, plan, strict=True):
        room = max(0, n - side)
        # In the middle of each part of the axis.
        starts.append([int(room * (2 * i + 1) / (2 * count)) for i in range(count)])
    regions = [
        tuple(
            slice(a, min(a + side, n)) for a, n, (side, _) in zip(corner, shape, plan, strict=True)
        )
        for corner in product(*starts)
    ]
    try:
        return [(physics.restrict(region), region) for region in regions]
    except InputError:  # this instrument can only be taken whole
        return [(physics, whole)]


def _vertex(errors: list[float], best: int) -> float:
    """Return where the parabola through the smallest error and those beside it is lowest."""
    if not 0 < best < len(errors) - 1:
        return float(best)
    before, lowest, behind = np.array(errors[best - 1 : best + 2])
    bend = before - 2 * lowest + behind
    return best + 0.5 * float((before - behind) / bend) if bend > 0 else float(best)


def _crossing(low: tuple[int, float], high: tuple[int, float], further: float) -> float:
    """Return where, between two twins, the best iteration is that of the object / ``further``."""
    above = log(low[1] * further / low[0])
    below = log(high[0] / (high[1] * further))
    part = above / (above + below) if above + below > 0 else 0.5
    part = min(max(part, 0.0), 1.0)
    return exp((1 - part) * log(low[1]) + part * log(high[1]))
