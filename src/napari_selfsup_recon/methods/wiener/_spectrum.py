"""Signal and noise power, read off the spectrum of a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, log

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

# Bins an octave, values looked at in each, and as many as make a bin count fully.
_BINS = 4
_SAMPLES = 2000
_FEW = 30
# Gains below this part of the largest one let nothing through but noise.
_DARK = 1e-4
_ENOUGH = 200
_STEEPEST = 8.0


@dataclass(frozen=True)
class Spectrum:
    r"""Signal power :math:`C (1 + f^2 / f_0^2)^{-\alpha / 2}` and white noise power.

    Frequencies are in cycles per smallest voxel side, powers per voxel.

    Attributes
    ----------
    height
        C.
    slope
        :math:`\alpha`.
    corner
        :math:`f_0`, from which on the signal falls.
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
        return squares.div(self.corner**2).add_(1).pow_(self.slope / 2).mul_(power)


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

    .. math:: \min_{C, \alpha, f_0} \sum_f \log M_f + P_f / M_f, \qquad
              M_f = |H_f|^2 C (1 + f^2 / f_0^2)^{-\alpha / 2} + N

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
    chosen, weights = _samples(squares)
    p, h, f = (
        np.asarray(t.expand(squares.shape).reshape(-1)[chosen].double().cpu())
        for t in (power, gain, squares)
    )
    dark = h < _DARK * h.max()
    if int(dark.sum()) >= _ENOUGH:
        measured = float(np.median(p[dark])) / log(2)  # powers are exponentially distributed
        noise = measured if measured > 0 else noise
    p, h, f, weights = (values[~dark] for values in (p, h, f, weights))
    lowest = float(np.sqrt(f.min()))
    surplus = np.maximum(p - noise, 0)
    if not (surplus.any() and noise > 0):
        return Spectrum(float(surplus.mean()), 0.0, lowest, max(noise, 0.0))

    def shape(slope: float, corner: float) -> NDArray[np.float64]:
        falling: NDArray[np.float64] = h * np.exp(-slope / 2 * np.log1p(f * exp(-2 * corner)))
        return falling

    def misfit(x: NDArray[np.float64]) -> float:
        height, slope, corner = x
        if not (0 <= slope <= _STEEPEST and log(lowest) <= corner <= 0 and abs(height) < 200):
            return float("inf")
        model = exp(height) * shape(slope, corner) + noise
        return float(np.average(np.log(model) + p / model, weights=weights))

    starts = []
    for slope, corner in product((1.0, 2.0, 3.0, 4.0), (log(lowest), 0.5 * log(lowest), -2.5)):
        height = np.average(surplus, weights=weights) / np.average(
            shape(slope, corner), weights=weights
        )
        starts.append(np.array([log(height), slope, max(corner, log(lowest))]))
    best = minimize(
        misfit,
        min(starts, key=misfit),
        method="Nelder-Mead",
        options={"xatol": 1e-3, "fatol": 1e-7, "maxiter": 600},
    )
    height, slope, corner = best.x
    return Spectrum(exp(height), float(slope), exp(corner), noise)


def _samples(squares: Tensor) -> tuple[Tensor, NDArray[np.float64]]:
    """Return places in the half spectrum and their weights: every octave counts about the same.

    Most frequencies are high ones that hold next to no signal; there a few per cent more noise than
    expected would pass for much signal.
    """
    flat = squares.reshape(-1)
    flat = torch.where(flat > 0, flat, torch.inf)
    bins = (flat / flat.min()).log2_().mul_(_BINS / 2)
    places, weights = [], []
    for k in range(int(bins[bins < torch.inf].max()) + 1):
        inside = ((bins >= k) & (bins < k + 1)).nonzero()[:, 0]
        if not len(inside):
            continue
        inside = inside[:: max(1, len(inside) // _SAMPLES)]
        places.append(inside)
        weights.append(np.full(len(inside), 1 / max(len(inside), _FEW)))
    return torch.cat(places), np.concatenate(weights)
