"""What a method that learns from measurements alone can learn at all, told before it starts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from math import ceil, prod
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.generators import exhaust, relay
from napari_selfsup_recon.losses.divergence import rademacher
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.transforms import _lanczos
from napari_selfsup_recon.transforms._family import Family
from napari_selfsup_recon.transforms._sentence import describe, label
from napari_selfsup_recon.transforms.base import Action, Identity, Transform
from napari_selfsup_recon.transforms.reflect import Reflect
from napari_selfsup_recon.transforms.rotate import Rotate
from napari_selfsup_recon.transforms.scale import Scale
from napari_selfsup_recon.transforms.shift import Shift

Weighting = Literal["auto", "adjoint", "inverse"]

_THRESHOLD = 1e-2
_STEPS = 20
_SOFT = 2.0  # factor about the threshold over which nodes count in part: a third of the error
_FEWEST, _MOST = 16, 64  # actions
_DIMENSIONS = 1 << 12  # that all probes together should have: the share is then good to 0.02
_MOST_PROBES = 8
_LARGE = 1 << 17  # voxels, above which a crop stands for the whole where the instrument allows it
_CROP = 1 << 14
_SYMMETRIC = 1e-2  # relative difference up to which A_dagger A counts as its own transpose
_HELPS = 0.1  # of what is missing: less gain than this is none
_COMPLETE = 0.95
_BETTER = 0.02  # by which a less plain transform has to show more


@dataclass(frozen=True)
class Identifiability:
    """What share of the image space an instrument shows.

    Attributes
    ----------
    share
        Of objects that may have been placed in any of the ways of the transform, from 0 to 1.
    alone
        Of objects that are placed in one way only.
    transform
        Name of the transform, None without.
    helps
        Whether the transform shows a good part of what a single measurement misses, or nothing is
        missed.
    sentence
        All of it in plain words.
    proposal
        Name of a transform that would show more, None where there is none or none is needed.
    proposed
        That transform.
    others
        Shares with the transforms that were tried for the proposal.
    """

    share: float
    alone: float
    transform: str | None
    helps: bool
    sentence: str
    proposal: str | None = None
    proposed: Transform | None = None
    others: dict[str, float] = field(default_factory=dict)


def identifiability(
    physics: Physics,
    transform: Transform | None,
    generator: torch.Generator,
    *,
    propose: bool = True,
    probes: int | None = None,
    steps: int = _STEPS,
    actions: int | None = None,
    threshold: float = _THRESHOLD,
    support: Tensor | None = None,
    weighting: Weighting = "auto",
    like: Tensor | None = None,
) -> Identifiability:
    r"""Return what share of the image space ``physics`` shows under ``transform``.

    Nothing in the measurements tells of images that A maps to zero. If the objects of interest may
    be transformed by T and stay objects of interest, A T is a second instrument. All of them
    together see what has a part in

    .. math:: S\, E_g[T_g^T N T_g]\, S, \qquad N = A^T A \;\text{or}\; A^\dagger A

    and the share is that of its eigenvalues above a threshold times the largest, by stochastic
    Lanczos.

    Parameters
    ----------
    physics
        The instrument. Of photon counts behind an object it is the projector.
    transform
        The group to try; None to be proposed one.
    generator
        Random generator on the CPU.
    propose
        Try other transforms where this one does not help.
    probes, steps
        Random probes (as many as make the share good to 0.02 by default) and Lanczos steps each.
    actions
        How many of the transform's actions stand for all of them, besides the identity.
    threshold
        Relative to the largest eigenvalue.
    support
        Where the object may be, ones and zeros ``(*image_shape)``; what lies under the measurement
        by default.
    weighting
        N. ``"adjoint"`` is :math:`A^T A`. ``"inverse"`` is :math:`A^\dagger A`, which must be
        symmetric. ``"auto"`` takes the latter where it is: the eigenvalues of a tomograph's
        :math:`A^T A` fall like one over the frequency, so that fine detail would never count, seen
        or not.
    like
        Dtype and device to work in; single precision on the CPU by default.

    Raises
    ------
    InputError
        If the instrument is neither linear nor knows its linear part, or a number is out of range.
    """
    return exhaust(
        identifiability_steps(
            physics,
            transform,
            generator,
            propose=propose,
            probes=probes,
            steps=steps,
            actions=actions,
            threshold=threshold,
            support=support,
            weighting=weighting,
            like=like,
        )
    )


def identifiability_steps(
    physics: Physics,
    transform: Transform | None,
    generator: torch.Generator,
    *,
    propose: bool = True,
    probes: int | None = None,
    steps: int = _STEPS,
    actions: int | None = None,
    threshold: float = _THRESHOLD,
    support: Tensor | None = None,
    weighting: Weighting = "auto",
    like: Tensor | None = None,
) -> Generator[tuple[int, int], None, Identifiability]:
    """Do :func:`identifiability`, yielding how far it is."""
    meter = _Meter(physics, support, weighting, like, generator, probes, steps, actions, threshold)
    alone = yield from meter.share(None)
    share = alone if transform is None else (yield from meter.share(transform))
    name = None if transform is None else label(transform)
    helps = _helps(share, alone)
    others: dict[str, float] = {}
    best: Transform | None = None
    if propose and not helps:
        most = share
        for candidate in candidates(meter.shape):
            if label(candidate) == name:
                continue
            others[label(candidate)] = found = yield from meter.share(candidate)
            if _helps(found, alone) and found > most + _BETTER:
                best, most = candidate, found
    proposal = None if best is None else label(best)
    sentence = describe(
        name,
        share,
        alone,
        helps=helps,
        missing=alone < _COMPLETE,
        proposal=proposal,
        others=others,
        tried=propose,
    )
    return Identifiability(share, alone, name, helps, sentence, proposal, best, others)


def candidates(shape: Sequence[int]) -> list[Transform]:
    """Return the transforms that are tried for images of ``shape``, the plainest first."""
    found: list[Transform] = [Shift(), Reflect(), Rotate(), Scale()]
    return [*found, Rotate(axis="any")] if len(shape) == 3 else found


def _helps(share: float, alone: float) -> bool:
    return alone >= _COMPLETE or share - alone >= _HELPS * (1 - alone)


class _Meter:
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
        self._normal = self._chosen(weighting)

    def share(self, transform: Transform | None) -> Generator[tuple[int, int], None, float]:
        """Return the share of eigenvalues above the threshold."""
        family = Family(self._normal, self._drawn(transform), self._support, self._items)
        work = _lanczos.spectrum(family, self._start(self._probes), self._steps)
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
        with torch.no_grad():
            a, b = (self._start(1).expand(self._items, -1, *self.shape) for _ in range(2))
            forth, back = inverse(a), inverse(b)
            difference = float((forth * b).sum() - (a * back).sum())
            size = float(forth.norm() * b.norm()) / a.numel() ** 0.5
            positive = float((forth * a).sum()) > 0
        symmetric = abs(difference) <= _SYMMETRIC * size and positive
        if weighting == "inverse" and not symmetric:
            raise InputError(
                f"The inverse of {type(physics).__name__} times the operator is not symmetric.",
                hint='Use weighting="adjoint".',
            )
        return inverse if symmetric else adjoint


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
