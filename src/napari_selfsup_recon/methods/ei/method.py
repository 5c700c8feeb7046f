"""Equivariant imaging (Chen, Tachella, Davies, ICCV 2021), rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from napari_selfsup_recon.core.events import Event, Notice
from napari_selfsup_recon.core.indexing import spatial
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._recon._frames import Frames
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.ei._trainee import EITrainee
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.names import from_name

_MOVES = 3
_SAME = 0.02
# Weights of the equivariance.
_QUIET, _NOISY_SCAN, _NOISY_MASK = 0.5, 0.1, 3.0


def choose_transform(name: str, physics: Physics) -> str:
    """Return the name of the transform, chosen by the instrument where it is ``"auto"``.

    Missing pixels show when the object is shifted; the missing part of k-space and the missing
    projections show when it is rotated, while a shift changes phases and places alone.
    """
    if name != "auto":
        return name
    masks = type(physics).__name__ == "Inpainting"
    return "shift" if masks else "rotate"


def choose_alpha(wanted: float | None, physics: Physics, *, noisy: bool) -> float:
    """Return the weight of the equivariance, chosen by the instrument where it is None.

    Among noise the turned scan is the better teacher, and the weight of made-up measurements, which
    are noisier than real ones, is small. Masks of pixels and of k-space cannot be turned.
    """
    if wanted is not None:
        return wanted
    if not noisy:
        return _QUIET
    return _NOISY_SCAN if Frames(physics).there else _NOISY_MASK


@torch.no_grad()
def commutes(physics: Physics, transform: Transform, y: Tensor) -> bool:
    """Return whether an instrument sees the same of a moved object, for some moves of noise."""
    if not physics.linear:
        return False
    if physics.items is not None:
        physics = physics.at([0])
    x = torch.zeros_like(physics.A_dagger(y))
    # In the middle, so that nothing moves out of the image.
    inner = tuple(slice(n // 3, n - n // 3) for n in x.shape[2:])
    middle = spatial(inner)
    x[middle] = torch.randn(x[middle].shape, generator=torch_generator("commutes")).to(x)
    seen = physics.A_dagger(physics.A(x))
    for number in range(_MOVES):
        action = transform.draw(x.shape[2:], torch_generator("commutes", number))
        moved = physics.A_dagger(physics.A(action(x)))
        inside = action.valid(x.shape[2:], like=x)
        if float(((moved - action(seen)) * inside).norm()) > _SAME * float(seen.norm()):
            return False
    return True


class EI(ReconstructionMethod):
    """Reconstruct from too few measurements by learning from these alone.

    The objects could also have been turned (or shifted), so each measurement is one of a turned
    object as well: what the instrument misses in one is seen in another. For measurements with
    little noise; :class:`~napari_selfsup_recon.methods.rei.method.REI` is for noisy ones.

    Parameters
    ----------
    physics
        ``ParallelBeam``, ``FanBeam``, ``Inpainting``, ``MRI``, or any other.
    options
        See :class:`EIOptions`.
    noise
        Not used; kept for methods that are exchanged for this one.

    References
    ----------
    Chen, Tachella and Davies, Equivariant Imaging: Learning Beyond the Range Space, ICCV 2021.
    """

    key: ClassVar[str] = "ei"
    options_type: ClassVar[type[Options]] = EIOptions
    options: EIOptions

    @property
    def transform(self) -> Transform:
        """How the object could also have been placed."""
        return from_name(choose_transform(self.options.transform, self.physics))

    def _before(self, problem: Problem) -> Iterator[Event]:
        name = choose_transform(self.options.transform, self.physics)
        if self.options.transform == "auto":
            yield Notice(f"The transform is {name}, for this kind of instrument.")
        if commutes(problem.whole, self.transform, problem.y[:1]):
            other = "scale" if name == "rotate" else "rotate"
            yield Notice(
                f"This instrument sees the same of an object whatever the {name}: what it misses "
                f"cannot be learned that way. Choose {other}.",
                "warning",
            )

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        given: dict[str, Any] = {"build": self._build, "transform": self.transform}
        alpha = choose_alpha(self.options.alpha, self.physics, noisy=False)
        return EITrainee(problem, self.options, alpha=alpha, **given)
