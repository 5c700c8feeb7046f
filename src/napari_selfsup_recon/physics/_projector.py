"""What parallel and fan beam have in common: the line integrals of an image."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.physics.tomography._engine import Engine, RaysOf
from napari_selfsup_recon.physics.tomography._rays import Rays
from napari_selfsup_recon.physics.tomography._views import checked_angles, scan

#: Bytes that the matrices kept for one dtype and device may take, unless told otherwise.
MEMORY = 512 * 2**20


class Projector(Physics):
    """Line integrals along the rays of a turning beam. See the two kinds of beam."""

    def __init__(
        self,
        shape: Sequence[int],
        angles_rad: ArrayLike | Tensor,
        *,
        detectors: int | None,
        pitch: float,
        axis_offset: float,
        memory: int,
        breadth: float,
    ) -> None:
        image = tuple(int(n) for n in shape)
        if len(image) != 2 or min(image) < 1:
            raise InputError(
                f"{type(self).__name__} images slices (y, x), not {image}.",
                hint="Give the shape of one slice; a stack of them goes into the batch axis.",
            )
        if not (math.isfinite(pitch) and pitch > 0):
            raise InputError(
                f"The detector pitch is {pitch:g} pixels.", hint="Give a number above zero."
            )
        #: Angles of the views in radians, float64, read-only.
        self.angles: NDArray[np.float64] = checked_angles(angles_rad)
        if detectors is None:  # those that see the whole slice, were the axis in the middle
            detectors = max(1, math.ceil(breadth / pitch - 1e-9))
        if detectors < 1:
            raise InputError(f"There are {detectors} detectors.", hint="Give at least one.")
        if not abs(axis_offset) <= detectors / 2:
            raise InputError(
                f"The rotation axis is {axis_offset:g} columns off the middle of a detector of "
                f"{detectors}: outside of it.",
                hint=f"Give an axis offset between {-detectors / 2:g} and {detectors / 2:g}.",
            )
        super().__init__(image, (len(self.angles), int(detectors)))
        self.pitch, self.axis_offset = float(pitch), float(axis_offset)
        self.memory = int(memory)
        self._breadth = breadth
        self._filters: dict[tuple[object, ...], tuple[Tensor, Tensor, Tensor]] = {}
        self._engine = self._engine_for(self._rays, self.memory)

    @property
    def detectors(self) -> int:
        """Cells of the detector."""
        return self.measurement_shape[1]

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the filtered back-projection of the sinogram ``y``, with a plain ramp."""
        from napari_selfsup_recon.physics.filtered_back_projection import filtered_back_projection

        return filtered_back_projection(self, y)

    def restrict(self, region: Region) -> Projector:
        """Return the projector itself for the whole region.

        Raises
        ------
        InputError
            For any less: each view sees all of a slice.
        """
        whole = all(
            part.indices(n) == (0, n, 1)
            for part, n in zip(region, self.measurement_shape, strict=False)
        )
        if len(region) == 2 and whole:
            return self
        raise InputError(
            "A sinogram cannot be cut into parts: each view sees all of a slice.",
            hint="Work on whole slices; choose fewer of them to save memory.",
        )

    def __reduce__(self) -> Any:
        # Stored matrices stay behind.
        return type(self).from_recipe, (self.recipe(),)

    @classmethod
    @abstractmethod
    def from_recipe(cls, recipe: Recipe) -> Projector:
        """Rebuild the operator."""

    @abstractmethod
    def _rays(self, start: int, stop: int) -> Rays: ...

    @property
    @abstractmethod
    def _back_projector(self) -> Physics:
        """The operator whose transpose is the back-projection that FBP asks for."""

    @abstractmethod
    def _fbp_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What FBP multiplies sinograms with before and after the filter."""

    @cached_property
    def _completed(self) -> tuple[Projector, int, int]:
        """The same on a detector about the axis, and the cells to add for that on either side.

        In a full turn with the axis near one end of the detector, what is beyond that end is seen
        half a turn later, and filtered views reach out there.
        """
        one_sided = (
            not 0.9
            < (self.detectors / 2 + self.axis_offset)
            / max(self.detectors / 2 - self.axis_offset, 1e-9)
            < 1 / 0.9
        )
        if not one_sided or scan(self.angles)[1] < 2 * math.pi - 1e-6:
            return self, 0, 0
        added = round(2 * abs(self.axis_offset))
        right = self.axis_offset > 0
        recipe = self.recipe()
        params = {
            **recipe.params,
            "detectors": self.detectors + added,
            "axis_offset": self.axis_offset + (-added if right else added) / 2,
            "memory": self.memory - self._engine.stored,
        }
        whole = type(self).from_recipe(Recipe(recipe.kind, params, recipe.arrays))
        return whole, (0 if right else added), (added if right else 0)

    def _engine_for(self, rays_of: RaysOf, memory: int) -> Engine:
        # Along a row lie the edges of its pixels and those of the cells: a weight follows on each.
        weights = 1 + 0.9 * self._breadth / math.hypot(*self.image_shape) / self.pitch
        entries = math.ceil(len(self.angles) * math.prod(self.image_shape) * weights)
        shapes = self.image_shape, self.measurement_shape
        return Engine(rays_of, *shapes, entries=entries, memory=memory)

    def _forward(self, x: Tensor) -> Tensor:
        return self._engine.forward(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._engine.adjoint(y)

    def _check(self, value: Tensor, shape: tuple[int, ...], what: str) -> None:
        views, cells = self.measurement_shape
        if what == "a measurement" and value.ndim == 4 and value.shape[2:] != shape:
            rows, columns = value.shape[2:]
            if (rows, columns) == (cells, views):
                raise InputError(
                    f"The sinogram lies on its side: {cells} detectors first, then {views} angles.",
                    hint="Give (batch, channel, angle, detector), e.g. y.transpose(-1, -2).",
                )
            if rows != views:
                raise InputError(
                    f"The sinogram has {rows} views, but there are {views} angles.",
                    hint="Give one angle a view.",
                )
            raise InputError(
                f"The sinogram is {columns} detectors wide, the projector {cells}.",
                hint=f"Build the projector with detectors={columns}.",
            )
        super()._check(value, shape, what)
