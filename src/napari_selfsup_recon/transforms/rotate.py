"""Rotations of images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose, radians
from typing import Any

import numpy as np
import torch

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.transforms.affine import Affine, Interpolation
from napari_selfsup_recon.transforms.base import Action, Transform, uniform


@dataclass(frozen=True)
class Rotate(Transform):
    r"""Rotations about the centre of the image.

    Positive angles turn counter-clockwise as displayed (first axis down), as
    ``torch.rot90(x, dims=(-2, -1))`` does. Volumes turn about z, slice by slice, unless another
    axis is given.

    Parameters
    ----------
    limit
        Largest angle in degrees, in (0, 180].
    step
        Draw multiples of this angle only (degrees), never 0. 90 copies pixels instead of
        interpolating where the sides are equal.
    avoid
        Stay an eighth of this angle (degrees) away from its multiples: a scanner with views every 6
        degrees learns nothing from an object that turned by 12.
    axis
        Of volumes: ``"z"``, ``"y"``, ``"x"`` (the axes 0, 1 and 2), ``"any"`` for a random
        direction, or a direction (z, y, x).
    voxel_size
        Spacing along each axis, any unit; pixels are square without it. Turns that mix axes of
        unequal spacing smooth the finer one as the coarser would.
    interpolation
        ``"spline"`` or ``"linear"``.

    Raises
    ------
    InputError
        If an angle is out of range, both ``step`` and ``avoid`` are given, or there is no such
        axis.
    """

    limit: float = 180.0
    step: float | None = None
    avoid: float | None = None
    axis: str | tuple[float, float, float] = "z"
    voxel_size: tuple[float, ...] | None = None
    interpolation: Interpolation = "spline"

    def __post_init__(self) -> None:
        if not 0 < self.limit <= 180:
            raise InputError(
                f"Rotations of up to {self.limit:g} degrees make no sense.",
                hint="Give a limit above 0 and up to 180 degrees.",
            )
        if self.step is not None and self.avoid is not None:
            raise InputError(
                "Give either a step or an angle to avoid.", hint="Leave one of them out."
            )
        if self.step is not None and not 0 < self.step <= self.limit:
            raise InputError(
                f"Rotations in steps of {self.step:g} degrees do not fit a limit of "
                f"{self.limit:g}.",
                hint="Give a smaller step or a larger limit.",
            )
        if self.avoid is not None and not 0 < self.avoid <= 180:
            raise InputError(
                f"Multiples of {self.avoid:g} degrees cannot be avoided.",
                hint="Give the angle between two views in degrees.",
            )
        if isinstance(self.axis, str) and self.axis not in ("z", "y", "x", "any"):
            raise InputError(
                f"There is no axis {self.axis!r}.",
                hint='Choose "z", "y", "x", "any" or a direction (z, y, x).',
            )
        if self.voxel_size is not None and not all(0 < s < np.inf for s in self.voxel_size):
            raise InputError(
                f"The voxel size {self.voxel_size} is not positive.", hint="Give spacings above 0."
            )

    def draw(self, shape: Sequence[int], generator: torch.Generator) -> Affine:
        """Return a rotation by a random angle, never by none."""
        if self.step is not None:
            steps = self._steps()
            angle = steps[int(torch.randint(len(steps), (), generator=generator))]
        else:
            angle = uniform(-self.limit, self.limit, generator)
            while self.avoid is not None and abs(angle / self.avoid - round(angle / self.avoid)) < (
                1 / 8
            ):
                angle = uniform(-self.limit, self.limit, generator)
        direction = None
        if len(shape) == 3 and self.axis == "any":
            direction = torch.randn(3, generator=generator, dtype=torch.float64).numpy()
        return self.action(shape, angle, direction)

    def elements(self, shape: Sequence[int]) -> list[Action] | None:
        """Return the rotations of a group with a step; the identity comes first."""
        if self.step is None or (len(shape) == 3 and self.axis == "any"):
            return None
        return [self.action(shape, angle) for angle in (0.0, *self._steps())]

    def action(self, shape: Sequence[int], degrees: float, direction: Any | None = None) -> Affine:
        """Return the rotation by one angle.

        Parameters
        ----------
        shape
            Spatial shape, 2D or 3D.
        degrees
            Angle.
        direction
            Of volumes: the axis (z, y, x); that of the transform by default.
        """
        n = len(shape)
        size = self.voxel_size or (1.0,) * n
        if n not in (2, 3) or len(size) != n:
            raise InputError(
                f"Images with {n} axes cannot be rotated with {len(size)} voxel sizes.",
                hint="Give 2D or 3D images, and one spacing an axis.",
            )
        if direction is None and not isinstance(self.axis, str):
            direction = self.axis
        if n == 3 and direction is None and self.axis in ("z", "any"):
            return self._affine(_plane(degrees), size[1:], (-2, -1))
        if n == 2:
            return self._affine(_plane(degrees), size, (-2, -1))
        if direction is None:
            direction = (0, 1, 0) if self.axis == "y" else (0, 0, 1)
        return self._affine(_about(direction, degrees), size, (-3, -2, -1))

    def _affine(self, inverse: Any, size: Sequence[float], axes: tuple[int, ...]) -> Affine:
        spacing = np.asarray(size, dtype=np.float64)
        matrix = inverse * spacing[None, :] / spacing[:, None]
        return Affine(matrix, axes, interpolation=self.interpolation)

    def _steps(self) -> list[float]:
        step = self.step or 90.0
        many = int(self.limit / step + 1e-9)
        angles = [sign * k * step for k in range(1, many + 1) for sign in (1, -1)]
        return [a for a in angles if not isclose(a, -180.0)]  # the same as +180


def _plane(degrees: float) -> Any:
    """Return the matrix by which a turned plane (y, x) is read."""
    c, s = np.cos(radians(degrees)), np.sin(radians(degrees))
    return np.array([[c, s], [-s, c]])


def _about(direction: Any, degrees: float) -> Any:
    """Return the matrix by which a volume (z, y, x) turned about ``direction`` is read."""
    d = np.asarray(direction, dtype=np.float64)
    norm = float(np.linalg.norm(d))
    if d.shape != (3,) or not np.isfinite(d).all() or norm == 0:
        raise InputError(
            f"{tuple(d)} is no direction.", hint="Give three numbers (z, y, x), not all zero."
        )
    z, y, x = d / norm
    cross = np.array([[0, -x, y], [x, 0, -z], [-y, z, 0]])
    a = radians(degrees)
    return np.eye(3) - np.sin(a) * cross + (1 - np.cos(a)) * (cross @ cross)
