"""Total variation: sharp edges and even surfaces."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from math import sqrt
from time import perf_counter
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._voxels import checked_voxel
from napari_selfsup_recon.methods.base import ClassicalMethod, as_tensor
from napari_selfsup_recon.methods.total_variation._choice import MORE, START, best_weight, busiest
from napari_selfsup_recon.methods.total_variation._data import Data
from napari_selfsup_recon.methods.total_variation._instrument import (
    INSTRUMENT_RATIO,
    INSTRUMENT_SEARCH,
    is_instrument,
    measured_by,
    working_physics,
)
from napari_selfsup_recon.methods.total_variation._measured import Measured
from napari_selfsup_recon.methods.total_variation._solver import Solver
from napari_selfsup_recon.methods.total_variation._splitting import Splitting
from napari_selfsup_recon.methods.total_variation.options import TotalVariationOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.neighbours import surroundings
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.norm import operator_norm_steps
from napari_selfsup_recon.physics.outliers import repair_outliers
from napari_selfsup_recon.training.device import memory_guard, pick_device

_EVENT_EVERY = 0.2
_PREVIEW_EVERY = 1.0
_FIRST_LOOK = 10
_WATCH_EVERY = 5
_LOOKS = 3
_HELD_OUT = 0.1

Work = Solver | Splitting


class TotalVariation(ClassicalMethod):
    r"""Deconvolve or denoise by total variation.

    .. math:: \min_{0 \le x \le h} \; \sum_i \rho\!\left(\frac{(A x + b)_i - y_i}{\sigma_i}\right)
              + \frac{\lambda \|A\|}{\bar\sigma} \sum_j |\nabla x|_j

    It keeps edges sharp and surfaces even. The data term is robust and knows the noise: residuals
    count in units of the standard deviation at each grey value, large ones only linearly, values
    that the detector cut off say only that they lay beyond, and single wrong pixels say nothing.
    The weight is in units of the noise, so it does not depend on the scale of the grey values; by
    default it is the one that predicts pixels that were left out best.

    Parameters
    ----------
    physics
        Any linear operator. What lies beyond the edge of the measurement is part of the image where
        the physics says so.
    options
        :class:`TotalVariationOptions`.
    noise
        Noise of the measurement; None: estimated.
    voxel_size
        Voxel size an axis, in any common unit: differences along an axis count per length, in units
        of the smallest voxel side. None: all the same.

    Attributes
    ----------
    weight
        The weight that was used last.
    scores
        Held-out score of each weight that was tried last.

    Raises
    ------
    InputError
        If the voxel size does not fit the physics, or the maximum is not above the background.

    References
    ----------
    Rudin, Osher and Fatemi, Physica D 60 (1992). Chambolle and Pock, J. Math. Imaging Vis. 40
    (2011). Over-relaxation: Condat, J. Optim. Theory Appl. 158 (2013). Censored values: Tobin,
    Econometrica 26 (1958).
    """

    key: ClassVar[str] = "total-variation"
    options_type: ClassVar[type[Options]] = TotalVariationOptions
    options: TotalVariationOptions

    def __init__(
        self,
        physics: Physics,
        options: TotalVariationOptions | None = None,
        *,
        noise: Noise | None = None,
        voxel_size: Sequence[float] | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        self.voxel_size = checked_voxel(voxel_size, len(physics.image_shape))
        self._instrument = is_instrument(physics)
        self._unit_physics, self._gain = _of_unit_gain(working_physics(physics))
        self._norms: dict[tuple[int, ...], float] = {}
        self.weight: float | None = None
        self.scores: dict[float, float] = {}
        self._curvature = 0.0
        self._shown = float("inf")  # when a preview was shown last
        # Background that is left in the values, and whether it is added to the image again.
        self._left = self.options.background
        self._kept = self.result_shape == physics.measurement_shape and not (
            self._instrument and physics.observed(torch.zeros(1)) is None
        )
        highest = self.options.maximum
        if highest is not None and highest <= self.options.background:
            raise InputError(
                f"The maximum {highest:g} is not above the background {self.options.background:g}.",
                hint="Give a larger maximum or a smaller background.",
            )

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement.

        Parameters
        ----------
        y
            NumPy array or tensor of ``measurement_shape`` (leading axes of length 1 are fine).

        Yields
        ------
        Event
            The ``Stage`` of looking at the noise, and a ``Notice`` about wrong pixels that were
            left out. Where the weight is chosen a
            ``Stage`` of that name, with a ``Step`` for each weight (its score in ``details``) and a
            ``Notice`` of the choice. Then the ``Stage`` of the reconstruction with a ``Step`` after
            each iteration (its ``details["change"]`` is the change relative to the contrast). A
            ``Preview`` with the first weight that is tried, unless only a window of the image is
            looked at, and then about once a second. Within longer steps an event every 0.2 s or so
            (``finished=False``). Last ``Done`` with the result, float32 NumPy.

        Raises
        ------
        InputError
            If the shape does not fit the physics, values are not finite, there is more than one
            measurement, or the background is above all of it.
        """
        items = as_tensor(y, len(self.physics.measurement_shape), self.physics.channels)
        if len(items) != 1:
            raise InputError(
                f"One measurement is expected, but {len(items)} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        with memory_guard(pick_device(self.options.device)):
            yield from self._events(items)

    def _estimate(self, y: Tensor) -> Tensor:
        with memory_guard(pick_device(self.options.device)):
            for event in self._events(y, show=False):
                if isinstance(event, Done):
                    image = torch.from_numpy(event.result)[None].to(y.device)
                    return image if self.physics.channels is not None else image[None]
        raise AssertionError("The work ended without a result.")

    def _events(self, y: Tensor, *, show: bool = True) -> Iterator[Event]:
        """Yield the events of one measurement ``(1, channels or 1, *measurement_shape)``."""
        options = self.options
        self._shown = float("-inf") if show else float("inf")
        yield Stage("Looking at the noise")
        measured = yield from self._measured(y)
        if measured.noise.outliers:
            share = measured.noise.outliers
            yield Notice(f"{share:.2%} of the pixels were left out (hot, dead or hit).")
        if options.weight == "auto":
            yield Stage("Choosing the weight")
            physics, part = self._window(measured)
            yield from self._norm_of(physics, part)
            work = self._begin(physics, part, START)
            if part is not measured:  # no image to show
                self._shown = float("inf")
            weight = yield from self._predict(work, part.telling)
            if self._instrument:
                why = "measurements"
            else:
                weight = yield from self._try_on_twin(physics, part, work, weight)
                why = "pixels and a simulation"
            del work
            if part is not measured and show:
                self._shown = float("-inf")
            yield Notice(f"Weight {weight:.2g}, chosen by left-out {why}.")
        else:
            weight, self.scores = options.weight, {}
        self.weight = weight
        yield Stage("Total variation", options.iterations)
        yield from self._norm_of(self._unit_physics, measured)
        # From the start again: the same weight, chosen or given, makes the same image.
        work = self._begin(self._unit_physics, measured, weight)
        yield from self._finish(work)

    def _measured(self, y: Tensor) -> Generator[Event, None, Measured]:
        """Return the measurement with what is known of it, on the device of the work."""
        options, physics = self.options, self.physics
        if self._instrument:
            physics._check(y, physics.measurement_shape, "a measurement")
        given = tuple(y.shape[2:])
        if given != physics.measurement_shape:
            raise InputError(
                f"The measurement has shape {given}, the physics is for "
                f"{physics.measurement_shape}.",
                hint="Build the physics for the shape of the measurement.",
            )
        if options.background > 0 and not bool((y > options.background).any()):
            raise InputError(
                f"The background {options.background:g} is above every voxel of the measurement.",
                hint="Give a smaller background.",
            )
        y = y.to(torch.float32)
        if self._instrument:
            values = y.to(pick_device(options.device))
            measured, self._left = measured_by(physics, values, self.noise, options.background)
            yield Step(1, 1)
            return measured
        noise = self._noise_of(y)
        yield Step(1, _LOOKS)
        psf = self._psf if options.repair else None
        repaired = repair_outliers(y, psf, noise=noise)
        yield Step(2, _LOOKS)
        level = surroundings(repaired.values)
        device = pick_device(options.device)
        values, level, wrong = (t[0, 0].to(device) for t in (y, level, repaired.wrong))
        return Measured(values, level, wrong, replace(noise, outliers=repaired.share))

    def _norm_of(self, physics: Physics, measured: Measured) -> Iterator[Event]:
        """Find the largest singular value of the physics, once."""
        shape = physics.measurement_shape
        if shape not in self._norms:
            norm = yield from relay(
                operator_norm_steps(physics, measured.y), lambda now: Step(*now, finished=False)
            )
            if not norm > 0:
                raise InputError("The physics maps every image to zero.", hint="Check the physics.")
            self._norms[shape] = norm

    def _begin(self, physics: Physics, measured: Measured, weight: float) -> Work:
        options = self.options
        robust = options.data == "robust" and not measured.noise.coarse
        data = Data(measured, background=self._left, robust=robust)
        highest = options.maximum
        floor = options.background if self._kept else 0.0
        complex_valued = self.physics.channels is not None
        given: dict[str, Any] = {
            "norm": self._norms[physics.measurement_shape],
            "weight": weight,
            "limits": (
                0.0 if options.positive and not complex_valued else None,
                None
                if highest is None or complex_valued
                else (highest - floor) * self._gain / data.unit,
            ),
            "scales": [min(self.voxel_size) / side for side in self.voxel_size],
        }
        if complex_valued:  # nothing is to be even from real to imaginary part
            given["scales"].insert(0, 0.0)
        if self._instrument:
            return Solver(physics, data, **given, ratio=INSTRUMENT_RATIO)
        if isinstance(physics, Blur) and physics.boundary in ("extended", "circular"):
            return Splitting(physics, data, **given, curvature=self._curvature)
        return Solver(physics, data, **given)

    def _choose(self, measured: Measured) -> Generator[Event, None, None]:
        """Set the weight by left-out pixels alone."""
        physics, part = self._window(measured)
        yield from self._norm_of(physics, part)
        weight = yield from self._predict(self._begin(physics, part, START))
        self.weight = MORE * weight

    def _window(self, measured: Measured) -> tuple[Physics, Measured]:
        """Return the part to choose the weight on, and its physics."""
        if self._instrument:
            return self._unit_physics, measured
        region = busiest(measured.level)
        if region is not None:
            try:
                return self._unit_physics.restrict(region), measured.window(region)
            except InputError:  # this instrument can only be taken whole
                pass
        return self._unit_physics, measured

    def _predict(self, work: Work, telling: Tensor | None = None) -> Generator[Event, None, float]:
        """Return the weight that predicts left-out pixels best; show them in the end."""
        draw = torch.rand(work.data.y.shape, generator=torch_generator("held out"))
        hidden = (draw < _HELD_OUT).to(work.data.y.device)
        work.data.hide(hidden if telling is None else hidden & telling)
        self.scores = {}

        def score_at(weight: float) -> Generator[Event, None, float]:
            yield from self._settle(work, weight)
            score = self.scores[weight] = work.data.score(work.expected)
            yield Step(work.count, work.count, details={"weight": weight, "score": score})
            self.weight = weight
            yield from self._show(work, work.count)
            return score

        given = INSTRUMENT_SEARCH if self._instrument else {}
        weight = yield from best_weight(score_at, **given)
        work.data.show()
        return weight

    def _try_on_twin(
        self, physics: Physics, part: Measured, work: Work, weight: float
    ) -> Generator[Event, None, float]:
        """Return ``weight``, raised towards the one that restores a simulated measurement best.

        Its truth is the image that ``weight`` leads to. What the blur hides from left-out pixels
        shows here; but the truth is evener than any image, so that the way is gone by half.
        """
        yield from self._settle(work, weight)
        self.weight = weight
        yield from self._show(work, work.count)
        truth = physics.field_of_view(work.estimate[None, None])
        clean = work.expected.mul(work.data.unit).add_(self.options.background)
        trial = self._begin(physics, part.twin(clean), weight)

        def error_at(weight: float) -> Generator[Event, None, float]:
            yield from self._settle(trial, weight)
            image = physics.field_of_view(trial.estimate[None, None])
            error = sqrt(float((image - truth).square().mean(dtype=torch.float64)))
            yield Step(trial.count, trial.count, details={"weight": weight, "error": error})
            return error

        best = yield from best_weight(error_at, weight)
        return sqrt(weight * best)

    def _settle(self, work: Work, weight: float) -> Iterator[Event]:
        """Iterate with a weight until the image stands still enough to compare weights."""
        work.reweigh(weight)
        spoken = perf_counter()
        most = work.count + self.options.iterations
        while work.count < most and work.change > work.still_enough:
            for _ in work.step(watch=(work.count + 1) % _WATCH_EVERY == 0):
                if perf_counter() - spoken > _EVENT_EVERY:
                    yield Step(work.count, most, finished=False)
                    spoken = perf_counter()

    def _show(self, work: Work, step: int) -> Iterator[Event]:
        """Show the image, unless that was done just now."""
        if perf_counter() - self._shown >= _PREVIEW_EVERY:
            yield Preview(self._image(work), step)
            self._shown = perf_counter()

    def _finish(self, work: Work) -> Iterator[Event]:
        """Iterate until the image stands still; the last event is ``Done``."""
        total = self.options.iterations
        first = work.count
        began = spoken = perf_counter()
        while work.count - first < total and work.change > work.still:
            for _ in work.step(watch=(work.count + 1) % _WATCH_EVERY == 0):
                if perf_counter() - spoken > _EVENT_EVERY:
                    yield Step(work.count - first, total, finished=False)
                    spoken = perf_counter()
            done = work.count - first
            left = (perf_counter() - began) / done * (total - done)
            yield Step(done, total, seconds_left=left, details={"change": work.change})
            spoken = perf_counter()
            if done >= _FIRST_LOOK:  # before, there is hardly anything to see
                yield from self._show(work, done)
        reason = "converged" if work.change <= work.still else "finished"
        yield Done(self._image(work), work.count - first, reason)

    def _with(self, physics: Physics) -> Self:
        other = super()._with(physics)
        other._unit_physics, other._gain = _of_unit_gain(working_physics(physics))
        other._norms = {}
        return other

    def _image(self, work: Work) -> FloatImage:
        seen = self._unit_physics.field_of_view(work.estimate[None, None])[0, 0]
        image = seen.mul(work.data.unit / self._gain)
        if self._kept:
            image.add_(self.options.background)
        return np.array(image.cpu().numpy(), dtype=np.float32, order="C")


def _of_unit_gain(physics: Physics) -> tuple[Physics, float]:
    """Return a blur by the PSF over its sum, and the sum; other physics and 1 as they are."""
    gain = float(physics.psf.sum()) if isinstance(physics, Blur) else 1.0
    if not isinstance(physics, Blur) or abs(gain - 1) < 1e-6:
        return physics, 1.0
    unit = Blur(physics.psf / gain, physics.measurement_shape, boundary=physics.boundary)
    return unit, gain
