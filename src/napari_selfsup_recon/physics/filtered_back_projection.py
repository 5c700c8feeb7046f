"""Filtered back-projection for the projectors."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.physics._projector import Projector
from napari_selfsup_recon.physics._sizes import fast_shape

Filter = Literal["ramp", "shepp-logan", "cosine", "hamming", "hann"]


def filtered_back_projection(projector: Projector, y: Tensor, filter: Filter = "ramp") -> Tensor:
    r"""Return the filtered back-projection of the sinogram ``y``.

    .. math:: x = A^T (w \cdot (h * y)), \qquad h_0 = \tfrac14,
              \; h_{2j} = 0, \; h_{2j+1} = -\frac{1}{\pi^2 (2j + 1)^2}

    with w the angle that each view stands for (Kak and Slaney, Principles of Computerized
    Tomographic Imaging, chapter 3). Linear in ``y`` and differentiable to any order.

    Parameters
    ----------
    projector
        A parallel or a fan beam.
    y
        Sinogram ``(batch, channel, angle, detector)``.
    filter
        ``"ramp"``: the sharpest and noisiest. The others weigh high frequencies down, each in the
        list more than the one before.

    Returns
    -------
    Tensor
        Images ``(batch, channel, y, x)``, in units of ``y`` by pixel.

    Raises
    ------
    InputError
        If this is no projector, the sinogram is not its own, or there is no such filter.
    """
    if not isinstance(projector, Projector):
        raise InputError(
            f"Filtered back-projection needs a CT projector, not {type(projector).__name__}.",
            hint="Give a ParallelBeam or a FanBeam; of photon counts, give line integrals.",
        )
    projector._check(y, projector.measurement_shape, "a measurement")
    if filter not in get_args(Filter):
        raise InputError(
            f"There is no filter {filter!r}.", hint=f"Choose from {', '.join(get_args(Filter))}."
        )
    value = y if y.dtype in (torch.float32, torch.float64) else y.float()
    whole, left, right = projector._completed
    cells = whole.detectors
    (length,) = fast_shape([2 * cells])
    key = filter, value.dtype, value.device
    found = projector._filters.get(key)
    if found is None:
        both = projector._fbp_weights()[0], whole._fbp_weights()[1]
        before, after = (torch.from_numpy(w).to(value) for w in both)
        found = projector._filters[key] = before, response(filter, length).to(value), after
    before, gain, after = found
    value = torch.nn.functional.pad(value * before, (left, right))
    filtered = torch.fft.irfft(torch.fft.rfft(value, n=length) * gain, n=length)[..., :cells]
    return whole._back_projector.A_adjoint(filtered * after).to(y.dtype)


def response(filter: Filter, length: int) -> Tensor:
    """Return the filter for the frequencies 0 to 1/2 of a period of ``length``, float64.

    The ramp is the transform of the band-limited kernel, not :math:`|f|` itself, which would shift
    the zero level.
    """
    place = torch.arange(length, dtype=torch.float64)
    place = torch.minimum(place, length - place)
    odd = place % 2 == 1
    kernel = torch.where(odd, -1 / (math.pi * torch.where(odd, place, 1.0)) ** 2, 0.0)
    kernel[0] = 0.25
    ramp: Tensor = torch.fft.rfft(kernel).real
    f = torch.arange(length // 2 + 1, dtype=torch.float64) / length
    window: dict[str, Tensor] = {
        "ramp": torch.ones_like(f),
        "shepp-logan": torch.sinc(f),
        "cosine": torch.cos(math.pi * f),
        "hamming": 0.54 + 0.46 * torch.cos(2 * math.pi * f),
        "hann": 0.5 + 0.5 * torch.cos(2 * math.pi * f),
    }
    return ramp * window[filter]
