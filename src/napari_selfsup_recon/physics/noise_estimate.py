"""Gain, offset, read noise and wrong pixels of a camera, from one image or stack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.physics._noise_profile import high_pass, profile
from napari_selfsup_recon.physics._noise_remarks import nothing_seen, remarks
from napari_selfsup_recon.physics._single_pixels import find_outliers, outlier_share
from napari_selfsup_recon.physics.neighbours import surroundings
from napari_selfsup_recon.physics.noise import Gaussian, Noise, PoissonGaussian

_PIXELS = 1_000_000
_BANDS = 8
_PILE = 0.002
# In clean images next to nothing lies so far out, and what does so stands alone in the blur.
LIMIT = 4.0
_APART = 5.0


@dataclass(frozen=True)
class NoiseEstimate:
    r"""What a measurement tells about its noise: variance :math:`g (\mu - o) + s^2`.

    Attributes
    ----------
    gain
        g, grey values a photon; 0.0 where no photon noise is seen.
    offset
        o, the darkest level there is. It is the grey value without light where anything is dark.
    sigma
        s, standard deviation of the noise at the offset, grey values; the read noise where that is
        dark. 0.0 where every pixel has the same value.
    outliers
        Share of wrong pixels, 0 to 1, those that cannot be told from noise included; 0 where no
        PSF is given.
    clipped_low, clipped_high
        Where the detector cut values off, None where it did not.
    coarse
        Whether the noise spans only a few grey levels, as with a handful of photons.
    remarks
        What the user should know, a sentence each.
    """

    gain: float
    offset: float
    sigma: float
    outliers: float = 0.0
    clipped_low: float | None = None
    clipped_high: float | None = None
    coarse: bool = False
    remarks: tuple[str, ...] = ()

    def model(self) -> Noise:
        """Return the noise as a value that can be drawn from."""
        if self.gain > 0:
            return PoissonGaussian(gain=self.gain, sigma=self.sigma, offset=self.offset)
        return Gaussian(self.sigma)

    def deviation(self, level: Tensor) -> Tensor:
        """Return the standard deviation where the clean grey value is ``level``."""
        return (self.gain * (level - self.offset).clamp_min(0) + self.sigma**2).sqrt()

    def known(self, noise: Noise) -> NoiseEstimate:
        """Return these facts with gain, offset and read noise of a given ``noise``."""
        if isinstance(noise, PoissonGaussian):
            return replace(self, gain=noise.gain, offset=noise.offset, sigma=noise.sigma)
        if isinstance(noise, Gaussian):
            return replace(self, gain=0.0, sigma=noise.sigma)
        return self


def estimate_noise(y: Any, *, psf: np.ndarray[Any, Any] | None = None) -> NoiseEstimate:
    """Estimate the noise of one measurement.

    The noise is read off what blurred structure cannot make (second differences), as a straight
    line of variance against grey level; the offset is the darkest level. Nothing tells haze that
    is everywhere from an offset: it counts as one, and its photons as read noise.

    Parameters
    ----------
    y
        Array ``(z,) y, x`` or tensor ``(items, 1, *spatial)``; not changed. About a million pixels
        of it are looked at.
    psf
        Of the blur, if there is one: it tells points from wrong pixels.

    Raises
    ------
    InputError
        If ``y`` is empty, has no rows and columns, or is not finite.
    """
    whole = _excerpt(as_items(y))
    values = whole[np.ptp(whole, axis=(1, 2)) > 0]
    if not len(values) or min(values.shape[1:]) < 3:
        return NoiseEstimate(0.0, float(whole.min()), 0.0, remarks=nothing_seen(whole))
    step = float(np.diff(np.unique(values)).min())
    clipped = _cut_off(values, step)
    cut = np.isin(values, [v for v in clipped if v is not None])
    line = profile(values, cut, np.zeros(values.shape, bool), step)
    estimate = NoiseEstimate(line.slope, line.dark, line.dark_variance**0.5)
    if psf is not None:
        planes = torch.from_numpy(values)[:, None]
        wrong = wrong_pixels(planes, estimate, psf)
        if bool(wrong.any()):
            line = profile(values, cut, wrong[:, 0].numpy(), step)
            estimate = NoiseEstimate(line.slope, line.dark, line.dark_variance**0.5)
        level = surroundings(planes)
        bound = LIMIT * _with_tail(estimate, level, LIMIT)
        share = outlier_share(planes, level, wrong, bound)
        estimate = replace(estimate, outliers=share)
    typical = estimate.deviation(torch.tensor(float(np.median(values))))
    estimate = replace(
        estimate,
        clipped_low=clipped[0],
        clipped_high=clipped[1],
        coarse=float(typical) < 1.5 * step,
    )
    return replace(estimate, remarks=remarks(whole, estimate))


def wrong_pixels(
    y: Tensor, noise: NoiseEstimate, psf: np.ndarray[Any, Any] | None, *, limit: float = LIMIT
) -> Tensor:
    """Return where single pixels of ``(items, 1, *spatial)`` are wrong (boolean).

    As :func:`~napari_selfsup_recon.physics.outliers.find_outliers`, but a wrong pixel must also
    stand out from how well its surroundings fit; and photons are allowed the longer upper tail of
    their distribution (Cornish and Fisher's first correction).
    """
    if noise.sigma == noise.gain == 0:
        return torch.zeros(y.shape, dtype=torch.bool, device=y.device)
    deviation = _with_tail(noise, surroundings(y), limit)
    return find_outliers(y, deviation, psf, limit=limit, apart=_APART)


def _with_tail(noise: NoiseEstimate, level: Tensor, limit: float) -> Tensor:
    return noise.deviation(level) + noise.gain * (limit**2 - 1) / (6 * limit)


def as_items(y: Any) -> Tensor:
    """Return ``(z,) y, x`` or ``(items, 1, *spatial)`` as a float32 tensor of the latter form.

    Raises
    ------
    InputError
        If it is empty, has no rows and columns, or is not finite.
    """
    if isinstance(y, Tensor):
        items = y.detach().to(torch.float32)
        items = items[None, None] if items.ndim < 4 else items
    else:
        items = torch.from_numpy(np.array(y, dtype=np.float32))[None, None]
    if items.ndim not in (4, 5) or not items.numel():
        raise InputError(
            f"A measurement of shape {tuple(np.shape(y))} has no noise to look at.",
            hint="Give an image (y, x) or a volume (z, y, x).",
        )
    if not bool(torch.isfinite(items).all()):
        raise InputError(
            "The measurement holds NaN or infinite values.",
            hint="Replace them (numpy.nan_to_num or the median) first.",
        )
    return items


def _excerpt(items: Tensor) -> FloatImage:
    """Return planes ``(n, rows, columns)`` of about a million pixels, from all over."""
    planes = items.reshape(-1, *items.shape[-2:])
    rows, columns = planes.shape[1:]
    if rows * columns > _PIXELS:
        # Bands of rows, evenly spaced, stand in for planes.
        height = max(3, _PIXELS // (_BANDS * columns))
        starts = [i * (rows - height) // (_BANDS - 1) for i in range(_BANDS)]
        planes = torch.cat([planes[:1, start : start + height] for start in starts])
    else:
        planes = planes[:: max(1, -(-planes.numel() // _PIXELS))]
    excerpt: FloatImage = planes.cpu().numpy()
    return excerpt


def _cut_off(values: FloatImage, step: float) -> tuple[float | None, float | None]:
    """Return the lowest and highest value where they pile up, else None.

    Counts of a few photons pile up by themselves: they fall off from one grey value to the next, or
    their noise is within a grey value.
    """
    inner = values[:, 1:-1, 1:-1]
    noise = high_pass(values)
    found: list[float | None] = []
    for extreme, inwards in ((float(values.min()), step), (float(values.max()), -step)):
        pile = float((values == extreme).mean())
        beside = float((np.abs(values - (extreme + inwards)) < 0.5 * step).mean())
        piled = _PILE < pile < 0.95 and pile > beside
        if piled:
            there = noise[inner == extreme]
            piled = there.size > 0 and float(there.std()) > 1.2 * step
        found.append(extreme if piled else None)
    return found[0], found[1]
