"""Robust equivariant imaging (Chen, Tachella, Davies, CVPR 2022), rebuilt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Event, Notice
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods.ei.method import EI, choose_alpha
from napari_selfsup_recon.methods.rei._trainee import REITrainee
from napari_selfsup_recon.methods.rei.options import REIOptions
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian
from napari_selfsup_recon.physics.noise_estimate import estimate_noise


class REI(EI):
    """Reconstruct from too few and noisy measurements by learning from these alone.

    Like :class:`~napari_selfsup_recon.methods.ei.method.EI`, but the agreement with the measurement
    is Stein's estimate of the error against the clean one, and what is made up gets noise.

    Parameters
    ----------
    physics
        What the instrument did.
    options
        See :class:`REIOptions`.
    noise
        ``Gaussian``, ``Poisson`` or ``PoissonGaussian``, in the units of the measurement. Where it
        is None, it is estimated from measurements that are whole (sinograms, photon counts); the
        noise of masked measurements has to be given.

    References
    ----------
    Chen, Tachella and Davies, Robust Equivariant Imaging, CVPR 2022; the terms that differ from the
    published code are told in :func:`~napari_selfsup_recon.losses.sure.sure`.
    """

    key: ClassVar[str] = "rei"
    options_type: ClassVar[type[Options]] = REIOptions
    options: REIOptions

    def _before(self, problem: Problem) -> Iterator[Event]:
        yield from super()._before(problem)
        if self.noise is None:
            yield Notice(f"The noise was estimated from the measurement: {problem.noise}.")

    def _noise_of(self, y: Tensor) -> Noise:
        if self.noise is not None:
            if not isinstance(self.noise, (Gaussian, PoissonGaussian)):
                raise InputError(
                    f"REI does not know {type(self.noise).__name__} noise.",
                    hint="Describe it as Gaussian, Poisson or PoissonGaussian.",
                )
            return self.noise
        if self.physics.observed(y[:1]) is not None:
            raise InputError(
                "The noise of measurements with missing entries cannot be estimated.",
                hint="Give it, for example noise=Gaussian(0.05), in units of the measurement.",
            )
        return estimate_noise(y).model()

    def _trainee(self, problem: Problem) -> ReconstructionTrainee:
        given: dict[str, Any] = {
            "build": self._build,
            "transform": self.transform,
            "alpha": choose_alpha(self.options.alpha, self.physics, noisy=True),
            "noise": problem.noise,
        }
        return REITrainee(problem, self.options, **given)
