"""Rare strikes along the lines of a scan, each with a tail: what no Gaussian field can show."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.methods.iscl._spectra import Array

# Beyond the size of most structures.
_LAGS = np.arange(10, 41)
_FEWEST_LAGS, _FEWEST_SURE = 8, 3
# Sure, and clearly stronger than along the other axis, where structures make up for it.
_SURE, _CLEAR = 5.0, 2.0
_LEAST_SHARE = 0.01
_FIRST_RATE = 1 / 128
_TAILS = (4.0, 120.0)
_RIDGE = 3.0
_SIDES: tuple[Literal[-1, 0, 1], ...] = (-1, 0, 1)
_RATES = (1 / 8, 1 / 32, 1 / 128, 1 / 512, 1 / 2048)


@dataclass(frozen=True)
class Streaks:
    r"""Noise along one axis, independent from line to line.

    .. math:: h_c = \sum_{c'} e^{-|c - c'| / \tau}\, n_{c'}

    where n are rare strikes of either sign and random strength. It has unit variance.

    Attributes
    ----------
    axis
        -1 along x, -2 along y.
    tail
        :math:`\tau`, in pixels.
    rate
        Strikes for each pixel; 1 is Gaussian noise.
    side
        1: the tail follows the strike; -1: it precedes it; 0: both.
    added, gained
        Standard deviation of what is added, and of the logarithm of the gain.
    """

    axis: Literal[-1, -2]
    tail: float
    rate: float
    side: Literal[-1, 0, 1]
    added: float = 0.0
    gained: float = 0.0

    def transfer(self, n: int) -> np.ndarray[tuple[int], np.dtype[np.complex128]]:
        """Return the transform ``(n // 2 + 1,)`` of the tail, of unit mean power over all n."""
        place = np.arange(n)
        after = np.exp(-place / self.tail)
        before = np.exp(-((n - place) % n) / self.tail)
        tail = {1: after, -1: before, 0: np.maximum(after, before)}[self.side]
        spectrum = np.fft.rfft(tail)
        spectrum[0] = 0.0  # the mean of a line belongs to the field, not to its strikes
        power = np.abs(np.fft.fft(np.fft.irfft(spectrum, n))) ** 2
        unit: np.ndarray[tuple[int], np.dtype[np.complex128]] = spectrum / np.sqrt(power.mean())
        return unit

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Return fields of unit variance, periodic along the axis."""
        strikes = torch.randn(shape, generator=generator)
        if self.rate < 1:
            struck = torch.rand(shape, generator=generator) < self.rate
            strikes = strikes * struck / self.rate**0.5
        n = shape[self.axis]
        transfer = torch.from_numpy(self.transfer(n)).to(torch.complex64)
        transfer = transfer if self.axis == -1 else transfer[:, None]
        field: Tensor = torch.fft.irfft(
            torch.fft.rfft(strikes, dim=self.axis) * transfer, n=n, dim=self.axis
        )
        return field


def find_streaks(clean: Array, noisy: Array) -> Streaks | None:
    r"""Return streaks along x or y that noisy windows have and clean ones lack, or nothing.

    Each line less the mean of its neighbours has the covariance
    :math:`\frac32 \sigma^2 e^{-h / \tau}` at a lag h along the line, beyond the size of structures.

    Parameters
    ----------
    clean, noisy
        Windows ``(number, n, n)``.
    """
    lags = _LAGS[clean.shape[-1] // 2 > _LAGS]
    if len(lags) < _FEWEST_LAGS:
        return None
    found = {axis: _excess(clean, noisy, axis, lags) for axis in (-1, -2)}
    (axis, (curve, error)), (_, (other, _)) = sorted(
        found.items(), key=lambda item: -float(item[1][0].mean())
    )
    total = float(noisy.var() - clean.var())
    strength = float(curve.mean())
    if (
        strength < _SURE * error
        or strength < _CLEAR * abs(float(other.mean()))
        or strength < _LEAST_SHARE * total
    ):
        return None
    # A straight line through the logarithms, where they are sure.
    good = curve > max(strength, 0.0) / 4
    if good.sum() < _FEWEST_SURE:
        return None  # a tail that ends before the first lags, or windows that are all alike
    slope, height = np.polyfit(lags[good], np.log(curve[good]), 1, w=curve[good])
    tail = float(np.clip(-1 / min(slope, -1e-9), *_TAILS))
    deviation = float(np.sqrt(np.exp(min(height, np.log(10 * strength))) / 1.5))
    return Streaks(-1 if axis == -1 else -2, tail, _FIRST_RATE, 0, added=deviation)


def choose_strikes(
    streaks: Streaks, apply: Callable[[Streaks], Array], noisy: Array
) -> Generator[None, None, Streaks]:
    """Return the streaks with the rate and side that make clean windows look like noisy ones.

    Parameters
    ----------
    streaks
        Of any rate and side.
    apply
        Puts all noise, with given streaks, on clean windows.
    noisy
        Windows ``(number, n, n)``.
    """
    goal = _shape(noisy, streaks)
    found = []
    for rate, side in [(1.0, 0), *((rate, side) for rate in _RATES for side in _SIDES)]:
        one = replace(streaks, rate=rate, side=side)
        found.append((float(np.abs(_shape(apply(one), one) - goal).sum()), one))
        yield
    return min(found, key=lambda pair: pair[0])[1]


def strikes_of(streaks: Streaks, shape: tuple[int, ...], seed: int) -> Array:
    """Return fields of unit variance, the same for the same seed."""
    random = torch.Generator().manual_seed(int(numpy_generator("streaks", seed).integers(2**31)))
    field: Array = streaks.draw(shape, random).double().numpy()
    return field


def off_ridge(spectrum: Array, streaks: Streaks) -> Array:
    """Return an isotropic spectrum ``(n, n)`` without the ridge that streaks make in it.

    Frequencies that are low along the streaks take the power of those turned by a right angle.
    """
    n = len(spectrum)
    frequency = np.abs(np.fft.fftfreq(n) * n)
    near = frequency <= max(_RIDGE, _RIDGE * n / (2 * np.pi * streaks.tail))
    mask = np.broadcast_to(near if streaks.axis == -1 else near[:, None], spectrum.shape)
    return np.where(mask, np.minimum(spectrum, spectrum.T), spectrum)


def across(windows: Array, axis: int, *, centre: bool = False) -> Array:
    """Return each line but the first and the last less the mean of its neighbours, or as it is."""
    lines = windows if axis == -1 else np.swapaxes(windows, -1, -2)
    if centre:
        return lines[:, 1:-1]
    difference: Array = lines[:, 1:-1] - (lines[:, :-2] + lines[:, 2:]) / 2
    return difference


def along(lines: Array, width: int) -> Array:
    """Return running means along the lines."""
    total = np.cumsum(lines, axis=-1)
    mean: Array = (total[..., width:] - total[..., :-width]) / width
    return mean


def _excess(clean: Array, noisy: Array, axis: int, lags: Array) -> tuple[Array, float]:
    """Return the covariance at each lag that noisy windows have more, and its error."""
    curves = []
    for windows in (noisy, clean):
        lines = across(windows, axis)
        curves.append(
            np.stack([(lines[..., h:] * lines[..., :-h]).mean((1, 2)) for h in lags], axis=1)
        )
    curve: Array = curves[0].mean(0) - curves[1].mean(0)
    error = np.sqrt(sum(float(c.mean(1).var()) / len(c) for c in curves))
    return curve, float(error)


def _shape(windows: Array, streaks: Streaks) -> Array:
    """Return how heavy the tails of the distribution are, and how they lie in space."""
    lines = across(windows, streaks.axis)
    wide = along(lines, max(2, round(streaks.tail / 2)))
    energy = wide * wide
    square = float(energy.mean())
    heavy = (
        np.log(np.mean(energy * energy) / square**2),
        2 * np.log(square / np.mean(np.abs(wide)) ** 2),
    )
    size = np.abs(along(lines, max(2, round(streaks.tail / 8))))
    step = max(2, round(streaks.tail / 4))
    jump = size[..., step:] - size[..., :-step]
    change = jump * jump
    turn = float(np.mean(change * jump) / change.mean() ** 1.5)
    return np.array([*heavy, turn])
