"""What a method that learns from measurements alone can learn at all, told before it starts."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms._meter import STEPS, THRESHOLD, Meter, Weighting
from napari_selfsup_recon.transforms._sentence import describe, label
from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.reflect import Reflect
from napari_selfsup_recon.transforms.rotate import Rotate
from napari_selfsup_recon.transforms.scale import Scale
from napari_selfsup_recon.transforms.shift import Shift

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
    steps: int = STEPS,
    actions: int | None = None,
    threshold: float = THRESHOLD,
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
        N. ``"adjoint"`` is :math:`A^T A`. ``"inverse"`` is the symmetric part of
        :math:`A^\dagger A`, which must be most of it. ``"auto"`` takes the latter where it is: the
        eigenvalues of a tomograph's :math:`A^T A` fall like one over the frequency, so that fine
        detail would never count, seen or not.
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
    steps: int = STEPS,
    actions: int | None = None,
    threshold: float = THRESHOLD,
    support: Tensor | None = None,
    weighting: Weighting = "auto",
    like: Tensor | None = None,
) -> Generator[tuple[int, int], None, Identifiability]:
    """Do :func:`identifiability`, yielding how far it is."""
    meter = Meter(physics, support, weighting, like, generator, probes, steps, actions, threshold)
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
