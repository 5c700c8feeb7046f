"""The Wiener filter: the fastest way to sharpen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Step
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods._voxels import checked_voxel
from napari_selfsup_recon.methods.base import ClassicalMethod, as_tensor
from napari_selfsup_recon.methods.wiener._extension import extend, extended_shape
from napari_selfsup_recon.methods.wiener._spectrum import (
    Spectrum,
    fit_spectrum,
    squared_frequencies,
)
from napari_selfsup_recon.methods.wiener.options import WienerOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.neighbours import surroundings
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.device import memory_guard, pick_device

_STEPS = 4


class Wiener(ClassicalMethod):
    r"""Deconvolve with the linear filter that has the least expected error.

    .. math:: \hat x(f) = \frac{\overline{H(f)}}{|H(f)|^2 + N / S(f)} \, \hat y(f)

    N and S are the power of noise and signal. By default both are read off the measurement: N where
    the blur lets no signal through (else from the estimated noise), S as a power law of the
    frequency, fitted by Whittle's likelihood. Beyond its edges the measurement is continued
    smoothly, so that borders do not ring.

    Parameters
    ----------
    physics
        ``Blur``; what it says about the world beyond the edge matters only if that is circular.
    options
        :class:`WienerOptions`.
    noise
        Noise of the measurement; None: estimated.
    voxel_size
        Voxel size an axis, in any common unit: frequencies count per length. None: all the same.

    Attributes
    ----------
    spectrum
        Powers that were measured last; None where the balance was given.

    Raises
    ------
    InputError
        If the physics is no blur, or the voxel size does not fit it.

    References
    ----------
    Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time Series (1949). Whittle,
    Ark. Mat. 2 (1953).
    """

    key: ClassVar[str] = "wiener"
    options_type: ClassVar[type[Options]] = WienerOptions
    options: WienerOptions
    physics: Blur

    def __init__(
        self,
        physics: Physics,
        options: WienerOptions | None = None,
        *,
        noise: Noise | None = None,
        voxel_size: Sequence[float] | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        if not isinstance(physics, Blur):
            raise InputError(
                f"The Wiener filter undoes a blur; {type(physics).__name__} is none.",
                hint="Give a PSF, or choose total variation, which takes any physics.",
            )
        self.voxel_size = checked_voxel(voxel_size, len(physics.image_shape))
        self.spectrum: Spectrum | None = None

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement.

        Parameters
        ----------
        y
            NumPy array or tensor of ``measurement_shape`` (leading axes of length 1 are fine).

        Yields
        ------
        Event
            A ``Notice`` if wrong pixels were repaired, a ``Step`` after each transform, last
            ``Done`` with the result, float32 NumPy.

        Raises
        ------
        InputError
            If the shape does not fit the physics, values are not finite, or there is more than one
            measurement.
        """
        items = as_tensor(y, len(self.physics.measurement_shape))
        if len(items) != 1:
            raise InputError(
                f"One measurement is expected, but {len(items)} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        with memory_guard(pick_device(self.options.device)):
            yield from self._events(items)

    def _estimate(self, y: Tensor) -> Tensor:
        with memory_guard(pick_device(self.options.device)):
            for event in self._events(y):
                if isinstance(event, Done):
                    return torch.from_numpy(event.result)[None, None].to(y.device)
        raise AssertionError("The work ended without a result.")

    def _events(self, y: Tensor) -> Iterator[Event]:
        """Yield the events of one measurement ``(1, 1, *measurement_shape)``."""
        options, physics = self.options, self.physics
        wanted, given = physics.measurement_shape, tuple(y.shape[2:])
        if given != wanted:
            raise InputError(
                f"The measurement has shape {given}, the physics is for {wanted}.",
                hint="Build the physics for the shape of the measurement.",
            )
        y = y.to(torch.float32)
        variance = self._variance(y) if options.balance == "auto" else 0.0
        light = self._repaired(y)[0, 0].to(pick_device(options.device)) - options.background
        yield from self._notices
        yield Step(1, _STEPS)

        circular = physics.boundary == "circular"
        shape = wanted if circular else extended_shape(wanted, physics.psf.shape)
        # The mean is set apart: it has no part in what is a matter of balance.
        mean = float(light.mean())
        wide, kept = extend(light.sub_(mean), shape)
        spectrum = torch.fft.rfftn(wide)
        voxels = wide.numel()
        del light, wide
        yield Step(2, _STEPS)

        transfer = _transfer(physics.psf, shape, spectrum)
        gain = transfer.abs().square_()
        if options.balance == "auto":
            scales = [side / min(self.voxel_size) for side in self.voxel_size]
            squares = squared_frequencies(shape, scales, spectrum.device)
            power = spectrum.abs().square_().div_(voxels)
            self.spectrum = fit_spectrum(power, gain, squares, kept * variance)
            gain.add_(self.spectrum.ratio(squares))
            del power, squares
        else:
            self.spectrum = None
            gain.add_(options.balance * float(gain.max()))
        yield Step(3, _STEPS)

        spectrum.mul_(transfer.conj_physical_()).div_(gain)
        del transfer, gain
        wide = torch.fft.irfftn(spectrum, s=shape)
        image = wide[tuple(slice(n) for n in wanted)].add_(mean / float(physics.psf.sum()))
        if options.positive:
            image.clamp_min_(0)
        image.add_(options.background)
        result = np.array(image.cpu().numpy(), dtype=np.float32, order="C")
        yield Step(_STEPS, _STEPS)
        yield Done(result, _STEPS)

    def _variance(self, y: Tensor) -> float:
        """Return the mean variance of the noise."""
        return float(self._noise_of(y).deviation(surroundings(y)).square().mean())


def _transfer(psf: np.ndarray[Any, Any], shape: Sequence[int], like: Tensor) -> Tensor:
    """Return the half spectrum of the PSF, its centre at the first voxel of ``shape``."""
    placed = np.zeros(tuple(shape), dtype=np.float32)
    where = np.ix_(*((np.arange(k) - k // 2) % n for k, n in zip(psf.shape, shape, strict=True)))
    np.add.at(placed, where, psf.astype(np.float32))  # a PSF larger than the period wraps around
    spectrum: Tensor = torch.fft.rfftn(torch.from_numpy(placed).to(like.device))
    return spectrum
