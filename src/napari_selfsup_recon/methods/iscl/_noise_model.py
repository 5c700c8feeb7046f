"""A model of structured noise, and the network G that makes noisy images of clean ones with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_selfsup_recon.methods.iscl._spectra import Array, bands
from napari_selfsup_recon.methods.iscl._streaks import Streaks

#: Halves of those of white noise: the others are their mirror images.
Transforms = np.ndarray[Any, np.dtype[np.complex128]]
#: Gains are kept between exp(-3) and exp(3).
_MOST_GAIN = 3.0


@dataclass(frozen=True, eq=False)
class NoiseModel:
    r"""Noise that is added, and a gain that multiplies, both stationary and of any spectrum.

    .. math:: x = m + (y - m + n_a)\, e^{n_g}

    Attributes
    ----------
    floor
        m, the grey level without signal.
    additive, gain
        Logarithm of the mean power of :math:`n_a` and :math:`n_g` in each band of
        :func:`~napari_selfsup_recon.methods.iscl._spectra.bands`.
    form
        ``(n, n)``: by how much the power at a frequency differs from that of its band.
    streaks
        Rare strikes along scan lines, part of both :math:`n_a` and :math:`n_g`; usually none.
    """

    floor: float
    additive: Array
    gain: Array
    form: Array
    streaks: Streaks | None = None

    def amplitudes(self) -> tuple[Array, Array]:
        """Return the square roots of both spectra, ``(n, n)``."""
        weights = bands(len(self.form))
        added, gained = (
            np.sqrt(np.exp(np.tensordot(log, weights, 1)) * self.form)
            for log in (self.additive, self.gain)
        )
        return added, gained

    def apply(self, clean: Array, white: Transforms, strikes: Array | None = None) -> Array:
        """Return noisy windows.

        Parameters
        ----------
        clean
            ``(number, n, n)``.
        white
            The transforms ``(2, number, n, n // 2 + 1)`` of two white noises.
        strikes
            A field of :attr:`streaks` of their shape, where there are streaks.
        """
        n = clean.shape[-1]
        added, gained = (
            np.fft.irfft2(one * amplitude[:, : n // 2 + 1], s=(n, n))
            for one, amplitude in zip(white, self.amplitudes(), strict=True)
        )
        if self.streaks is not None and strikes is not None:
            added = added + self.streaks.added * strikes
            gained = gained + self.streaks.gained * strikes
        factor = np.exp(np.clip(gained, -_MOST_GAIN, _MOST_GAIN))
        noisy: Array = self.floor + (clean - self.floor + added) * factor
        return noisy

    def deviation(self, level: Tensor) -> Tensor:
        """Return about how strong the noise is where the clean image is ``level``."""
        added, gained = (float(np.mean(a**2)) for a in self.amplitudes())
        above = level - self.floor
        variance = added + gained * above.square()
        if self.streaks is not None:
            # The same strikes are added and multiply.
            variance = variance + (self.streaks.added + self.streaks.gained * above).square()
        return torch.sqrt(variance + 1e-6)

    @property
    def isotropic(self) -> bool:
        """Whether the noise looks the same with y and x exchanged."""
        if self.streaks is not None:
            return False
        total = sum(a**2 for a in self.amplitudes())
        other = np.transpose(total)
        return bool(np.abs(total - other).sum() < 0.25 * (total + other).sum() / 2)


class Spoiler(nn.Module):
    """G: makes noisy images of clean ones, others at each draw.

    Its weights are the powers of the model in each band, so that critics can mend them.

    Parameters
    ----------
    model
        Where they begin.
    """

    def __init__(self, model: NoiseModel) -> None:
        super().__init__()
        self.floor, self.streaks = model.floor, model.streaks
        self.additive = nn.Parameter(torch.tensor(model.additive, dtype=torch.float32))
        self.gain = nn.Parameter(torch.tensor(model.gain, dtype=torch.float32))
        self._bands: Tensor
        self._form: Tensor
        weights = torch.tensor(bands(len(model.form)), dtype=torch.float32)
        self.register_buffer("_bands", weights, persistent=False)
        self.register_buffer(
            "_form", torch.tensor(model.form, dtype=torch.float32), persistent=False
        )

    def forward(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Return noisy images of clean ones ``(batch, slices, n, n)``; each slice has its own."""
        added, gained = (self._noise(log, y, generator) for log in (self.additive, self.gain))
        if self.streaks is not None:
            strikes = self._strikes(self.streaks, y, generator)
            added = added + self.streaks.added * strikes
            gained = gained + self.streaks.gained * strikes
        factor = gained.clamp(-_MOST_GAIN, _MOST_GAIN).exp()
        return self.floor + (y - self.floor + added) * factor

    def _noise(self, log: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """Return noise of one spectrum, cut from fields that are periodic and at least as large."""
        side = len(self._form)
        amplitude = (torch.tensordot(log, self._bands, 1).exp() * self._form).sqrt()
        white = torch.randn(*y.shape[:2], side, side, generator=generator).to(y)
        half = amplitude[:, : side // 2 + 1]
        field: Tensor = torch.fft.irfft2(torch.fft.rfft2(white) * half, s=(side, side))
        return field[..., : y.shape[-2], : y.shape[-1]]

    def _strikes(self, streaks: Streaks, y: Tensor, generator: torch.Generator) -> Tensor:
        """Return a field of the streaks, cut from one that is longer along them."""
        shape = list(y.shape)
        shape[streaks.axis] = len(self._form)
        field: Tensor = streaks.draw(tuple(shape), generator).to(y)
        return field[..., : y.shape[-2], : y.shape[-1]]
