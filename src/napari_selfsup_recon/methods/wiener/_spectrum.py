"""Signal and noise power, read off the spectrum of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

_SAMPLES = 2**16
# Gains below this part of the largest one let nothing through but noise.
_DARK = 1e-4
_ENOUGH = 200
_STEEPEST = 8.0


@dataclass(frozen=True)
class Spectrum:
    r"""Signal power :math:`C (f^2 + f_0^2)^{-\alpha / 2}` and white noise power.

    Frequencies are in cycles per smallest voxel side, powers per voxel.

    Attributes
    ----------
    height
        C.
    slope
        :math:`\alpha`.
    corner
        :math:`f_0`, one over the longest side.
    noise
        Power of the noise.
    """

    height: float
    slope: float
    corner: float
    noise: float

    def ratio(self, squares: Tensor) -> Tensor:
        """Return noise over signal power for squared frequencies."""
        if self.height <= 0:
            return torch.full_like(squares, 1e12)
        power = self.noise / self.height
        return squares.add(self.corner**2).pow_(self.slope / 2).mul_(power)


def squared_frequencies(
    shape: Sequence[int], scales: Sequence[float], device: torch.device
) -> Tensor:
    """Return the squared frequencies of the half spectrum of an array of ``shape``.

    ``scales`` are voxel sides in units of the smallest one.
    """
    total = torch.zeros((1,) * len(shape), device=device)
    for axis, (n, scale) in enumerate(zip(shape, scales, strict=True)):
        last = axis == len(shape) - 1
        line = (torch.fft.rfftfreq if last else torch.fft.fftfreq)(n, d=scale, device=device)
        total = total + line.square().reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return total


def fit_spectrum(power: Tensor, gain: Tensor, squares: Tensor, noise: float) -> Spectrum:
    r"""Fit the model to a periodogram by Whittle's likelihood.

    .. math:: \min_{C, \alpha} \sum_f \log M_f + P_f / M_f, \qquad
              M_f = |H_f|^2 C (f^2 + f_0^2)^{-\alpha / 2} + N

    Where the blur lets nothing through at some frequencies, the noise is what is measured there.

    Parameters
    ----------
    power
        Periodogram: squared magnitude of the transform over the number of voxels.
    gain
        Squared magnitude of the transfer function.
    squares
        Squared frequencies.
    noise
        Expected noise power.
    """
    every = max(1, power.numel() // _SAMPLES)
    p, h, f = (t.reshape(-1)[1::every].double().cpu().numpy() for t in (power, gain, squares))
    dark = h < _DARK * h.max()
    if int(dark.sum()) >= _ENOUGH:
        measured = float(np.median(p[dark])) / log(2)  # powers are exponentially distributed
        noise = measured if measured > 0 else noise
    seen = ~dark
    p, h, f = p[seen], h[seen], f[seen]
    corner = float(np.sqrt(f.min()))
    surplus = float(np.mean(np.maximum(p - noise, 0)))
    if not (surplus > 0 and noise > 0):
        return Spectrum(0.0 if surplus <= 0 else surplus, 0.0, corner, max(noise, 0.0))
    logs = np.log(f + corner**2)

    def misfit(x: NDArray[np.float64]) -> float:
        height, slope = x
        if not 0 <= slope <= _STEEPEST:
            return float("inf")
        model = h * np.exp(np.clip(height - slope / 2 * logs, -80, 80)) + noise
        return float(np.mean(np.log(model) + p / model))

    best = minimize(
        misfit,
        np.array([log(surplus) + np.mean(logs), 2.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-7, "maxiter": 400},
    )
    return Spectrum(exp(best.x[0]), float(best.x[1]), corner, noise)
