"""Measurements that are no images: sinograms, counts, masked pixels, k-space, inner products."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.methods._linear import equations, is_transmission
from napari_selfsup_recon.methods.total_variation._measured import Measured
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.compressed_sensing import CompressedSensing
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.neighbours import surroundings
from napari_selfsup_recon.physics.noise import Noise, Poisson
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate

# Ratio of primal and dual steps, and the search for the weight: settled on other scenes than those
# of the benchmarks. Weights that predict best and those that restore best are the same there within
# a factor of two, so that no simulation follows.
INSTRUMENT_RATIO = 0.01
INSTRUMENT_SEARCH = {"start": 0.03, "factor": 2.0, "smallest": 1e-5}

_MAD = 0.6745
# Fourth differences along a line, and their gain for white noise: structure hardly shows in them.
_FOURTH = (1.0, -4.0, 6.0, -4.0, 1.0)
_OF_FOURTH = 70.0**0.5
_OF_SECOND = 6.0**0.5
# k-space beyond this part of its radius holds next to no signal.
_OUTSKIRTS = 0.75
# Within this part lie the few values that make up most of the image: no prediction is close there.
_CENTRE = 0.2
_BINS, _FEWEST = 12, 60
# Where nothing tells the noise it is taken for this part of the spread of the values.
_UNKNOWN = 0.02


class Stacked(Physics):
    """An operator whose channels belong together, with these as the first axis of an image."""

    def __init__(self, inner: Physics) -> None:
        assert inner.channels is not None
        count = inner.channels
        super().__init__((count, *inner.image_shape), (count, *inner.measurement_shape))
        self.inner = inner

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the inverse of the operator."""
        return self.inner.A_dagger(y[:, 0])[:, None]

    def _forward(self, x: Tensor) -> Tensor:
        return self.inner.A(x[:, 0])[:, None]

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.inner.A_adjoint(y[:, 0])[:, None]


def is_instrument(physics: Physics) -> bool:
    """Return whether a measurement is anything but an image of the same kind."""
    known = isinstance(physics, Projector | MRI | CompressedSensing)
    masked = physics.linear and physics.observed(torch.zeros(1)) is not None
    return known or masked or is_transmission(physics) or physics.channels is not None


def working_physics(physics: Physics) -> Physics:
    """Return the linear operator, without channels, that the iteration works with."""
    linear = getattr(physics, "projector", physics) if is_transmission(physics) else physics
    return linear if linear.channels is None else Stacked(linear)


def measured_by(
    physics: Physics, y: Tensor, noise: Noise | None, background: float
) -> tuple[Measured, float]:
    """Return what is known of a measurement, and which background is left in it.

    Parameters
    ----------
    physics
        The instrument.
    y
        ``(1, channel, *measurement_shape)``, float32.
    noise
        Of the values as recorded; None: estimated.
    background
        Of the values as recorded. Photon counts lose it at once.
    """
    if is_transmission(physics):
        return _counts(physics, y - background, noise), 0.0
    recorded = physics.observed(y)
    seen = torch.ones_like(y) if recorded is None else recorded.expand_as(y)
    level = y
    if isinstance(physics, Projector):
        # What no slice explains (hardening of the beam, motion) is more than noise, and lies behind
        # what is dense: taken for outliers, the dense would not count.
        estimate = NoiseEstimate(0.0, 0.0, _line_noise(y), coarse=True)
    elif isinstance(physics, MRI):
        sigma = _outer_noise(y, seen, len(physics.image_shape))
        # A few values hold most of the image: what is far off there is no outlier.
        estimate = NoiseEstimate(0.0, 0.0, sigma, coarse=True)
        level, background = torch.zeros_like(y), 0.0
    elif recorded is not None and y.shape[1] == 1 and y.ndim in (4, 5):
        level = surroundings(y, seen > 0)
        estimate = _masked_noise(y, seen > 0, level)
    else:
        sigma = _UNKNOWN * float(y.std())
        estimate, background = NoiseEstimate(0.0, 0.0, sigma, coarse=True), 0.0
    if noise is not None:
        estimate = estimate.known(noise)
    telling: Tensor | None = None
    if isinstance(physics, MRI):
        telling = (_radius(y, len(physics.image_shape)) > _CENTRE).expand_as(y)[0]
    parts = (y[0], level[0], (seen < 0.5)[0])
    if physics.channels is None:
        parts = (parts[0][0], parts[1][0], parts[2][0])
    return Measured(*parts, estimate, telling=telling), background


def _counts(physics: Physics, y: Tensor, noise: Noise | None) -> Measured:
    """Return counts as line integrals, each with its own standard deviation."""
    found = equations(physics, y, noise)
    assert found.sigma is not None
    sigma, values = found.sigma, found.values
    if noise is None:
        # Photons that are counted in other units: the spread that is seen sets the scale.
        expected = Poisson().variance(y.clamp_min(1)).sqrt()
        ratio = _line_noise(y / expected)
        sigma = sigma * ratio if ratio > 0 else sigma
    estimate = NoiseEstimate(0.0, 0.0, float(sigma.median()))
    live = found.recorded
    wrong = torch.zeros_like(values, dtype=torch.bool) if live is None else live < 0.5
    return Measured(values[0, 0], values[0, 0], wrong[0, 0], estimate, deviation=sigma[0, 0])


def _line_noise(y: Tensor) -> float:
    """Return the standard deviation of the noise along the last axis."""
    if y.shape[-1] >= 5:
        n = y.shape[-1] - 4
        rough = sum(w * y.narrow(-1, k, n) for k, w in enumerate(_FOURTH))
        found = _spread(torch.as_tensor(rough)) / _OF_FOURTH
        if found > 0:
            return found
    return float(y.std()) * _UNKNOWN


def _outer_noise(y: Tensor, seen: Tensor, ndim: int) -> float:
    """Return the standard deviation of the noise of centred k-space, from its outskirts."""
    values = y[(seen > 0.5) & (_radius(y, ndim) > _OUTSKIRTS)]
    if values.numel() < _FEWEST:
        values = y[seen > 0.5]
    return _spread(values) or _UNKNOWN * float(y.std())


def _radius(y: Tensor, ndim: int) -> Tensor:
    """Return how far places of centred k-space are from its centre, 1 at the ends of an axis."""
    radius = y.new_zeros(y.shape[-ndim:])
    for axis, n in enumerate(radius.shape):
        line = (torch.arange(n, device=y.device) - n // 2).to(y) / max(1, n // 2)
        radius = radius + line.square().reshape([-1 if a == axis else 1 for a in range(ndim)])
    return radius.sqrt()


def _masked_noise(y: Tensor, seen: Tensor, level: Tensor) -> NoiseEstimate:
    """Return the noise of the recorded pixels, as variance against level.

    It is read off second differences of recorded neighbours in a line.
    """
    roughs, levels = [], []
    for axis in range(2, y.ndim):
        n = y.shape[axis] - 2
        if n < 1:
            continue
        parts = [y.narrow(axis, k, n) for k in range(3)]
        whole = torch.stack([seen.narrow(axis, k, n) for k in range(3)]).all(0)
        roughs.append(((parts[0] - 2 * parts[1] + parts[2]) / _OF_SECOND)[whole])
        levels.append((torch.stack(parts).mean(0))[whole])
    nothing = y.new_zeros(0)
    rough: FloatImage = torch.cat([nothing, *roughs]).cpu().numpy()
    at: FloatImage = torch.cat([nothing, *levels]).cpu().numpy()
    values = np.unique(y[seen].cpu().numpy())
    step = float(np.diff(values).min()) if len(values) > 1 else 0.0
    if len(rough) < _FEWEST:
        spread = _spread(y[seen] - level[seen])
        return NoiseEstimate(0.0, float(values[0]), spread or _UNKNOWN * float(y[seen].std()))
    marks, variances = _profile(at, rough)
    slope = 0.0
    if len(marks) > 1:
        weight = 1 / variances**2
        mean, middle = np.average(variances, weights=weight), np.average(marks, weights=weight)
        power = np.average((marks - middle) ** 2, weights=weight)
        rise = np.average((marks - middle) * (variances - mean), weights=weight)
        slope = max(0.0, float(rise / power)) if power > 0 else 0.0
        floor = float(mean - slope * middle)
    else:
        floor = float(variances[0]) if len(variances) else float(np.median(rough**2)) / _MAD**2
    dark = float(np.quantile(at, 0.01))
    variance = max(floor + slope * dark, 0.05 * float(variances.min()) if len(variances) else 0.0)
    typical = max(floor + slope * float(np.median(at)), variance) ** 0.5
    sigma = variance**0.5 or _UNKNOWN * float(y[seen].std())
    return NoiseEstimate(slope, dark, sigma, coarse=typical < 1.5 * step)


def _profile(at: FloatImage, rough: FloatImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return levels and the variance of the noise at each."""
    edges = np.quantile(at, np.linspace(0, 1, _BINS + 1))
    rows: list[tuple[float, float]] = []
    for first, last in pairwise(edges):
        inside = rough[(at >= first) & (at <= last)]
        middle = 0.5 * float(first + last)
        if len(inside) >= _FEWEST and (not rows or middle > rows[-1][0]):
            deviation = float(np.median(np.abs(inside))) / _MAD
            if deviation > 0:
                rows.append((middle, deviation**2))
    table = np.array(rows, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _spread(values: Tensor) -> float:
    return float(values.abs().median()) / _MAD if values.numel() else 0.0
