"""Lucy-Richardson: the classic way to sharpen, in seconds."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.generators import exhaust
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.methods.base import ClassicalMethod, as_tensor
from napari_selfsup_recon.methods.richardson_lucy._iteration import Iteration
from napari_selfsup_recon.methods.richardson_lucy._twin import Choice, Twins
from napari_selfsup_recon.methods.richardson_lucy.options import RichardsonLucyOptions
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, estimate_noise
from napari_selfsup_recon.training.device import memory_guard, pick_device

_EVENT_EVERY = 0.2
_PREVIEW_EVERY = 1.0
_WITHOUT_NOISE = 10
_FEW = 5
_LOOK = 4
_UNAIDED = "; so few are not accelerated"


class RichardsonLucy(ClassicalMethod):
    r"""Lucy-Richardson deconvolution.

    .. math:: x \leftarrow \frac{x}{A^T 1} \, A^T \frac{y}{A x + b}

    It climbs the likelihood of photon noise and keeps the image non-negative. What lies beyond the
    edge of the measurement is part of the image where the physics says so
    (``Blur(..., boundary="extended")``), so that nothing piles up at the border; voxels that the
    measurement hardly sees stay dark. The iteration starts from a flat image. Noise grows with the
    iterations, so they are stopped early: by default where it is best for a simulated twin of the
    measurement (:class:`~napari_selfsup_recon.methods.richardson_lucy._twin.Twins`).

    Parameters
    ----------
    physics
        Any operator with non-negative entries, for example ``Blur`` or ``Identity``.
    options
        :class:`RichardsonLucyOptions`.
    noise
        Noise of the measurement, for wrong pixels and twins; None: estimated.

    Attributes
    ----------
    iterations
        Iterations that were used last.
    accelerated
        Whether they were accelerated: where few are chosen they are not.

    Raises
    ------
    InputError
        If the PSF of a blur has negative values.

    Notes
    -----
    Negative values of the measurement count as zero. The result keeps the zero level of the
    measurement: ``background`` is modelled apart from the image and added back at the end, so that
    results of all methods can be compared with each other and with the measurement.

    References
    ----------
    Richardson, J. Opt. Soc. Am. 62 (1972). Lucy, Astron. J. 79 (1974). Boundary: Bertero and
    Boccacci, Astron. Astrophys. 437 (2005). Acceleration: Meinel, J. Opt. Soc. Am. A 3 (1986);
    Biggs and Andrews, Appl. Opt. 36 (1997).
    """

    key: ClassVar[str] = "richardson-lucy"
    options_type: ClassVar[type[Options]] = RichardsonLucyOptions
    options: RichardsonLucyOptions

    def __init__(
        self,
        physics: Physics,
        options: RichardsonLucyOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        if isinstance(physics, Blur) and physics.psf.min() < 0:
            raise InputError(
                f"The PSF has negative values (down to {physics.psf.min():.3g}); light cannot be "
                "negative.",
                hint="Subtract its background with psf.prepare, or clip it at 0.",
            )
        self.iterations: int | None = None
        self.accelerated = self.options.acceleration

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement.

        Parameters
        ----------
        y
            NumPy array or tensor of ``measurement_shape`` (leading axes of length 1 are fine).

        Yields
        ------
        Event
            A ``Notice`` about wrong pixels that were repaired. Where the number of iterations is
            chosen a ``Stage`` of that name, with a ``Step`` for each twin (in ``details`` how far
            its ``object`` was iterated and the ``best`` iteration for it), a ``Notice`` of the
            choice, and the ``Stage`` of the iterations. A ``Step`` after each of them; its
            ``details["divergence"]`` is the misfit per voxel. At least every 0.2 s or so also a
            ``Step`` within one that takes longer (``finished=False``). A ``Preview`` (the whole
            field of view) after the first iteration, or a few where their number is chosen, which
            takes longer; then about once a second. Last ``Done`` with the result, float32 NumPy.

        Raises
        ------
        InputError
            If the shape does not fit the physics, values are not finite, or there is more than one
            measurement.
        """
        item = self._item(y)
        with memory_guard(pick_device(self.options.device)):
            yield from self._run(item)

    def _estimate(self, y: Tensor) -> Tensor:
        with memory_guard(pick_device(self.options.device)):
            recorded = self._checked(y)
            repaired = self._repaired(recorded)
            total, accelerate = exhaust(self._total(recorded, repaired))
            work = self._start(repaired, accelerate)
            while work.count < total:
                for _ in work.step():
                    pass
            return self._result(work)[None, None].to(y.device)

    def _item(self, y: Any) -> Tensor:
        items = as_tensor(y, len(self.physics.measurement_shape))
        if len(items) != 1:
            raise InputError(
                f"One measurement is expected, but {len(items)} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        return items

    def _checked(self, y: Tensor) -> Tensor:
        wanted, given = self.physics.measurement_shape, tuple(y.shape[2:])
        if given != wanted:
            raise InputError(
                f"The measurement has shape {given}, the physics is for {wanted}.",
                hint="Build the physics for the shape of the measurement.",
            )
        background = self.options.background
        if background > 0 and not bool((y > background).any()):
            raise InputError(
                f"The background {background:g} is above every voxel of the measurement.",
                hint="Give a smaller background.",
            )
        return y.to(torch.float32)

    def _start(self, y: Tensor, accelerate: bool) -> Iteration:
        item = y[0, 0].to(pick_device(self.options.device))
        background = self.options.background
        return Iteration(self.physics, item, background=background, accelerate=accelerate)

    def _total(
        self, recorded: Tensor, repaired: Tensor
    ) -> Generator[Event, None, tuple[int, bool]]:
        """Return how many iterations to do, and whether accelerated, choosing if that is wanted."""
        accelerate = self.options.acceleration
        if isinstance(self.options.iterations, int):
            total = self.options.iterations
        else:
            total, accelerate = yield from self._chosen(recorded, repaired)
        self.iterations, self.accelerated = total, accelerate
        return total, accelerate

    def _chosen(
        self, recorded: Tensor, repaired: Tensor
    ) -> Generator[Event, None, tuple[int, bool]]:
        options = self.options
        noise = self._noise_of(recorded)
        if noise.sigma == noise.gain == 0:
            total = min(_WITHOUT_NOISE, options.max_iterations)
            yield Notice(f"{total} iterations: there is no noise that asks for an end.")
            return total, options.acceleration
        if not options.repair and self._psf is not None:
            wrong = estimate_noise(recorded, psf=self._psf).outliers
            noise = replace(noise, outliers=wrong)
        yield Stage("Choosing the iterations")
        choice = yield from self._choose(repaired, noise, options.acceleration)
        few = options.acceleration and choice.iterations <= _FEW
        if few:
            # Accelerated, one of the first steps more or less may cost half a decibel.
            choice = yield from self._choose(repaired, noise, False)
        yield Notice(f"{choice.iterations} iterations, {_why(choice)}{_UNAIDED if few else ''}.")
        yield Stage("Lucy-Richardson", choice.iterations)
        return choice.iterations, options.acceleration and not few

    def _choose(
        self, y: Tensor, noise: NoiseEstimate, accelerate: bool
    ) -> Generator[Event, None, Choice]:
        """Choose, telling of every twin, and that there is progress in between."""
        twins = Twins(
            self.physics,
            y[0, 0].to(pick_device(self.options.device)),
            noise,
            background=self.options.background,
            accelerate=accelerate,
            most=self.options.max_iterations,
        )
        work = twins.choose()
        tried, spoken = 0, perf_counter()
        while True:
            try:
                seen = next(work)
            except StopIteration as end:
                choice: Choice = end.value
                return choice
            if seen is not None:
                tried += 1
                details = {"object": float(seen.object), "best": seen.best}
                yield Step(tried, twins.most_tries, details=details)
                spoken = perf_counter()
            elif perf_counter() - spoken > _EVENT_EVERY:
                yield Step(tried, twins.most_tries, finished=False)
                spoken = perf_counter()

    def _run(self, y: Tensor) -> Iterator[Event]:
        recorded = self._checked(y)
        repaired = self._repaired(recorded)
        yield from self._notices
        work, shown = self._start(repaired, self.options.acceleration), float("-inf")
        if self.options.iterations == "auto":
            yield from self._look(work)
            shown = perf_counter()
        total, accelerate = yield from self._total(recorded, repaired)
        if accelerate != self.options.acceleration or work.count > total:
            work = self._start(repaired, accelerate)
        began, first = perf_counter(), work.count
        spoken = began
        while work.count < total:
            for _ in work.step():
                if perf_counter() - spoken > _EVENT_EVERY:
                    yield Step(work.count, total, finished=False)
                    spoken = perf_counter()
            left = (perf_counter() - began) / (work.count - first) * (total - work.count)
            yield Step(
                work.count, total, seconds_left=left, details={"divergence": work.divergence}
            )
            spoken = perf_counter()
            if work.count < total and spoken - shown >= _PREVIEW_EVERY:
                yield Preview(self._numpy(work), work.count)
                shown = perf_counter()
        yield Done(self._numpy(work), work.count)

    def _look(self, work: Iteration) -> Iterator[Event]:
        """Show the image after a few iterations, before their number is chosen."""
        spoken = perf_counter()
        for _ in range(min(_LOOK, self.options.max_iterations)):
            for _ in work.step():
                if perf_counter() - spoken > _EVENT_EVERY:
                    yield Step(work.count, _LOOK, finished=False)
                    spoken = perf_counter()
        yield Preview(self._numpy(work), work.count)

    def _result(self, work: Iteration) -> Tensor:
        image = self.physics.field_of_view(work.estimate[None, None])[0, 0]
        return image + self.options.background if self.options.background else image

    def _numpy(self, work: Iteration) -> FloatImage:
        return np.array(self._result(work).cpu().numpy(), dtype=np.float32, order="C")


def _why(choice: Choice) -> str:
    if choice.limited:
        return "the most that are allowed; its twin wanted more"
    return "the best for a simulated twin of the measurement"
