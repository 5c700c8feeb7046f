"""What EI, REI and Supervised do alike."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import count
from typing import Any, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Step
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods._recon._neighbours import check_instrument, check_stack
from napari_selfsup_recon.methods._recon._network import Reconstructor
from napari_selfsup_recon.methods._recon._phase import has_phase
from napari_selfsup_recon.methods._recon._problem import Problem
from napari_selfsup_recon.methods._recon._slab import behind, gathered, scattered, slabs_of
from napari_selfsup_recon.methods._recon._trainee import ReconstructionTrainee
from napari_selfsup_recon.methods._recon._units import Phase, Units
from napari_selfsup_recon.methods._recon.options import NetworkOptions
from napari_selfsup_recon.methods.base import LearnedMethod, as_tensor
from napari_selfsup_recon.networks.unet import pooling_factors
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.device import laid_out, memory_guard, pick_device
from napari_selfsup_recon.training.loop import Loop, LoopSettings

Made = TypeVar("Made")

_WIDTHS = {"unrolled": (1, 2, 4), "unet": (2, 4, 8, 16)}


class ReconstructionMethod(LearnedMethod):
    """A network around any physics, trained on measurements.

    Parameters
    ----------
    physics
        What the instrument did; linear, or photon counts behind an object.
    options
        Of the method.
    noise
        Noise of the measurements, for the methods that know what to do with it.

    Attributes
    ----------
    scores
        Held-out scores after training: ``chosen`` selected the weights, ``reported`` was never
        looked at while choosing, ``constant`` is what the mean of all images would score.
    best_step
        Steps that made the weights that are used.
    """

    options: NetworkOptions

    def __init__(
        self,
        physics: Physics,
        options: NetworkOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        if self.slab > 1:
            check_instrument(len(physics.image_shape), physics.channels)
        self.device = pick_device(self.options.device)
        self.scores: dict[str, float] = {}
        self.best_step = 0
        self._facts: dict[str, Any] = {}
        self._model: nn.Module | None = None
        self._loop: Loop | None = None

    @property
    def slab(self) -> int:
        """Slices of a stack that are reconstructed together; 1: each for itself."""
        return self.options.slab

    @property
    def trained(self) -> bool:
        """Whether there are weights to reconstruct with."""
        return self._model is not None or self._loop is not None

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        """Train on ``y``; see :class:`LearnedMethod`.

        Parameters
        ----------
        y
            ``(*leading, *measurement_shape)``, with the channels of complex values before the
            spatial axes: a stack of slices. One slice will do, unless neighbouring slices are
            to be seen: those along the last leading axis.
        clean
            Images of the same slices, for supervised learning alone.
        state
            State of a checkpoint to resume from.

        Raises
        ------
        InputError
            If values are not finite or shapes do not fit the physics.
        UnstableTrainingError
            If training fails again and again.
        """
        with memory_guard(self.device):
            yield from self._train(y, clean, state)

    def _train(self, y: Any, clean: Any, state: Any) -> Iterator[Event]:
        problem = self._prepare(y, clean)
        yield from self._before(problem)
        trainee = self._trainee(problem)
        loop = Loop(
            trainee,
            LoopSettings(
                steps=self.options.steps, patience=self.options.patience, score_first=True
            ),
        )
        if state is not None:
            loop.load_state(state)
        self._loop, self._model = loop, None
        for event in loop.run():
            self.best_step = loop.best_step
            if isinstance(event, Done):
                yield from self._finish(loop, trainee)
            yield event

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement; the last event is ``Done(result)``.

        Where neighbouring slices are seen together this is one stack ``(z, *measurement_shape)``.
        """
        items = as_tensor(y, len(self.physics.measurement_shape), self.physics.channels)
        if self.slab > 1:
            yield from self._run_stack(items, self._stack(y))
            return
        if len(items) != 1:
            raise InputError(
                f"One measurement is expected, but {len(items)} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        self._current()
        image = self._estimate(items)
        yield Step(1, 1)
        one = image[0, 0] if self.physics.channels is None else image[0]
        yield Done(result=one.cpu().numpy(), step=self.best_step)

    def _run_stack(self, items: Tensor, stack: int) -> Iterator[Event]:
        if len(items) != stack:
            raise InputError(
                f"One stack is expected, but {len(items) // stack} were given.",
                hint="Use reconstruct(y), which takes any number.",
            )
        slabs = []
        for images in self._each_slab(items, self._image):
            slabs.append(images)
            yield Step(len(slabs), stack - self.slab + 1)
        yield Done(result=scattered(slabs)[:, 0].cpu().numpy(), step=self.best_step)

    def reconstruct(self, y: Any, *, out: Any = None) -> Any:
        """Return the images; see :meth:`Method.reconstruct`.

        Where neighbouring slices are seen together they are those along the last leading axis,
        which is then read as a whole.
        """
        if self.slab == 1:
            return super().reconstruct(y, out=out)
        from napari_selfsup_recon.inference.arrays import map_items

        physics, stack = self.physics, self._stack(y)
        if physics.items is not None:
            self._check_items(y, lazy=out is None)
        firsts = count(0, stack)

        def estimate(values: Tensor) -> Tensor:
            first = next(firsts) if physics.items is not None else 0
            slabs = self._each_slab(values[0, 0][:, None], self._image, first)
            return scattered(list(slabs)).transpose(0, 1)[None]

        ndim = len(physics.measurement_shape) + 1
        return map_items(estimate, y, ndim, out=out, shape=(stack, *self.result_shape))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Return facts and weights for saving."""
        model = self._current()
        weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        return {**self._facts, "scores": self.scores, "best_step": self.best_step}, weights

    @classmethod
    def from_state(
        cls,
        physics: Physics,
        options: Options,
        facts: dict[str, Any],
        arrays: dict[str, np.ndarray[Any, Any]],
    ) -> Self:
        """Rebuild a trained method."""
        assert isinstance(options, cls.options_type)
        assert isinstance(options, NetworkOptions)
        method = cls(physics, options)
        others = ("scores", "best_step")
        method._facts = {key: value for key, value in facts.items() if key not in others}
        method.scores, method.best_step = dict(facts["scores"]), int(facts["best_step"])
        model = method._build(0)
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        method._model = model.to(method.device).eval()
        return method

    @abstractmethod
    def _trainee(self, problem: Problem) -> ReconstructionTrainee: ...

    def _before(self, problem: Problem) -> Iterator[Event]:
        """Look at the data before the work begins, and tell what was found."""
        yield from ()

    def _prepare(self, y: Any, clean: Any) -> Problem:
        physics, options = self.physics, self.options
        items = self._items(y, physics.measurement_shape, "measurements")
        stack = self._stack(y) if self.slab > 1 else None
        if physics.items is not None and physics.items != len(items):
            raise InputError(
                f"There are operators for {physics.items} images, but {len(items)} measurements.",
                hint="Give one measurement for each.",
            )
        images = None
        if clean is not None:
            images = self._items(clean, physics.image_shape, "images").to(self.device)
            if len(images) != len(items):
                raise InputError(
                    f"There are {len(items)} measurements but {len(images)} clean images.",
                    hint="Give the image of every measurement, in the same order.",
                )
        noise, values = self._noise_of(items), items.to(self.device)
        if stack is not None:
            physics = behind(physics, slabs_of(len(items), stack, self.slab))
            values = gathered(values, stack, self.slab)
            images = None if images is None else gathered(images, stack, self.slab)
        problem = Problem(
            physics,
            values,
            clean=images,
            held_out=options.held_out,
            seed=options.seed,
            noise=noise,
            start=options.start,
            positive=self._positive(),
            phases=self._phases(),
            stack=stack,
            slab=self.slab,
        )
        levels = len(_WIDTHS[options.network])
        shape = physics.image_shape
        self._facts = {
            "units": asdict(problem.units),
            "pooling": pooling_factors((1.0,) * len(shape), shape, levels),
        }
        return problem

    def _noise_of(self, y: Tensor) -> Noise | None:
        """Return the noise of measurements ``(items, channel, *measurement_shape)``."""
        return self.noise

    def _items(self, values: Any, shape: tuple[int, ...], what: str) -> Tensor:
        tensor = as_tensor(values, len(shape), self.physics.channels)
        if tuple(tensor.shape[2:]) != shape:
            raise InputError(
                f"The physics is for {what} of shape {shape}, not {tuple(tensor.shape[2:])}.",
                hint="Build the physics for this shape.",
            )
        return tensor

    def _stack(self, y: Any) -> int:
        """Return how many slices the stacks have whose slices are seen together.

        Raises
        ------
        InputError
            If these are too few.
        """
        shape = np.shape(y)
        place = len(shape) - len(self.physics.measurement_shape) - 1
        stack = shape[place] if place >= 0 else 1
        check_stack(stack, self.slab)
        return stack

    def _build(self, attempt: int) -> nn.Module:
        options, physics = self.options, self.physics
        ndim = len(physics.image_shape)
        pooling = self._facts["pooling"]
        factors = _WIDTHS[options.network][: len(pooling) + 1]
        model = Reconstructor(
            options.network,
            ndim,
            self._channels(),
            widths=[options.width * factor for factor in factors],
            pooling=pooling,
            iterations=options.iterations,
            solver_steps=options.solver_steps,
            units=Units(**self._facts["units"]),
            positive=self._positive(self._phase()),
            precision=options.precision,
            generator=torch_generator(options.seed, "weights", attempt),
        )
        return laid_out(model, ndim, self.device)

    def _channels(self) -> int:
        """Return how many channels the network sees: one of amplitudes whose phase is told."""
        if self.slab > 1:
            return self.slab
        return (self.physics.channels or 1) if self._phase() == "free" else 1

    def _phase(self) -> Phase:
        """Return what was taken of the phase when it was trained."""
        return Units(**self._facts["units"]).phase

    def _positive(self, phase: Phase = "free") -> bool:
        """Return whether what the network answers is never negative."""
        wanted = self.options.positive
        if wanted != "auto":
            return wanted == "on"
        return self.physics.channels is None if phase == "free" else phase == "positive"

    def _phases(self) -> tuple[Phase, ...]:
        """Return what may be taken of the phase.

        Raises
        ------
        InputError
            If a smooth phase is wanted that cannot be told.
        """
        options = self.options
        able = has_phase(self.physics) and options.start == "total-variation"
        if options.phase == "smooth" and not able:
            raise InputError(
                "The phase is to be smooth, but it cannot be told from this measurement.",
                hint="It needs complex images, the start total-variation and a mask that covers "
                "the middle of k-space; else choose phase=auto.",
            )
        if options.phase == "free" or not able:
            return ("free",)
        phases: tuple[Phase, ...] = ("signed",) if options.positive == "off" else ("positive",)
        if options.positive == "auto":
            phases = ("signed", "positive")
        return phases if options.phase == "smooth" else ("free", *phases)

    def _finish(self, loop: Loop, trainee: ReconstructionTrainee) -> Iterator[Event]:
        model = self._current()
        between = Step(loop.done, self.options.steps, finished=False)
        reported = yield from relay(trainee.score(model, report=True), lambda _: between)
        self.scores = {
            "chosen": loop.best_score,
            "reported": reported,
            "constant": trainee.trivial_score(),
        }
        self._model, self._loop = model, None
        yield Notice(f"Best held-out score {loop.best_score:.4g} at step {loop.best_step}.")

    def _current(self) -> nn.Module:
        """Return the network with the best weights so far."""
        if self._model is not None:
            return self._model
        if self._loop is None:
            name = type(self).__name__
            raise InputError(f"This {name} is not trained yet.", hint="Call fit(y) first.")
        model = self._build(0)
        model.load_state_dict(self._loop.weights)
        return model.eval()

    def _estimate(self, y: Tensor) -> Tensor:
        return self._image(y, self.physics)

    @torch.no_grad()
    def _image(self, y: Tensor, physics: Physics) -> Tensor:
        """Return the images of measurements ``(batch, channel, *measurement_shape)``."""
        model = self._current()
        image: Tensor = model(y.to(self.device), physics) * self._facts["units"]["image"]
        return self.physics.field_of_view(image).to(y.device)

    def _each_slab(
        self, y: Tensor, make: Callable[[Tensor, Physics], Made], first: int = 0
    ) -> Iterator[Made]:
        """Yield what is made of each slab of a stack ``(z, 1, *measurement_shape)``.

        ``first`` is the number of its first slice, where each has an operator of its own.
        """
        slabs = gathered(y, len(y), self.slab)
        for number, slab in enumerate(slabs):
            members = range(first + number, first + number + self.slab)
            yield make(slab[None], behind(self.physics, [members]))
