"""Filtered back-projection: the classic of tomography, at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Step
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods._linear import equations, is_transmission
from napari_selfsup_recon.methods.base import Method, as_tensor
from napari_selfsup_recon.methods.filtered_back_projection.options import (
    FilteredBackProjectionOptions,
)
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.filtered_back_projection import filtered_back_projection
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.device import memory_guard, pick_device


class FilteredBackProjection(Method):
    r"""Reconstruct slices by filtered back-projection.

    .. math:: x = A^T (w \cdot (h * y))

    with the filter h along the detector and the angle w that each view stands for. It is exact for
    many quiet views from all sides; few views leave streaks, noise stays in. Photon counts
    (``Transmission``) are taken as line integrals.

    Parameters
    ----------
    physics
        ``ParallelBeam``, ``FanBeam``, or ``Transmission`` over one of them.
    options
        :class:`FilteredBackProjectionOptions`.
    noise
        Of no account.

    Raises
    ------
    InputError
        If the physics is no tomograph.

    References
    ----------
    Kak and Slaney, Principles of Computerized Tomographic Imaging (1988), chapter 3.
    """

    key: ClassVar[str] = "filtered-back-projection"
    options_type: ClassVar[type[Options]] = FilteredBackProjectionOptions
    options: FilteredBackProjectionOptions

    def __init__(
        self,
        physics: Physics,
        options: FilteredBackProjectionOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        beam = getattr(physics, "projector", None) if is_transmission(physics) else physics
        if not isinstance(beam, Projector):
            raise InputError(
                f"Filtered back-projection needs a tomograph; {type(physics).__name__} is none.",
                hint="Choose least squares or total variation, which take any physics.",
            )

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one sinogram; yields a ``Step`` and ``Done`` with the slice.

        Parameters
        ----------
        y
            NumPy array or tensor ``(angle, detector)`` (leading axes of length 1 are fine).

        Raises
        ------
        InputError
            If the shape does not fit the physics, values are not finite, or there is more than one
            sinogram.
        """
        items = as_tensor(y, len(self.physics.measurement_shape))
        if len(items) != 1:
            raise InputError(
                f"One measurement is expected, but {len(items)} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        image = self._estimate(items)[0, 0]
        yield Step(1, 1)
        yield Done(np.array(image.cpu().numpy(), dtype=np.float32, order="C"), 1)

    def _estimate(self, y: Tensor) -> Tensor:
        device = pick_device(self.options.device)
        with memory_guard(device), torch.no_grad():
            self.physics._check(y, self.physics.measurement_shape, "a measurement")
            problem = equations(self.physics, y.to(device, torch.float32))
            beam = problem.physics
            assert isinstance(beam, Projector)
            image = filtered_back_projection(beam, problem.values, self.options.filter)
            if self.options.positive:
                image = image.clamp_min(0)
            return image.to(y.device)
