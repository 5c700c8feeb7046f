"""One REI training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.losses.sure import sure
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._part import Part
from napari_selfsup_recon.methods.ei._noisy import NoisyTrainee
from napari_selfsup_recon.methods.rei.options import REIOptions


class REITrainee(NoisyTrainee):
    r"""Agreement with what the noise did not decide, and equivariance under noise.

    .. math:: \|(A f(y_1) - y_2)\|^2 + \alpha \|f(\text{noise}(A T f(y))) - T f(y)\|^2

    with copies of the measurement :math:`y_1` and :math:`y_2` that have other noise, or Stein's
    unbiased risk estimate in place of the first term, as published; all means are in units of the
    image.
    """

    options: REIOptions

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, passes=3, **kwargs)
        self.photons = self.options.gradient

    def _agreement(
        self, model: Reconstructor, part: Part, x: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Return Stein's estimate of the error against the clean measurement."""
        units = self.problem.units
        assert self.noise is not None

        def predict(y: Tensor) -> Tensor:
            clean: Tensor = part.physics.A(model(y, part.physics) * units.image)
            return clean

        risk = sure(
            part.y,
            predict,
            self.noise,
            self.on_device(generator),
            weight=part.physics.observed(part.y),
            prediction=part.physics.A(x * units.image),
        )
        return risk / units.measured**2
