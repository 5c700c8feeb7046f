"""A measurement of which some entries are hidden, and measurements as linear equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.random import numpy_generator
from napari_selfsup_recon.losses.consistency import weighted_mean
from napari_selfsup_recon.methods._recon._slab import Slab
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.mri import MRI
from napari_selfsup_recon.physics.neighbours import fill
from napari_selfsup_recon.physics.noise import Noise

_FEWEST_VIEWS = 8
_MIDDLE = 32  # part of the lines of k-space, on either side of the middle one
_MOST, _STEPS = 16, 16  # the largest such part that is looked for, and in how many steps


@dataclass(frozen=True)
class Equations:
    """A measurement as weighed linear equations ``operator.A(x) = values``.

    Attributes
    ----------
    operator
        A linear operator.
    values
        ``(batch, channel, *measurement_shape)``.
    weight
        How much each counts, at most 1; None: all the same.
    """

    operator: Physics
    values: Tensor
    weight: Tensor | None = None


def equations(physics: Physics, y: Tensor) -> Equations:
    """Return what ``y`` says of the image, linear also where photons were counted."""
    if isinstance(physics, Partial):
        if physics.linear:
            return Equations(physics, y)
        whole = equations(physics.inner, y)
        assert whole.weight is not None
        return Equations(whole.operator, whole.values, whole.weight * physics.keep)
    if physics.linear:
        return Equations(physics, y)
    counts: Any = physics
    # The variance of a logarithm of N photons is 1/N.
    weight = (y.detach() / counts.I0).clamp(0, 1)
    return Equations(counts.projector, counts.line_integrals(y) / counts.attenuation, weight)


def noise_level(physics: Physics, y: Tensor, noise: Noise) -> float:
    """Return the mean variance of the weighed equations of ``y`` where this is recorded."""
    variance = noise.variance(y)
    if not physics.linear:
        counts: Any = physics
        weight = equations(physics, y).weight
        assert weight is not None
        variance = weight * variance / (y.clamp_min(1.0) * counts.attenuation).square()
    return float(weighted_mean(variance, physics.observed(y)))


class Partial(Physics):
    """An instrument of which some entries were not recorded.

    Parameters
    ----------
    inner
        The instrument.
    keep
        1 where an entry is recorded and 0 where it is hidden,
        broadcasts over ``(batch, channel, *measurement_shape)``.
    """

    def __init__(self, inner: Physics, keep: Tensor) -> None:
        super().__init__(inner.image_shape, inner.measurement_shape)
        self.inner, self.keep = inner, keep
        self.channels, self.items = inner.channels, inner.items
        self.linear = inner.linear  # type: ignore[misc]

    def A(self, x: Tensor) -> Tensor:
        """Return the measurement with zeros where entries are hidden."""
        return self.inner.A(x) * self.keep.to(x)

    def A_adjoint(self, y: Tensor) -> Tensor:
        """Return the transpose."""
        return self.inner.A_adjoint(y * self.keep.to(y))

    def A_dagger(self, y: Tensor) -> Tensor:
        """Return the inverse of the instrument; hidden entries are filled from neighbours."""
        image: Tensor = self.inner.A_dagger(self._filled(y))
        return image

    def at(self, items: Any) -> Partial:
        """Return the instrument of some images of the batch, where each has its own."""
        return Partial(self.inner.at(items), self.keep)

    def observed(self, like: Tensor) -> Tensor:
        """Return which entries are recorded."""
        inner = self.inner.observed(like)
        keep = self.keep.to(like)
        return keep if inner is None else keep * inner

    def _filled(self, y: Tensor) -> Tensor:
        keep = self.keep.to(y)
        if self.inner.observed(y) is not None:  # entries that are missing are zero by nature
            return y * keep
        if has_views(self.inner):
            return _between_views(y, keep)
        if self.inner.image_shape == self.inner.measurement_shape:
            hidden = (keep < 0.5).expand_as(y)
            return fill(y.flatten(0, 1)[:, None], hidden.flatten(0, 1)[:, None]).reshape(y.shape)
        return y * keep

    def _forward(self, x: Tensor) -> Tensor:
        return self.A(x)

    def _adjoint(self, y: Tensor) -> Tensor:
        return self.A_adjoint(y)


def has_views(physics: Physics) -> bool:
    """Return whether the measurement is a sinogram, ``(angle, detector)``."""
    return hasattr(physics, "angles") or hasattr(physics, "projector")


def sharpened(y: Tensor) -> Tensor:
    """Return sinograms filtered so that their energy is that of their image.

    A detail of n waves across the detector is measured in each of the views, and is one of about n
    around the circle of its frequency: the root of the ramp of filtered back-projection.
    """
    n = y.shape[-1]
    spectrum = torch.fft.rfft(y, n=2 * n)
    ramp = torch.arange(n + 1, dtype=y.dtype, device=y.device)
    filtered: Tensor = torch.fft.irfft(spectrum * (ramp / ramp.mean()).sqrt(), n=2 * n)
    return filtered[..., :n]


def _between_views(y: Tensor, keep: Tensor) -> Tensor:
    """Fill hidden views by interpolation along the angles; the order of angles is taken as is."""
    views = keep.reshape(-1, *keep.shape[-2:])[0].amax(-1) > 0.5
    known = torch.nonzero(views).flatten().cpu().numpy()
    every = np.arange(len(views))
    after = np.searchsorted(known, every).clip(0, len(known) - 1)
    before = (np.searchsorted(known, every, side="right") - 1).clip(0, len(known) - 1)
    first, last = known[before], known[after]
    part = np.where(last > first, (every - first) / np.maximum(1, last - first), 0.0)
    share = torch.from_numpy(part).to(y)[:, None]
    low, high = (y.index_select(-2, torch.from_numpy(i).to(y.device)) for i in (first, last))
    return low * (1 - share) + high * share


def hide(physics: Physics, hidden: Tensor) -> Partial:
    """Return the instrument without some more entries, given as ones."""
    if isinstance(physics, Partial):
        return Partial(physics.inner, physics.keep * (1 - hidden))
    return Partial(physics, 1 - hidden)


def draw_split(physics: Physics, like: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Return which entries to hide, as ones, ``(1, 1 or slab, *measurement_shape)``.

    Whole projections of a sinogram, whole lines of k-space (but of its middle none), single
    entries else. In slabs they are hidden from all slices where all share an instrument, and from
    each slice others where each has one of its own: as what is really missing is.

    Parameters
    ----------
    physics
        The instrument.
    like
        A measurement ``(batch, channel, *measurement_shape)``.
    share
        Of the entries.
    generator
        Random generator on the CPU.
    """
    whole = physics.inner if isinstance(physics, Partial) else physics
    shape = whole.measurement_shape
    hidden = torch.zeros(shape)
    if has_views(whole) and shape[0] >= _FEWEST_VIEWS:
        count = max(1, round(share * shape[0]))
        hidden[torch.randperm(shape[0], generator=generator)[:count]] = 1
    elif isinstance(whole, MRI):
        hidden = _lines(whole, share, generator).expand(shape).clone()
    else:
        own = whole.members[0] if isinstance(whole, Slab) else (0,)
        hidden = (torch.rand((len(own), *shape), generator=generator) < share).to(hidden)
    hidden = (hidden if hidden.ndim > len(shape) else hidden[None])[None].to(like)
    observed = physics.observed(like)
    return hidden if observed is None else hidden * observed


def middle_reach(physics: MRI) -> tuple[int, ...]:
    """Return how far k-space is sampled without a gap on either side of its middle, axis by axis.

    At most an eighth of an axis altogether; 0 along axes that are sampled throughout, and
    everywhere where there is a gap.
    """
    mask = torch.tensor(physics.mask).reshape(-1, *physics.image_shape).all(0)
    axes = _undersampled(physics)
    for part in range(_STEPS, 0, -1):
        reach = [n * part // (_MOST * _STEPS) for n in mask.shape]
        box = tuple(
            slice(n // 2 - far, n // 2 + far + 1) if axis in axes else slice(None)
            for axis, (n, far) in enumerate(zip(mask.shape, reach, strict=True))
        )
        if bool(mask[box].all()):
            return tuple(far if axis in axes else 0 for axis, far in enumerate(reach))
    return (0,) * mask.ndim


def _undersampled(physics: MRI) -> list[int]:
    """Return the axes along which the mask of k-space changes."""
    mask = torch.tensor(physics.mask).reshape(-1, *physics.image_shape)
    return [
        axis
        for axis in range(len(physics.image_shape))
        if not bool((mask == mask.narrow(1 + axis, 0, 1)).all())
    ]


def _lines(physics: MRI, share: float, generator: torch.Generator) -> Tensor:
    """Return hidden lines across the axis of k-space that is undersampled, or single samples."""
    axes = _undersampled(physics)
    shape = [n if axis in axes else 1 for axis, n in enumerate(physics.image_shape)]
    drawn = (torch.rand(shape, generator=generator) < share).float()
    # All frequencies that are low along each undersampled axis.
    middle = []
    for n, known in zip(shape, middle_reach(physics), strict=True):
        reach = max(1, n // _MIDDLE)
        first, last = n // 2 - max(reach, known), n // 2 + max(reach, known + 1)
        middle.append(slice(None) if n == 1 else slice(first, last))
    drawn[tuple(middle)] = 0
    return drawn


def draw_entries(physics: Physics, like: Tensor, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return which entries choose and which report, each about ``share / 2`` of all, as 1 or 0.

    Whole projections where there are enough of them, single entries else; they are the same for
    all images and channels.

    Parameters
    ----------
    physics
        The instrument.
    like
        A measurement ``(batch, channel, *measurement_shape)``.
    share
        Of the entries that are recorded.
    seed
        Of the draw.
    """
    shape = physics.measurement_shape
    random = numpy_generator(seed, "held out")
    role = np.zeros(shape, int)
    if has_views(physics) and shape[0] >= _FEWEST_VIEWS:
        count = max(2, round(share * shape[0]))
        # Evenly spread, so that no wide gap opens; never the first, beyond which nothing is known.
        spread = np.linspace(0, shape[0], count + 2)[1:-1].astype(int)
        for number, view in enumerate(np.unique(spread)):
            role[view] = 1 + number % 2
    else:
        draw = random.random(shape)
        role[draw < share] = 1
        role[draw < share / 2] = 2
    roles = torch.from_numpy(role).to(like.device)[None, None]
    chooses, reports = ((roles == n).to(like.dtype) for n in (1, 2))
    # Where each image has a mask of its own its other entries are zero, and predicted to be zero.
    observed = physics.observed(like) if physics.items is None else None
    if observed is not None:
        chooses, reports = chooses * observed, reports * observed
    return chooses, reports
