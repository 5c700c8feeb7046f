"""The share of the image space that a family of instruments sees."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from math import ceil, prod
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.losses.divergence import rademacher
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.transforms import _lanczos
from napari_selfsup_recon.transforms._family import Family
from napari_selfsup_recon.transforms.base import Action, Identity, Transform

Weighting = Literal["auto", "adjoint", "inverse"]

THRESHOLD = 1e-2
STEPS = 20
_SOFT = 2.0  # factor about the threshold over which nodes count in part: a third of the error
_FEWEST, _MOST = 16, 64  # actions
_DIMENSIONS = 1 << 12  # that all probes together should have: the share is then good to 0.02
_MOST_PROBES = 8
_LARGE = 1 << 17  # voxels, above which a crop stands for the whole where the instrument allows it
_CROP = 1 << 14
_SYMMETRIC = 1e-2  # relative difference up to which A_dagger A counts as its own transpose
_LOPSIDED = 0.5  # and up to which its symmetric part stands for it: that of fan beams is 0.1 to 0.3


class Meter:
    """Measures shares of one instrument, with the same random images for every transform."""

    def __init__(
        self,
        physics: Physics,
        support: Tensor | None,
        weighting: Weighting,
        like: Tensor | None,
        generator: torch.Generator,
        probes: int | None,
        steps: int,
        actions: int | None,
        threshold: float,
    ) -> None:
        if not 0 < threshold < 1 or steps < 1 or (probes or 1) < 1 or (actions or 1) < 1:
            raise InputError(
                "Probes, steps and actions must be 1 or more and the threshold between 0 and 1.",
                hint="Leave them out; the defaults serve.",
            )
        physics = _linear(physics)
        physics = physics if support is not None else _cropped(physics)
        self.shape = physics.image_shape
        self._physics = physics
        self._generator = generator
        self._threshold = threshold
        self._actions = actions
        self._like = torch.zeros(()) if like is None else like.detach()
        self._channels = physics.channels or 1
        if support is None:
            self._support = _under_measurement(physics, self._like)
        elif tuple(support.shape) != self.shape or not bool((support > 0).any()):
            raise InputError(
                f"A support of shape {tuple(support.shape)} does not fit images of shape "
                f"{self.shape}, or it is empty.",
                hint="Give ones where the object may be, in the shape of the image.",
            )
        else:
            self._support = (support > 0).to(self._like)
        dimensions = self._channels * int(self._support.sum())
        self._steps = min(steps, dimensions)
        self._probes = probes or min(_MOST_PROBES, max(1, ceil(_DIMENSIONS / dimensions)))
        self._items = min(physics.items or 1, _FEWEST)
        if physics.items:
            self._physics = physics.at(range(self._items))
        self._random = self._start(self._probes)
        self._normal = self._chosen(weighting)

    def share(self, transform: Transform | None) -> Generator[tuple[int, int], None, float]:
        """Return the share of eigenvalues above the threshold."""
        family = Family(self._normal, self._drawn(transform), self._support, self._items)
        work = _lanczos.spectrum(family, self._random, self._steps)
        quadratures = yield from relay(work, self._progress)
        largest = max(float(nodes.max()) for nodes, _ in quadratures)
        if largest <= 0:
            return 0.0
        above = []
        for nodes, weights in quadratures:
            ratio = np.maximum(nodes, 1e-30) / (self._threshold * largest)
            above.append(weights @ np.clip(0.5 + np.log(ratio) / (2 * np.log(_SOFT)), 0.0, 1.0))
        return float(np.mean(above))

    def _progress(self, step: int) -> tuple[int, int]:
        return step, self._steps

    def _drawn(self, transform: Transform | None) -> list[Action]:
        if transform is None:
            return [Identity()]
        every = transform.elements(self.shape)
        if every is not None and len(every) <= _MOST:
            return every
        many = self._actions or min(max(_FEWEST, ceil(4 / self._recorded())), _MOST)
        return [
            Identity(),
            *(transform.draw(self.shape, self._generator) for _ in range(many)),
        ]

    def _recorded(self) -> float:
        """Return how many values are recorded for each one of the image."""
        observed = self._physics.observed(self._like.new_zeros(self._items, 1))
        part = 1.0 if observed is None else float(observed.mean())
        ratio = prod(self._physics.measurement_shape) / prod(self.shape)
        return max(part * ratio, 1e-3)

    def _start(self, many: int) -> Tensor:
        shape = torch.empty(many, self._channels, *self.shape)
        return rademacher(shape, self._generator).to(self._like) * self._support

    def _chosen(self, weighting: Weighting) -> Callable[[Tensor], Tensor]:
        physics = self._physics

        def adjoint(x: Tensor) -> Tensor:
            return physics.A_adjoint(physics.A(x))

        def inverse(x: Tensor) -> Tensor:
            return physics.A_dagger(physics.A(x))

        if weighting == "adjoint":
            return adjoint
        x = self._start(1).expand(self._items, -1, *self.shape)
        forth = inverse(x)
        back = _transposed(inverse, x)
        size = float(forth.norm())
        off = float("inf") if back is None else float((forth - back).norm())
        if weighting == "inverse" and off > _LOPSIDED * size:
            raise InputError(
                f"The inverse of {type(physics).__name__} times the operator is not symmetric.",
                hint='Use weighting="adjoint".',
            )
        if off <= _SYMMETRIC * size:
            return inverse
        return _symmetric_part(inverse) if off <= _LOPSIDED * size else adjoint


def _transposed(linear: Callable[[Tensor], Tensor], x: Tensor) -> Tensor | None:
    """Return the transpose of a linear map applied to ``x``; None where it cannot be derived."""
    with torch.enable_grad():
        somewhere = torch.zeros_like(x, requires_grad=True)
        out = linear(somewhere)
        if not out.requires_grad:
            return None
        (back,) = torch.autograd.grad(out, somewhere, x)
    return back


def _symmetric_part(linear: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def part(x: Tensor) -> Tensor:
        back = _transposed(linear, x)
        assert back is not None
        return 0.5 * (linear(x) + back)

    return part


def _linear(physics: Physics) -> Physics:
    if physics.linear:
        return physics
    inner = getattr(physics, "projector", None)
    if isinstance(inner, Physics) and inner.linear:
        return inner
    raise InputError(
        f"{type(physics).__name__} is not linear.",
        hint="Give the linear part of the instrument.",
    )


def _cropped(physics: Physics) -> Physics:
    """Return the same instrument on a small part of a large image, where it can be cut."""
    shape = physics.measurement_shape
    if len(shape) != len(physics.image_shape):
        return physics
    if isinstance(physics, Blur):
        sides = _sides(shape, physics.psf.shape)
        if sides == shape and physics.boundary == "circular":
            return physics
        # Edges are not what is asked for, and without them the inverse is symmetric.
        return Blur(physics.psf, sides, boundary="circular", regularisation=physics.regularisation)
    sides = _sides(shape, (8,) * len(shape))
    region = tuple(slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(shape, sides, strict=True))
    try:
        return physics if sides == shape else physics.restrict(region)
    except InputError:
        return physics


def _sides(shape: tuple[int, ...], least: Sequence[int]) -> tuple[int, ...]:
    if prod(shape) <= _LARGE:
        return shape
    part = (_CROP / prod(shape)) ** (1 / len(shape))
    return tuple(min(n, max(k, int(n * part))) for n, k in zip(shape, least, strict=True))


def _under_measurement(physics: Physics, like: Tensor) -> Tensor:
    support = torch.zeros(physics.image_shape, dtype=like.dtype, device=like.device)
    region = tuple(
        slice(before, n - behind)
        for (before, behind), n in zip(physics.margins, physics.image_shape, strict=True)
    )
    support[region] = 1
    return support
