"""Where the learning of volumes starts: total variation of first and second order.

Each start is made without the voxels that are hidden from it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor

from napari_selfsup_recon.core.events import Event, Preview, Stage, Step
from napari_selfsup_recon.core.indexing import spatial
from napari_selfsup_recon.core.parabola import Parabola
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.inference.tiles import tiles
from napari_selfsup_recon.methods.total_variation._choice import MORE, best_weight
from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.methods.total_variation._measured import Measured
from napari_selfsup_recon.methods.total_variation._splitting import Splitting
from napari_selfsup_recon.methods.total_variation.method import TotalVariation
from napari_selfsup_recon.methods.total_variation.options import TotalVariationOptions
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.neighbours import fill, surroundings
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.physics.norm import operator_norm
from napari_selfsup_recon.training.scaling import Scaling

# Sets of hidden voxels, and the share of all voxels that each of them hides.
FOLDS = 3
# Larger volumes are learned on their busiest part, and started from part by part.
MOST_VOXELS = 6_000_000
_HALO = 12
_SHARE = 0.2
_ITERATIONS = 50
# Of the curvature, beside the differences: 0.15 to 0.45 dB better on volumes in no benchmark.
_CURVATURE = 0.6
_STILL = 8e-3


@dataclass(frozen=True, eq=False)
class Start:
    """An image from the visible voxels alone, and what it predicts for all.

    Attributes
    ----------
    hidden
        Boolean ``(items, 1, *spatial)``: voxels that the image knows nothing of.
    image, expected
        Same shape, scaled like the measurement.
    """

    hidden: Tensor
    image: Tensor
    expected: Tensor


class Starter:
    """Makes starts for measurements ``(items, 1, *spatial)`` of one instrument.

    Parameters
    ----------
    physics
        The blur, what lies beyond the measurement taken as unknown.
    noise
        Of the scaled measurements.
    gain
        Of the blur: images are as bright as the measurement.
    limits
        Smallest and largest value of images, None where there is none.
    voxel_size
        Voxel size an axis.
    settled
        Whether the smallest value is known. Else it may be raised to the darkest level, where that
        predicts left-out voxels better.
    weight
        Of the total variation; None: chosen with the first measurement.
    device
        Where the choice is made.
    """

    def __init__(
        self,
        physics: Blur,
        noise: NoiseEstimate,
        *,
        gain: float,
        limits: tuple[float | None, float | None],
        voxel_size: tuple[float, ...],
        settled: bool,
        weight: float | None = None,
        device: str,
    ) -> None:
        self.physics, self.noise, self.weight = physics, noise, weight
        self._voxel_size = voxel_size
        self._settled = settled or noise.clipped_low is not None
        self._gain = gain
        # Of images in front of the blur.
        self._limits = _over(limits, gain)
        self._device = device
        self._norms: dict[tuple[int, ...], float] = {}

    @property
    def low(self) -> float | None:
        """Smallest value of images."""
        low = self._limits[0]
        return None if low is None else low * self._gain

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-safe dictionary of what was found out."""
        return {"weight": self.weight, "noise": asdict(self.noise)}

    def folds(
        self, y: Tensor, wrong: Tensor, never: Tensor, seed: int
    ) -> Generator[Event, None, list[Start]]:
        """Return a start for each set of hidden voxels, and last one that hides ``never`` alone.

        That one is made first, and shown where there is a single measurement (:func:`in_units`).

        Parameters
        ----------
        y
            Scaled measurements.
        wrong
            Boolean, voxels that say nothing.
        never
            Boolean, voxels that no start may know.
        seed
            Of the sets.
        """
        if self.weight is None:
            yield Stage("Choosing the smoothness to start from")
            yield from self._choose(y[:1], wrong[:1])
        draw = torch.rand(y.shape, generator=torch_generator(seed, "folds")).to(y.device)
        sets = [(draw >= k * _SHARE) & (draw < (k + 1) * _SHARE) | never for k in range(FOLDS)]
        sets.insert(0, never)
        starts = []
        for number, hidden in enumerate(sets):
            yield Stage("Making a first image", _ITERATIONS * len(y), number, len(sets))
            image, expected = yield from self.solve(y, wrong, hidden)
            starts.append(Start(hidden, image, expected))
            if not number and len(y) == 1:
                yield Preview(image[0, 0].cpu().numpy(), 0)
        return [*starts[1:], starts[0]]

    def solve(
        self, y: Tensor, wrong: Tensor, hidden: Tensor | None = None
    ) -> Generator[Event, None, tuple[Tensor, Tensor]]:
        """Return image and expected measurement ``(items, 1, *spatial)``, blind to ``hidden``."""
        assert self.weight is not None
        physics = self._for(y)
        images, expected = [], []
        for item in range(len(y)):
            one = slice(item, item + 1)
            work = self._begin(physics, y[one], wrong[one], None if hidden is None else hidden[one])
            while work.count < _ITERATIONS and work.change > _STILL:
                for _ in work.step(watch=work.count % 5 == 4):
                    yield Step(work.count, _ITERATIONS, finished=False)
            unit = work.data.unit
            images.append(physics.field_of_view(work.estimate[None, None]) * (unit * self._gain))
            expected.append(work.expected[None, None] * unit)
        return torch.cat(images), torch.cat(expected)

    def whole(self, y: Tensor, wrong: Tensor) -> Generator[Event, None, Tensor]:
        """Return the image for one measurement of any size."""
        shape = tuple(y.shape[2:])
        core = list(shape)
        while prod(core) > MOST_VOXELS:
            longest = core.index(max(core))
            core[longest] = -(-core[longest] // 2)
        image = torch.empty_like(y)
        for tile in tiles(shape, core, [_HALO] * len(shape), [1] * len(shape)):
            read = spatial(tile.read)
            part, _ = yield from self.solve(y[read], wrong[read])
            image[spatial(tile.put)] = part[spatial(tile.keep)]
        return image

    def _begin(self, physics: Blur, y: Tensor, wrong: Tensor, hidden: Tensor | None) -> Splitting:
        assert self.weight is not None
        measured = self._measured(y, wrong if hidden is None else wrong | hidden)
        data = Data(measured, background=0.0, robust=not self.noise.coarse)
        key = physics.measurement_shape
        if key not in self._norms:
            self._norms[key] = operator_norm(physics, data.y)
        return Splitting(
            physics,
            data,
            norm=self._norms[key],
            weight=self.weight,
            limits=_over(self._limits, data.unit),
            scales=[min(self._voxel_size) / side for side in self._voxel_size],
            curvature=_CURVATURE,
        )

    def _measured(self, y: Tensor, silent: Tensor) -> Measured:
        # What is not to be known must not show in the noise of its neighbours either.
        filled = fill(y, silent)
        return Measured(filled[0, 0], surroundings(filled)[0, 0], silent[0, 0], self.noise)

    def _choose(self, y: Tensor, wrong: Tensor) -> Generator[Event, None, None]:
        low, high = self._limits
        options = TotalVariationOptions(positive=low is not None, maximum=high, device=self._device)
        chooser = TotalVariation(self._for(y), options, voxel_size=self._voxel_size)
        chooser._curvature = _CURVATURE
        measured = self._measured(y, wrong)
        yield from self._quietly(chooser._choose(measured))
        self.weight = chooser.weight
        dark = self.noise.offset / self._gain
        if low is not None and low < dark and not self._settled:
            yield from self._quietly(self._raise(chooser, measured, low, dark))

    def _raise(
        self, chooser: TotalVariation, measured: Measured, low: float, dark: float
    ) -> Iterator[Event]:
        """Raise the smallest value towards the darkest level, as far as left-out voxels agree."""
        assert self.weight is not None
        physics, part = chooser._window(measured)
        yield from chooser._norm_of(physics, part)
        work = chooser._begin(physics, part, self.weight)
        assert isinstance(work, Splitting)
        draw = torch.rand(work.data.y.shape, generator=torch_generator("smallest value"))
        work.data.hide((draw < _SHARE).to(work.data.y.device))

        def score_at(way: float) -> Generator[Event, None, float]:
            limits = low + way * (dark - low), self._limits[1]
            # The chooser works with a blur that keeps the light.
            work.confine(_over(limits, work.data.unit / self._gain))
            yield from chooser._settle(work, work.weight)
            return work.data.score(work.expected)

        scores: dict[float, float] = {}
        for way in (0.0, 0.5, 1.0):
            scores[way] = yield from score_at(way)
        if 0 < (between := Parabola(*scores.values()).lowest) < 1:
            scores[between] = yield from score_at(between)
        best = min(scores, key=scores.__getitem__)
        if not best:
            return
        yield from score_at(best)
        self._limits = low + best * (dark - low), self._limits[1]

        # What positivity holds down need not be smoothed as much.
        def score_of(weight: float) -> Generator[Event, None, float]:
            yield from chooser._settle(work, weight)
            return work.data.score(work.expected)

        self.weight = MORE * (yield from best_weight(score_of, self.weight / MORE))

    @staticmethod
    def _quietly(events: Iterator[Event]) -> Iterator[Event]:
        """Yield events, none of which is a step of the training."""
        for event in events:
            yield replace(event, finished=False) if isinstance(event, Step) else event

    def _for(self, y: Tensor) -> Blur:
        shape = tuple(y.shape[2:])
        if shape == self.physics.measurement_shape:
            return self.physics
        return Blur(self.physics.psf, shape)


def in_units(event: Event, scaling: Scaling) -> Event:
    """Return a preview of scaled values in grey values, and other events as they are."""
    if not isinstance(event, Preview):
        return event
    return replace(event, image=scaling.invert(torch.from_numpy(event.image)).numpy())


def _over(
    limits: tuple[float | None, float | None], unit: float
) -> tuple[float | None, float | None]:
    low, high = limits
    return None if low is None else low / unit, None if high is None else high / unit
