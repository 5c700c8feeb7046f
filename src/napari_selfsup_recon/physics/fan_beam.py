"""Fan-beam CT with a flat detector."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics._projector import MEMORY, Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.physics.tomography._engine import Engine
from napari_selfsup_recon.physics.tomography._rays import Rays, line
from napari_selfsup_recon.physics.tomography._views import halves, scan, view_weights


class FanBeam(Projector):
    r"""Line integrals along the rays from a point source to the cells of a flat detector.

    At angle :math:`\theta` the source is at :math:`-R (\sin\theta, \cos\theta)`, x to the right and
    y downwards from the centre of the slice, which is on the axis: above the slice at angle 0. The
    detector stands square behind the axis; the ray through the axis meets it at cell
    :math:`(D - 1) / 2 + o` for the axis offset o. With the source far away this is a
    :class:`ParallelBeam` of the same angles.

    Images are ``(batch, channel, y, x)``, sinograms ``(batch, channel, angle, detector)``; a stack
    of slices rides in the batch. All lengths are in pixels of the image.

    Parameters
    ----------
    shape
        Rows and columns of a slice.
    angles_rad
        Angle of each view in radians, in any order. :meth:`A_dagger` makes the best of a full turn,
        or of half a turn and the angle of the fan.
    source_distance
        From the source to the axis of rotation.
    detector_distance
        From the axis to the detector; 0 for a pitch that is stated at the axis.
    detectors
        Cells of the detector; the default covers the diagonal of the slice.
    pitch
        Width of a cell, on the detector.
    axis_offset
        Where the ray through the axis meets the detector: cells right of its middle.
    memory
        Bytes that stored matrices may take, for each dtype and device. Beyond it, or with 0, the
        weights are computed as they are needed.

    Raises
    ------
    InputError
        If ``shape`` is not that of a slice, angles are missing, not finite or in degrees, the pitch
        is not positive, the axis lies outside of the detector, or the source within the slice.
    """

    def __init__(
        self,
        shape: Sequence[int],
        angles_rad: ArrayLike | Tensor,
        *,
        source_distance: float,
        detector_distance: float,
        detectors: int | None = None,
        pitch: float = 1.0,
        axis_offset: float = 0.0,
        memory: int = MEMORY,
    ) -> None:
        reach = math.hypot(*shape) / 2
        if not (math.isfinite(source_distance) and source_distance > reach):
            raise InputError(
                f"The source is {source_distance:g} pixels from the axis: within the slice, whose "
                f"corners reach {reach:.1f}.",
                hint="Give the distance in pixels of the image.",
            )
        if not (math.isfinite(detector_distance) and detector_distance >= 0):
            raise InputError(
                f"The detector is {detector_distance:g} pixels behind the axis.",
                hint="Give the distance from the axis to the detector, zero or more pixels.",
            )
        self.source_distance = float(source_distance)
        self.detector_distance = float(detector_distance)
        whole = self.source_distance + self.detector_distance
        super().__init__(
            shape,
            angles_rad,
            detectors=detectors,
            pitch=pitch,
            axis_offset=axis_offset,
            memory=memory,
            breadth=2 * reach * whole / math.sqrt(self.source_distance**2 - reach**2),
        )
        self._weighted = _Weighted(self)

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        return Recipe(
            "fan-beam",
            {
                "shape": list(self.image_shape),
                "source_distance": self.source_distance,
                "detector_distance": self.detector_distance,
                "detectors": self.detectors,
                "pitch": self.pitch,
                "axis_offset": self.axis_offset,
                "memory": self.memory,
            },
            {"angles_rad": self.angles},
        )

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> FanBeam:
        """Rebuild the operator."""
        params = dict(recipe.params)
        return cls(params.pop("shape"), recipe.arrays["angles_rad"], **params)

    @property
    def _back_projector(self) -> Physics:
        return self._weighted

    def _fbp_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Kak and Slaney, section 3.4.2; what is measured twice is shared as Parker (1982) does."""
        cells = np.arange(self.detectors) - (self.detectors - 1) / 2 - self.axis_offset
        fan = np.arctan(cells * self.pitch / (self.source_distance + self.detector_distance))
        shares = view_weights(self.angles, 2 * math.pi)
        cosine = np.cos(fan)[None]
        return cosine * _redundancy(self.angles, fan), cosine * shares[:, None]

    def _rays(self, start: int, stop: int) -> Rays:
        return self._rays_with_depth(start, stop, depth=False)

    def _rays_with_depth(self, start: int, stop: int, *, depth: bool) -> Rays:
        angle = torch.tensor(self.angles[start:stop])[:, None]
        cells, source = self.detectors, self.source_distance
        whole = source + self.detector_distance
        edges = torch.arange(cells + 1, dtype=torch.float64)
        edges = (edges - cells / 2 - self.axis_offset) * self.pitch
        cosine, sine = torch.cos(angle), torch.sin(angle)

        def normal(u: Tensor) -> tuple[Tensor, Tensor]:
            return whole * cosine - u * sine, -whole * sine - u * cosine

        middle = (edges[:-1] + edges[1:]) / 2
        normal_x, normal_y = normal(middle)
        rows = normal_x.abs() >= normal_y.abs()
        low, centre, high = (
            line(*normal(u), u * source, rows, self.image_shape)
            for u in (edges[:-1], middle, edges[1:])
        )
        along = None
        if depth:
            # How far the ray is from the source in each step, along the view; 1 at the axis.
            middle_y, middle_x = ((n - 1) / 2 for n in self.image_shape)
            slope = torch.where(rows, cosine + centre[1] * sine, sine + centre[1] * cosine)
            offset = torch.where(rows, centre[0] * sine, centre[0] * cosine)
            offset = source + offset - middle_x * sine - middle_y * cosine
            along = (torch.stack([offset, slope]) / source).reshape(2, -1)
        length = torch.hypot(torch.ones_like(centre[1]), centre[1])
        low, high = low.reshape(2, -1), high.reshape(2, -1)
        return Rays(low, high, length.reshape(-1), rows.reshape(-1), along)


class _Weighted(Physics):
    """The projector with weights divided by the distance from the source, which FBP asks for."""

    def __init__(self, beam: FanBeam) -> None:
        super().__init__(beam.image_shape, beam.measurement_shape)

        def rays_of(start: int, stop: int) -> Rays:
            return beam._rays_with_depth(start, stop, depth=True)

        # What the plain matrices leave of the memory.
        self._engine: Engine = beam._engine_for(rays_of, beam.memory - beam._engine.stored)

    def A_dagger(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y)

    def _forward(self, x: Tensor) -> Tensor:
        return self._engine.forward(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self._engine.adjoint(y)


def _redundancy(angles: NDArray[np.float64], fan: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights ``(views, cells)`` such that both directions of a line together count once."""
    into, span = scan(angles)
    into, fan = into[:, None], fan[None]
    if span > 2 * math.pi - 1e-6:
        return np.broadcast_to(halves(np.tan(fan[0])), (len(angles), fan.size)).copy()
    spare = (span - math.pi) / 2
    weights = np.ones((len(angles), fan.size))
    if spare <= 0:
        return weights
    # The other direction of a line is measured half a turn and twice the fan angle later (early)
    # or as much sooner (late).
    early, late = spare - fan, spare + fan
    rising = np.sin(math.pi / 4 * into / np.where(early > 0, early, 1)) ** 2
    falling = np.sin(math.pi / 4 * (span - into) / np.where(late > 0, late, 1)) ** 2
    weights = np.where(into < 2 * early, rising, weights)
    return np.where(span - into < 2 * late, falling, weights)
