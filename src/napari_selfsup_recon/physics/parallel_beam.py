"""Parallel-beam CT."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from napari_selfsup_recon.physics._projector import MEMORY, Projector
from napari_selfsup_recon.physics.recipe import Recipe
from napari_selfsup_recon.physics.tomography._rays import Rays, line
from napari_selfsup_recon.physics.tomography._views import halves, scan, view_weights


class ParallelBeam(Projector):
    r"""Line integrals along parallel rays: the Radon transform.

    .. math:: (A x)_{k, d} = \int x(s_d \cos\theta_k + t \sin\theta_k,
              \; t \cos\theta_k - s_d \sin\theta_k) \, dt

    averaged over the width of detector d, whose middle lies at
    :math:`s_d = p (d - (D - 1) / 2 - o)` for the pitch p and the axis offset o. The image
    coordinates are pixels to the right and pixels downwards, counted from its centre, which is on
    the axis of rotation: at angle 0 columns are summed, at 90 degrees rows, as in scikit-image.

    Images are ``(batch, channel, y, x)``, sinograms ``(batch, channel, angle, detector)``; a stack
    of slices rides in the batch. Values of the sinogram have the unit of the image times a pixel.

    Parameters
    ----------
    shape
        Rows and columns of a slice.
    angles_rad
        Angle of each view in radians, in any order; 180 degrees suffice, 360 are welcome.
    detectors
        Cells of the detector; the default covers the diagonal of the slice.
    pitch
        Width of a cell in pixels of the image.
    axis_offset
        Where the axis of rotation meets the detector: cells right of its middle.
    memory
        Bytes that the stored matrix and its transpose may take, for each dtype and device. Beyond
        it, or with 0, the weights are computed as they are needed.

    Raises
    ------
    InputError
        If ``shape`` is not that of a slice, angles are missing, not finite or in degrees, the pitch
        is not positive, or the axis lies outside of the detector.
    """

    def __init__(
        self,
        shape: Sequence[int],
        angles_rad: ArrayLike | Tensor,
        *,
        detectors: int | None = None,
        pitch: float = 1.0,
        axis_offset: float = 0.0,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(
            shape,
            angles_rad,
            detectors=detectors,
            pitch=pitch,
            axis_offset=axis_offset,
            memory=memory,
            breadth=math.hypot(*shape),
        )

    def recipe(self) -> Recipe:
        """Return what rebuilds this operator."""
        return Recipe(
            "parallel-beam",
            {
                "shape": list(self.image_shape),
                "detectors": self.detectors,
                "pitch": self.pitch,
                "axis_offset": self.axis_offset,
                "memory": self.memory,
            },
            {"angles_rad": self.angles},
        )

    @classmethod
    def from_recipe(cls, recipe: Recipe) -> ParallelBeam:
        """Rebuild the operator."""
        params = dict(recipe.params)
        return cls(params.pop("shape"), recipe.arrays["angles_rad"], **params)

    @property
    def _back_projector(self) -> ParallelBeam:
        return self

    def _fbp_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        shares = view_weights(self.angles, math.pi)[:, None]
        if scan(self.angles)[1] < 2 * math.pi - 1e-6:
            return np.ones((1, 1)), shares
        cells = np.arange(self.detectors) - (self.detectors - 1) / 2 - self.axis_offset
        return 2 * halves(cells)[None], shares

    def _rays(self, start: int, stop: int) -> Rays:
        angle = torch.tensor(self.angles[start:stop])[:, None]
        cells = self.detectors
        edges = torch.arange(cells + 1, dtype=torch.float64)
        edges = (edges - cells / 2 - self.axis_offset) * self.pitch
        cosine, sine = torch.cos(angle), torch.sin(angle)
        along_rows = cosine.abs() >= sine.abs()
        low, high = (
            line(cosine, -sine, part, along_rows, self.image_shape).expand(2, -1, cells)
            for part in (edges[:-1], edges[1:])
        )
        length = torch.hypot(torch.ones(()), low[1])
        rows = along_rows.expand(-1, cells)
        return Rays(low.reshape(2, -1), high.reshape(2, -1), length.reshape(-1), rows.reshape(-1))
