"""The data of one training: both domains, the model of the noise, and what is held out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._evening import DEPTH, Evening, find_evening
from napari_selfsup_recon.methods.iscl._excess import apart, doubt, find_excess
from napari_selfsup_recon.methods.iscl._noise_fit import fit_noise
from napari_selfsup_recon.methods.iscl._noise_model import NoiseModel, Spoiler
from napari_selfsup_recon.methods.iscl._slices import central
from napari_selfsup_recon.methods.iscl._windows import spoiled

HELD_OUT = 0.1
_SCORED = 12
#: Side of the windows from which the noise is learned, and how many.
FIELD, _WINDOWS = 128, 160


@dataclass(frozen=True, eq=False)
class Pairs:
    """Noisy ``(n, slices, side, side)`` and clean crops, of the middle slice or (3D) of all."""

    noisy: Tensor
    clean: Tensor

    @property
    def trivial(self) -> float:
        """Return the error of the better of two bad answers: a constant, and the noisy image."""
        noisy = central(self.noisy, self.clean.shape[1])
        same = float((noisy - self.clean).square().mean())
        return min(float(self.clean.var()), same)


@dataclass(frozen=True, eq=False)
class Problem:
    """What is learned from.

    Attributes
    ----------
    clean, noisy
        The domains, in units of the clean one.
    model
        Of the noise, fitted to both.
    misfit
        Of its statistics: the root mean square of logarithms.
    reach
        Neighbours on either side that 2D networks see: 0 or 1.
    choose, report
        Pairs of held-out clean crops and noise of the model.
    depth
        Slices of the blocks that 3D networks see; 0 where they are 2D.
    doubt
        What is to be said where there is no noise to remove; else empty.
    evening
        What is done to noisy slices before networks see them; those of ``noisy`` are evened out.
    """

    clean: Domain
    noisy: Domain
    model: NoiseModel
    misfit: float
    reach: int
    choose: Pairs
    report: Pairs
    depth: int = 0
    doubt: str = ""
    evening: Evening | None = None

    def seen(self, domain: Domain, place: Sequence[int], side: int | None = None) -> Tensor:
        """Return what the networks see at a place, ``(slices, side, side)``."""
        if self.depth:
            return domain.block(place, self.depth, side)
        return domain.at(place, self.reach, side)

    def asked(self, stacks: Tensor) -> Tensor:
        """Return the slices of ``(batch, slices, y, x)`` for which the networks answer."""
        return central(stacks, self.depth or 1)


def make_problem(
    clean: Domain,
    noisy: Domain,
    *,
    batch: int,
    reach: int,
    seed: int,
    depth: int = 0,
    even: bool = False,
) -> Generator[None, None, Problem]:
    """Fit the model of the noise and hold out what scores.

    With ``even`` brightness is evened out between slices where that serves.

    Raises
    ------
    InputError
        If there are fewer crops than a batch takes.
    """
    for name, domain in (("clean", clean), ("noisy", noisy)):
        if len(domain) < batch:
            raise InputError(
                f"The {name} images make only {len(domain)} crops of {domain.side} x {domain.side} "
                f"pixels, and a batch takes {batch}.",
                hint=f"Give more {name} images, or choose a smaller crop or batch.",
            )
    field = field_size(clean, noisy)
    windows = _stacked(clean, field, seed), _stacked(noisy, field, seed)
    counts = apart(clean, field), apart(noisy, field)
    excess = yield from find_excess(*windows, counts)
    model, misfit = yield from fit_noise(*windows, seed)
    evening = None
    if even and reach:
        evening = yield from find_evening(clean, noisy, model, side=field, seed=seed)
    if evening is not None:
        noisy.stacks = evening.apply(noisy.stacks)
    random = torch_generator(seed, "held-out noise")
    spoiler = Spoiler(model)
    pairs: list[Pairs] = []
    for _ in range(2):
        places = clean.below(_SCORED, seed + len(pairs))
        if evening is None:
            stacks = torch.stack(
                [clean.block(p, depth) if depth else clean.at(p, reach) for p in places]
            )
            with torch.no_grad():
                made = spoiler(stacks.cpu(), random).to(stacks)
        else:
            made, stacks = _evened(clean, places, reach, field, spoiler, evening, random)
        pairs.append(Pairs(made, central(stacks, depth or 1)))
        yield
    strength = float((central(pairs[0].noisy, depth or 1) - pairs[0].clean).square().mean().sqrt())
    said = doubt(excess, strength)
    return Problem(clean, noisy, model, misfit, reach, pairs[0], pairs[1], depth, said, evening)


def _evened(
    clean: Domain,
    places: Sequence[Sequence[int]],
    reach: int,
    field: int,
    spoiler: Spoiler,
    evening: Evening,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Return noisy crops that were evened out, and clean ones, with their neighbours."""
    noisy, right = [], []
    depth = min(DEPTH, clean.stacks.shape[1])
    height, width = clean.stacks.shape[-2:]
    for item, z, row, column in places:
        start = min(row, height - field), min(column, width - field)
        block = clean.block([item, z, *start], depth, field)
        crop = [slice(n - s, n - s + clean.side) for n, s in zip((row, column), start, strict=True)]
        middle = len(block) // 2
        near = slice(middle - reach, middle + reach + 1)
        noisy.append(spoiled(block, spoiler.to(block.device), evening, generator)[near, *crop])
        right.append(block[near, *crop])
    return torch.stack(noisy), torch.stack(right)


def field_size(clean: Domain, noisy: Domain) -> int:
    """Return the side of the windows in which noise is looked at: even, and at least a crop."""
    sides = [n for domain in (clean, noisy) for n in (domain.rows, domain.stacks.shape[-1])]
    return max(clean.side, min(max(FIELD, clean.side), *sides) // 2 * 2)


def _stacked(
    domain: Domain, side: int, seed: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    places = domain.windows(_WINDOWS, side, seed)
    stack = torch.cat([domain.at(place, 0, side) for place in places])
    values: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = stack.cpu().double().numpy()
    return values
