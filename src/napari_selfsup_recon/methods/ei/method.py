"""Equivariant imaging (Chen, Tachella, Davies, ICCV 2021), rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from napari_selfsup_recon.core.events import Event, Notice
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods._recon._method import ReconstructionMethod
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.ei._trainee import EITrainee
from napari_selfsup_recon.methods.ei.options import EIOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.transforms.base import Transform
from napari_selfsup_recon.transforms.names import from_name


def choose_transform(name: str, physics: Physics) -> str:
    """Return the name of the transform, chosen by the instrument where it is ``"auto"``.

    Missing pixels show when the object is shifted; the missing part of k-space and the missing
    projections show when it is rotated, while a shift changes phases and places alone.
    """
    if name != "auto":
        return name
    masks = type(physics).__name__ == "Inpainting"
    return "shift" if masks else "rotate"


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

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        given: dict[str, Any] = {"build": self._build, "transform": self.transform}
        return EITrainee(problem, self.options, **given)
