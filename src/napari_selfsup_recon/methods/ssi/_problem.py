"""The data of one SSI run: scaled measurements, held-out pixels, physics on windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.indexing import spatial
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.ssi._crops import Canvas, Crop, mirror
from napari_selfsup_recon.methods.ssi._masking import bernoulli, fill, surroundings
from napari_selfsup_recon.methods.ssi._start import Start
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.outliers import find_outliers
from napari_selfsup_recon.training.noise_facts import NoiseFacts

_VISIBLE, _CHOOSES, REPORTS = 0, 1, 2
# Share of the held-out pixels that reports: it is read once, what chooses must be sure every time.
_REPORTING = 1 / 3


@dataclass
class Views:
    """What the network sees and what it is asked.

    Attributes
    ----------
    seen
        ``(n, 1, *window)``: hidden pixels filled from their neighbours.
    target
        ``(n, 1, *target)``: the measurement, as recorded.
    asked
        Boolean, shape of ``target``: hidden pixels that count.
    sigma
        Standard deviation of the noise, shape of ``target``.
    physics
        From windows to targets.
    start, expected
        Where learning starts from an image: its part under the window, and what the whole of it
        predicts for the target. The physics is then that of the window alone, and predicts what a
        change of the window changes.
    """

    seen: Tensor
    target: Tensor
    asked: Tensor
    sigma: Tensor
    physics: Physics
    start: Tensor | None = None
    expected: Tensor | None = None


class Problem:
    """Draws views of the measurements.

    Parameters
    ----------
    physics
        Forward model of the whole measurement.
    y
        Scaled measurements ``(items, 1, *spatial)``.
    noise
        Of these.
    psf
        Of the blur, if it is one: tells single wrong pixels from points.
    window
        Largest window an axis.
    held_out
        Share of pixels that is hidden at every step and never trained on.
    mask_fraction
        Share of pixels hidden at random at each step.
    seed
        Of the held-out pixels and of all later draws.
    device
        Where views are made.
    """

    def __init__(
        self,
        physics: Physics,
        y: Tensor,
        *,
        noise: NoiseFacts,
        psf: np.ndarray[Any, Any] | None = None,
        window: tuple[int, ...],
        held_out: float,
        mask_fraction: float,
        seed: int,
        device: torch.device,
    ) -> None:
        self.physics = physics
        self.y = y
        self.sigma = noise.deviation(surroundings(y))
        self.wrong = find_outliers(y, self.sigma, None if noise.coarse else psf)
        self.device = device
        self.mask_fraction = mask_fraction
        self.starts: list[Start] = []
        self.canvas = Canvas(tuple(y.shape[2:]), physics.margins, window)
        self.role = draw_roles(y.shape, held_out, seed).to(y.device)

    @property
    def never(self) -> Tensor:
        """Boolean, pixels that are never shown or trained on."""
        return self.role > _VISIBLE

    def start_from(self, starts: list[Start], physics: Blur, window: tuple[int, ...]) -> None:
        """Ask from now on for the pixels that were hidden from one of ``starts``.

        Parameters
        ----------
        starts
            The last one knows all but the held-out pixels.
        physics
            The blur of the whole.
        window
            Largest window an axis; it needs no margin, as what lies around it is known.
        """
        self.starts = starts
        self.canvas = Canvas(tuple(self.y.shape[2:]), ((0, 0),) * len(window), window)
        size = self.canvas.size
        # Of the PSF no more than reaches from one end of the window to the other.
        core = tuple(
            slice(max(0, k // 2 - n + 1), k // 2 + n)
            for k, n in zip(physics.psf.shape, size, strict=True)
        )
        self._of_window = Blur(physics.psf[core], size, boundary="zero")

    def training(self, count: int, generator: torch.Generator) -> Views:
        """Return ``count`` random views whose freshly hidden pixels are asked for."""
        crops = [self.canvas.random(len(self.y), generator) for _ in range(count)]
        if self.starts:
            which = torch.randint(len(self.starts) - 1, (count,), generator=generator)
            return self._started(crops, [self.starts[int(n)] for n in which], _VISIBLE)
        masks = [
            bernoulli(
                tuple(s.stop - s.start for s in crop.block),
                self.mask_fraction,
                generator,
                self.device,
            )
            for crop in crops
        ]
        return self._views(crops, masks)

    def scoring(self, most: int) -> list[Crop]:
        """Return fixed windows for the held-out score."""
        return list(self.canvas.grid(len(self.y), most))

    def held_out(self, crops: list[Crop], *, report: bool = False) -> Views:
        """Return views in which exactly the held-out pixels are hidden and asked for."""
        asked = REPORTS if report else _CHOOSES
        if self.starts:
            return self._started(crops, self.starts[-1:] * len(crops), asked)
        return self._views(crops, None, asked)

    def _started(self, crops: list[Crop], starts: list[Start], asked: int) -> Views:
        seen, questions = [], []
        for crop, start in zip(crops, starts, strict=True):
            y, wrong, role, hidden = (
                self._take(array, crop.item, crop.block)
                for array in (self.y, self.wrong, self.role, start.hidden)
            )
            seen.append(fill(y, hidden | wrong))
            questions.append(hidden & (role == asked) & ~(wrong & (role == _VISIBLE)))
        images, expected = (
            [
                self._take(getattr(start, name), crop.item, crop.block)
                for crop, start in zip(crops, starts, strict=True)
            ]
            for name in ("image", "expected")
        )
        targets, deviations = (
            [self._take(array, crop.item, crop.target) for crop in crops]
            for array in (self.y, self.sigma)
        )
        return Views(
            torch.cat(seen),
            torch.cat(targets),
            torch.cat(questions),
            torch.cat(deviations),
            self._of_window,
            torch.cat(images),
            torch.cat(expected),
        )

    def _views(self, crops: list[Crop], masks: list[Tensor] | None, asked: int = _VISIBLE) -> Views:
        seen, targets, questions, deviations = [], [], [], []
        for index, crop in enumerate(crops):
            y = self._take(self.y, crop.item, crop.block)
            wrong = self._take(self.wrong, crop.item, crop.block)
            role = self._take(self.role, crop.item, crop.block)
            hidden = role > _VISIBLE
            if masks is not None:
                fresh = masks[index][None, None]
                question = fresh & ~hidden & ~wrong
                hidden = hidden | fresh
            else:
                question = role == asked
            seen.append(mirror(fill(y, hidden | wrong), crop.before, crop.behind))
            inner = tuple(
                slice(t.start - b.start, t.stop - b.start)
                for t, b in zip(crop.target, crop.block, strict=True)
            )
            targets.append(self._take(self.y, crop.item, crop.target))
            deviations.append(self._take(self.sigma, crop.item, crop.target))
            questions.append(question[spatial(inner)])
        return Views(
            torch.cat(seen),
            torch.cat(targets),
            torch.cat(questions),
            torch.cat(deviations),
            self.physics.restrict(crops[0].target),
        )

    def _take(self, array: Tensor, item: int, block: tuple[slice, ...]) -> Tensor:
        return array[(slice(item, item + 1), slice(None), *block)].to(self.device)


def draw_roles(shape: Sequence[int], held_out: float, seed: int) -> Tensor:
    """Return which pixels choose the best step, which report the score, and which are trained on.

    The same shape, share and seed give the same roles.
    """
    draw = torch.rand(tuple(shape), generator=torch_generator(seed, "held out"))
    roles = torch.zeros(tuple(shape), dtype=torch.uint8)
    roles[draw < held_out] = _CHOOSES
    roles[draw < held_out * _REPORTING] = REPORTS
    return roles
