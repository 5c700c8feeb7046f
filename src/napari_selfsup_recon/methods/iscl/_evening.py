"""Brightness that is evened out between neighbouring slices, each of which has noise of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage, Region
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.training.scaling import Scaling

_Planes = np.ndarray[Any, np.dtype[np.float32]]

#: Slices of the blocks in which it is tried and learned from; fewer than the least are no stack.
DEPTH, LEAST_DEPTH = 15, 5
_WITHIN, _ACROSS = (4.0, 8.0, 12.0, 20.0), (1.0, 1.5, 2.0, 3.0)
_TRIALS = 3
_REACH = 3.0
_MOST = 100.0
_ROWS = 64
# A network takes out about this part of the noise that is left, and nothing of what was smeared.
_LEFT = 0.1
# What it has to gain; how near the change of real slices must be to that of made ones, and how much
# they must be like their neighbours.
_WORTH, _ALIKE, _NEXT = 0.9, 1.7, 0.7
# Logarithms are taken of at least this, in standard deviations of the clean images.
_LEAST = 0.1


@dataclass(frozen=True)
class Evening:
    r"""Take from each slice what of its coarse part its neighbours do not have.

    .. math:: x' = x + K_a * L - L, \qquad L = K_w * x

    with a Gaussian :math:`K_w` within slices and :math:`K_a` across them; of a gain that multiplies
    the same of the logarithm of what is above the floor. What changes slowly from slice to slice
    stays, noise that each slice has of its own goes to the mean of several.

    Attributes
    ----------
    within, across
        Standard deviations, in pixels and in slices.
    gain
        Whether it multiplies.
    floor
        The grey level without signal.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    within: float
    across: float
    gain: bool
    floor: float

    def __post_init__(self) -> None:
        if not (0 < self.within <= _MOST and 0 < self.across <= _MOST and isfinite(self.floor)):
            raise InputError(
                f"Slices cannot be evened out over {self.within:g} pixels and {self.across:g} "
                "slices.",
                hint="The saved model is damaged; train it again.",
            )

    def apply(self, stacks: Tensor) -> Tensor:
        """Return stacks ``(..., z, y, x)``; single slices come back as they are."""
        if stacks.shape[-3] < 2:
            return stacks
        planes = stacks.detach().cpu().float().numpy()
        moved = np.empty_like(planes)
        shape = (-1, *planes.shape[-3:])
        for stack, out in zip(planes.reshape(shape), moved.reshape(shape), strict=True):
            self._even_out(stack, out)
        return torch.from_numpy(moved).to(stacks)

    def _even_out(self, stack: _Planes, out: _Planes) -> None:
        """Even out one stack piece by piece, so that little more than itself is held."""
        coarse = np.empty_like(stack)
        for plane, low in zip(stack, coarse, strict=True):
            low[:] = self._coarse(plane)
        for first in range(0, stack.shape[1], _ROWS):
            rows = slice(first, first + _ROWS)
            out[:, rows] = self._moved(stack[:, rows], coarse[:, rows])

    def part(self, planes: FloatImage, region: Region, scaling: Scaling) -> FloatImage:
        """Return a part of a stack ``(z, y, x)``, evened out with what lies around it.

        Parameters
        ----------
        planes
            In grey values.
        region
            The part.
        scaling
            From grey values to the units of :attr:`floor`.
        """
        wide, inner = [], []
        widths = self.across, self.within, self.within
        for n, wanted, width in zip(planes.shape, region, widths, strict=True):
            first, last, _ = wanted.indices(n)
            start = max(0, first - ceil(_REACH * width))
            wide.append(slice(start, last + ceil(_REACH * width)))
            inner.append(slice(first - start, last - start))
        around = torch.from_numpy(planes[tuple(wide)].copy())
        evened: FloatImage = scaling.invert(self.apply(scaling.apply(around)))[tuple(inner)].numpy()
        return evened

    def _coarse(self, planes: _Planes) -> _Planes:
        from scipy.ndimage import gaussian_filter1d

        coarse = np.log(np.maximum(planes - self.floor, _LEAST)) if self.gain else planes
        for axis in (-2, -1):
            coarse = gaussian_filter1d(coarse, self.within, axis=axis, truncate=_REACH)
        found: _Planes = coarse
        return found

    def _moved(self, planes: _Planes, coarse: _Planes) -> _Planes:
        from scipy.ndimage import gaussian_filter1d

        change = gaussian_filter1d(coarse, self.across, axis=-3, truncate=_REACH) - coarse
        moved: _Planes
        if not self.gain:
            moved = planes + change
        else:
            moved = self.floor + (planes - self.floor) * np.exp(change)
        return moved


def find_evening(
    clean: Domain, noisy: Domain, model: NoiseModel, *, side: int, seed: int
) -> Generator[None, None, Evening | None]:
    """Return what brings clean stacks with noise of the model nearest to the clean ones, or None.

    None also where real slices change otherwise than made ones: their noise may be the same in
    all slices, or what they show may not go on from slice to slice.

    Parameters
    ----------
    clean, noisy
        The domains.
    model
        Of the noise of one slice.
    side
        Of the windows in which it is tried.
    seed
        Of their places and the noise.
    """
    depths = [min(DEPTH, domain.stacks.shape[1]) for domain in (clean, noisy)]
    if min(depths) < LEAST_DEPTH:
        return None
    truth = _blocks(clean, depths[0], side, seed)
    generator = torch_generator(seed, "evening")
    with torch.no_grad():
        made = [Spoiler(model)(block.cpu()[None], generator)[0].numpy() for block in truth]
    right = [block.cpu().numpy() for block in truth]
    yield
    best, least = None, _WORTH * _LEFT * _error(made, right)
    for one in _candidates(model.floor):
        coarse = [[one._coarse(block) for block in blocks] for blocks in (right, made)]
        for across in _ACROSS:
            found = replace(one, across=across)
            kept, left = (
                [found._moved(block, low) for block, low in zip(blocks, lows, strict=True)]
                for blocks, lows in zip((right, made), coarse, strict=True)
            )
            smeared = _error(kept, right)
            cost = smeared + _LEFT * max(0.0, _error(left, right) - smeared)
            if cost < least:
                best, least = found, cost
        yield
    if best is None:
        return None
    real = [block.cpu().numpy() for block in _blocks(noisy, depths[1], side, seed)]
    ratio = _change(best, real) / max(_change(best, made), 1e-12)
    goes_on = _likeness(real) > _NEXT * _likeness(made)
    return best if goes_on and 1 / _ALIKE < ratio < _ALIKE else None


def _candidates(floor: float) -> Iterator[Evening]:
    for gain in (True, False):
        for within in _WITHIN:
            yield Evening(within, _ACROSS[0], gain, floor)


def _blocks(domain: Domain, depth: int, side: int, seed: int) -> list[Tensor]:
    return [domain.block(place, depth, side) for place in domain.windows(_TRIALS, side, seed)]


def _error(found: Sequence[_Planes], truth: Sequence[_Planes]) -> float:
    return float(np.mean([np.mean((a - b) ** 2) for a, b in zip(found, truth, strict=True)]))


def _change(evening: Evening, blocks: Sequence[_Planes]) -> float:
    """Return the root mean square of the change, of what is usual: a few slices may be torn."""
    moved = [evening._moved(block, evening._coarse(block)) - block for block in blocks]
    return float(np.sqrt(np.median([np.mean(m**2, axis=(-2, -1)) for m in moved])))


def _likeness(blocks: Sequence[_Planes]) -> float:
    """Return the correlation of neighbouring slices."""
    found = [
        np.corrcoef(one.ravel(), other.ravel())[0, 1]
        for block in blocks
        for one, other in pairwise(block)
        if one.std() > 0 and other.std() > 0
    ]
    return float(np.median(found)) if found else 0.0
