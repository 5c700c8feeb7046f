"""Some of the measurements of a training."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_selfsup_recon.physics.base import Physics


@dataclass(frozen=True)
class Part:
    """Some of the measurements.

    Attributes
    ----------
    y
        ``(n, channel, *measurement_shape)``, as recorded.
    physics
        What made them; entries that are held out are not recorded for it.
    clean
        Images over ``units.image``, where there are any.
    """

    y: Tensor
    physics: Physics
    clean: Tensor | None = None
