"""Least squares: the image that explains the measurement, stopped before it explains the noise."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from math import sqrt
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._linear import Equations, equations
from napari_selfsup_recon.methods.base import Method, as_tensor
from napari_selfsup_recon.methods.least_squares._iteration import (
    ConjugateGradients,
    Iteration,
    Projected,
    Sirt,
)
from napari_selfsup_recon.methods.least_squares.options import LeastSquaresOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.device import memory_guard, pick_device

_PREVIEW_EVERY = 1.0
_HELD_OUT = 0.1
# The score has to rise for so long before the search ends: iterations, or this part of the best.
_LEAST_PATIENCE, _PATIENCE = 5, 0.3
# At this slope, relative to the first one, an image is as good as that of the minimum.
_FLAT = 1e-4
# Left-out values that are predicted no better than this say nothing (share of their power).
_UNPREDICTED = 0.9
# Values that count less than this are taken to count so much where their noise is drawn.
_LEAST_WEIGHT = 1e-6


class LeastSquares(Method):
    r"""Reconstruct by weighed least squares, iterated and stopped in time.

    .. math:: \min_x \sum_i w_i \, (A x - y)_i^2, \qquad x \ge 0

    The iteration starts from 0, so that what the instrument does not see stays 0. Details come in
    the order in which they are measured well, noise last: stopping is what keeps it out. By default
    a tenth of the measured values is left out first; how many iterations predict these best, and
    how many restore a simulated measurement best, make the choice. Where values say nothing of each
    other (masks, k-space) the iteration runs until it stands still, which it does at once.

    Photon counts (``Transmission``) are taken as line integrals, weighed by their variance.

    Parameters
    ----------
    physics
        Any linear operator, or ``Transmission``.
    options
        :class:`LeastSquaresOptions`.
    noise
        Noise of photon counts; None: gain 1 and no other noise. Of no account elsewhere.

    Attributes
    ----------
    iterations
        Iterations that were used last.
    scores
        Held-out score of each iteration that was tried last, relative to that of a black image.

    References
    ----------
    Hestenes and Stiefel, J. Res. Natl. Bur. Stand. 49 (1952). Gilbert, J. Theor. Biol. 36 (1972).
    Nesterov, Sov. Math. Dokl. 27 (1983). O'Donoghue and Candès, Found. Comput. Math. 15 (2015).
    """

    key: ClassVar[str] = "least-squares"
    options_type: ClassVar[type[Options]] = LeastSquaresOptions
    options: LeastSquaresOptions

    def __init__(
        self,
        physics: Physics,
        options: LeastSquaresOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        self.iterations: int | None = None
        self.scores: dict[int, float] = {}

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement.

        Parameters
        ----------
        y
            NumPy array or tensor of ``measurement_shape``, with the channels of complex values
            before it (leading axes of length 1 are fine).

        Yields
        ------
        Event
            Where the iterations are chosen a ``Stage`` of that name, a ``Step`` for each with the
            held-out ``score`` or the ``error`` of the simulation in ``details``, and a ``Notice``
            of the choice. Then the ``Stage`` of
            the reconstruction, a ``Step`` after each iteration (``details["misfit"]``: root mean
            square of the residuals in units of the measurement), a ``Preview`` about once a second,
            last ``Done`` with the result, float32 NumPy.

        Raises
        ------
        InputError
            If the shape does not fit the physics, values are not finite, or there is more than one
            measurement.
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
        """Yield the events of one measurement ``(1, channel, *measurement_shape)``."""
        physics, options = self.physics, self.options
        physics._check(y, physics.measurement_shape, "a measurement")
        device = pick_device(options.device)
        problem = equations(physics, y.to(device, torch.float32), self.noise)
        weights = problem.weights()
        if options.iterations == "auto":
            yield Stage("Choosing the iterations", options.max_iterations)
            total = yield from self._chosen(problem, weights)
        else:
            total, self.scores = options.iterations, {}
        self.iterations = total
        yield Stage("Least squares", total)
        work = self._begin(problem, weights)
        began, shown = perf_counter(), float("-inf")
        reason = "finished"
        while work.count < total:
            work.step()
            left = (perf_counter() - began) / work.count * (total - work.count)
            yield Step(work.count, total, seconds_left=left, details={"misfit": work.misfit})
            if work.flatness < _FLAT:
                reason = "converged"
                break
            if show and work.count < total and perf_counter() - shown >= _PREVIEW_EVERY:
                yield Preview(self._image(work), work.count)
                shown = perf_counter()
        self.iterations = work.count
        yield Done(self._image(work), work.count, reason)

    def _begin(self, problem: Equations, weights: Tensor) -> Iteration:
        positive = self.options.positive and problem.physics.channels is None
        given = problem.physics, problem.values, weights
        if self.options.solver == "sirt":
            return Sirt(*given, positive=positive)
        return Projected(*given) if positive else ConjugateGradients(*given)

    def _chosen(self, problem: Equations, weights: Tensor) -> Generator[Event, None, int]:
        """Return how many iterations to do.

        Left-out values lie behind the instrument, which hides noise of the image from them: they
        ask for too many. The image that predicts them best is then taken for a truth, measured with
        noise as strong as the residuals say, and iterated towards; it is evener than any image and
        asks for too few. The way is gone by half.
        """
        most = self.options.max_iterations
        draw = torch.rand(weights.shape[2:], generator=torch_generator("held out"))
        hidden = torch.where((draw < _HELD_OUT).to(weights.device), weights, 0.0)
        power = float((hidden * problem.values.square()).sum(dtype=torch.float64))
        work = self._begin(problem, weights - hidden)
        self.scores = scores = {}
        best, lowest, truth, within = 0, 1.0, work.x, 0.0
        while work.count < most and power > 0:
            work.step()
            off = hidden * (work.expected - problem.values).square()
            score = scores[work.count] = float(off.sum(dtype=torch.float64)) / power
            if score < lowest:
                best, lowest, truth, within = work.count, score, work.x.clone(), work.misfit
            yield Step(work.count, most, details={"score": score})
            if work.flatness < _FLAT or _in_vain(work.count, best):
                break
        if lowest > _UNPREDICTED:
            yield Notice("Left-out values cannot be predicted: iterated until nothing changes.")
            return most
        # With h degrees of freedom a value residuals are 1 - h of those that are left out, and the
        # variance of the noise is their product.
        beyond = (lowest * power / float(hidden.sum(dtype=torch.float64))) ** 0.5
        level = (within * beyond) ** 0.5
        fewest = yield from self._on_twin(problem, weights, truth, level)
        total = max(1, round(sqrt(best * fewest)))
        yield Notice(f"{total} iterations, chosen by left-out values and a simulation.")
        return total

    def _on_twin(
        self, problem: Equations, weights: Tensor, truth: Tensor, level: float
    ) -> Generator[Event, None, int]:
        """Return the iteration that comes closest to ``truth`` from a simulated measurement of it.

        ``level`` is the standard deviation of the noise of a value that counts fully.
        """
        most = self.options.max_iterations
        with torch.no_grad():
            clean = problem.physics.A(truth)
        noise = torch.randn(clean.shape, generator=torch_generator("twin")).to(clean)
        spread = weights.clamp_min(_LEAST_WEIGHT).rsqrt().mul_(level)
        work = self._begin(replace(problem, values=clean + spread * noise), weights)
        best, lowest = 1, float("inf")
        while work.count < most:
            work.step()
            error = float((work.x - truth).square().mean(dtype=torch.float64)) ** 0.5
            if error < lowest:
                best, lowest = work.count, error
            yield Step(work.count, most, details={"error": error})
            if work.flatness < _FLAT or _in_vain(work.count, best):
                break
        return best

    def _image(self, work: Iteration) -> FloatImage:
        image = self.physics.field_of_view(work.x)[0]
        image = image[0] if self.physics.channels is None else image
        return np.array(image.cpu().numpy(), dtype=np.float32, order="C")


def _in_vain(count: int, best: int) -> bool:
    """Return whether nothing has become better for long."""
    return count - best > max(_LEAST_PATIENCE, _PATIENCE * best)
