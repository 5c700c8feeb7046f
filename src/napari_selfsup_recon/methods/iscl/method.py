"""Interdependent self-cooperative learning: denoising with clean examples that need not match."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Stage, Step
from napari_selfsup_recon.core.generators import exhaust, relay
from napari_selfsup_recon.core.measurement import FloatImage, Region
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.base import LearnedMethod, as_tensor
from napari_selfsup_recon.methods.iscl._answer import Answer, Rescaled
from napari_selfsup_recon.methods.iscl._answers import answers, volume_answers
from napari_selfsup_recon.methods.iscl._diagnosis import diagnoses, remarks
from napari_selfsup_recon.methods.iscl._domain import Domain
from napari_selfsup_recon.methods.iscl._evening import Evening
from napari_selfsup_recon.methods.iscl._input import depth_of, reach_of, read_domains
from napari_selfsup_recon.methods.iscl._losses import Players
from napari_selfsup_recon.methods.iscl._matching import match
from napari_selfsup_recon.methods.iscl._players import (
    repaired_pair,
    repaired_players,
    volume_players,
)
from napari_selfsup_recon.methods.iscl._problem import HELD_OUT, Problem, make_problem
from napari_selfsup_recon.methods.iscl._published import published_players
from napari_selfsup_recon.methods.iscl._published_trainee import BATCH, SIDE, PublishedTrainee
from napari_selfsup_recon.methods.iscl._same import without_copies
from napari_selfsup_recon.methods.iscl._trainee import ISCLTrainee
from napari_selfsup_recon.methods.iscl._volume import volume_pair
from napari_selfsup_recon.methods.iscl.options import ISCLOptions
from napari_selfsup_recon.methods.ssi._symmetry import Orientation, orientations
from napari_selfsup_recon.networks.iscl import Extractor
from napari_selfsup_recon.networks.iscl import Generator as PublishedGenerator
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.training.device import memory_guard, pick_device
from napari_selfsup_recon.training.loop import Loop, LoopSettings
from napari_selfsup_recon.training.scaling import Scaling

_GRACE = 300
_DECAY = 0.995
# A dozen crops with noise that spans many pixels cannot tell scores apart that are closer.
_MARGIN = 0.1
_FACTS = ("ours", "theirs", "slices", "share", "square", "span", "middle")


class ISCL(LearnedMethod):
    """Denoise images with the help of clean ones of the same kind, which need not match.

    Takes away noise that neighbouring pixels share, which no method without clean examples can
    tell from the image.

    Parameters
    ----------
    physics
        ``Identity`` of an image ``(y, x)`` or a stack ``(z, y, x)``.
    options
        See :class:`ISCLOptions`.
    noise
        Not used.

    Attributes
    ----------
    scores
        After training: ``chosen`` and ``reported`` are errors on held-out clean images with made
        noise, ``constant`` that of a constant or of the noisy image, all in variances of the clean
        images; ``noise`` and ``made`` are the root mean squares of what was taken from the noisy
        images and of made noise, ``disagreement`` that of the difference of both branches on noisy
        images, ``identity`` that of what was changed in clean ones, in standard deviations of the
        clean images; ``misfit`` is what the model of the noise left unexplained.
    best_step
        Steps that made the weights that are used.
    """

    key: ClassVar[str] = "iscl"
    options_type: ClassVar[type[Options]] = ISCLOptions
    options: ISCLOptions

    def __init__(
        self,
        physics: Physics,
        options: ISCLOptions | None = None,
        *,
        noise: Noise | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        if not isinstance(physics, Identity) or physics.items is not None:
            raise InputError(
                "ISCL denoises images; it cannot undo what an instrument did to them.",
                hint="Give Identity(shape), or choose another method.",
            )
        self._ndim = len(physics.measurement_shape)
        self.device = pick_device(self.options.device)
        self.scores: dict[str, float] = {}
        self.best_step = 0
        self._facts: dict[str, Any] = {}
        self._answer: Answer | None = None
        self._loop: Loop | None = None

    @property
    def trained(self) -> bool:
        """Whether there are weights to denoise with."""
        return self._answer is not None or self._loop is not None

    @property
    def _published(self) -> bool:
        return self.options.players == "published"

    @property
    def _volume(self) -> bool:
        return self.options.dimensions == "3D"

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        """Train on noisy images ``y`` and ``clean`` ones; a generator of events.

        Parameters
        ----------
        y
            ``(*leading, *shape)`` of the physics.
        clean
            Clean images ``(*leading, y, x)`` or stacks ``(*leading, z, y, x)`` of any size, for a
            stack the last three axes count as one. They may be slices of the stack itself, which
            are then not taken for noisy.
        state
            State of a checkpoint to resume from.

        Raises
        ------
        InputError
            If there are no clean images, or the two domains cannot be used together.
        UnstableTrainingError
            If training fails again and again.
        """
        with memory_guard(self.device):
            yield from self._train(y, clean, state)

    def _train(self, y: Any, clean: Any, state: Any) -> Iterator[Event]:
        options = self.options
        noisy, examples = read_domains(y, clean, self.physics.measurement_shape)
        slices = noisy.shape[1], examples.shape[1]
        depth = depth_of(options, self._ndim, *slices)
        reach = 0 if depth else reach_of(options, self._ndim, min(slices))
        use, copies = without_copies(noisy, examples)
        if copies:
            yield Notice(
                f"{copies} slices are clean examples themselves; they are not learned from."
            )
        ours, theirs, warning = match(examples, noisy, options.match)
        if warning:
            yield Notice(warning, "warning")
        if options.persuasion and options.warm_up == 1 and not self._published:
            yield Notice(
                "The critics act after the warm-up, which never ends: set it below 1.",
                "warning",
            )
        side = SIDE if self._published else options.crop
        seed = options.seed
        scaled = [
            scaling.apply(stacks).to(self.device)
            for scaling, stacks in ((ours, examples), (theirs, noisy))
        ]
        domains = (
            Domain(scaled[0], side, seed=seed, name="clean", below=HELD_OUT),
            Domain(scaled[1], side, seed=seed, name="noisy", use=use),
        )
        low, high = (
            float(f(s)) for f, s in zip((torch.amin, torch.amax), (scaled[0],) * 2, strict=True)
        )
        self._facts = {
            "ours": ours.as_dict(),
            "theirs": theirs.as_dict(),
            "slices": 2 * reach + 1,
            "share": 0.5,
            "span": (high - low) / 2,
            "middle": (high + low) / 2,
            "square": True,
        }
        yield Stage("Looking at the noise")
        batch = BATCH if self._published else options.crops
        # Noise that is taken over later must be as it was.
        even = options.even == "auto" and options.warm_up == 1 and not self._published
        between = Step(0, options.steps, finished=False)
        problem = yield from relay(
            make_problem(*domains, batch=batch, reach=reach, seed=seed, depth=depth, even=even),
            lambda _: between,
        )
        yield from remarks(problem)
        self._facts["square"] = problem.model.isotropic
        if problem.evening is not None:
            self._facts["evening"] = asdict(problem.evening)
        trainee = self._trainee(problem)
        loop = Loop(trainee, self._settings())
        if state is not None:
            loop.load_state(state)
        self._loop, self._answer = loop, None
        yield Stage("Training", options.steps)
        for event in loop.run():
            self.best_step = loop.best_step
            if isinstance(event, Done):
                yield from self._finish(loop, trainee, problem)
            yield event

    def run(self, y: Any) -> Iterator[Event]:
        """Denoise one image or stack slice by slice; the last event is ``Done(result)``.

        Parameters
        ----------
        y
            ``spatial`` array of any size.
        """
        tensor = as_tensor(y, self._ndim)
        image = yield from relay(self._pieces(tensor), lambda progress: Step(*progress))
        yield Done(result=image[0, 0].cpu().numpy(), step=self.best_step)

    def live(self, y: FloatImage, region: Region) -> tuple[Self, FloatImage]:
        """Return a quick method, and a part of ``y`` that is evened out already."""
        quick, part = super().live(y, region)
        if self._evening is not None and self._ndim == 3:
            part = self._evening.part(y, region, Scaling(**self._facts["theirs"]))
            quick._facts = {**self._facts, "evening": None}
        return quick, part

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Return facts and weights for saving."""
        answer = self._current()
        facts = {
            **self._facts,
            "share": answer.share,
            "scores": self.scores,
            "best_step": self.best_step,
        }
        return facts, {name: v.cpu().numpy() for name, v in answer.state_dict().items()}

    @classmethod
    def from_state(
        cls,
        physics: Physics,
        options: Options,
        facts: dict[str, Any],
        arrays: dict[str, np.ndarray[Any, Any]],
    ) -> Self:
        """Rebuild a trained method."""
        assert isinstance(options, ISCLOptions)
        method = cls(physics, options)
        method._facts = {key: facts[key] for key in _FACTS}
        if facts.get("evening") is not None:
            method._facts["evening"] = asdict(Evening(**facts["evening"]))
        method.scores, method.best_step = dict(facts["scores"]), int(facts["best_step"])
        answer = method._empty(float(facts["share"]))
        answer.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        method._answer = answer.to(method.device).eval()
        return method

    def _trainee(self, problem: Problem) -> ISCLTrainee | PublishedTrainee:
        build: Callable[[int], Players] = lambda attempt: self._players(problem, attempt)  # noqa: E731
        if self._published:
            span, middle = self._facts["span"], self._facts["middle"]
            return PublishedTrainee(problem, self.options, build=build, span=span, middle=middle)
        return ISCLTrainee(problem, self.options, build=build)

    def _players(self, problem: Problem, attempt: int) -> Players:
        generator = torch_generator(self.options.seed, "weights", attempt)
        if self._published:
            return published_players(generator).to(self.device)
        slices, width = self._facts["slices"], self.options.width
        if self._volume:
            return volume_players(width, problem.model, generator).to(self.device)
        return repaired_players(slices, width, problem.model, generator).to(self.device)

    def _empty(self, share: float) -> Answer:
        """Return both branches with weights still to be put in."""
        if self._published:
            span, middle = self._facts["span"], self._facts["middle"]
            return Answer(
                Rescaled(PublishedGenerator(), span, middle, image=True),
                Rescaled(Extractor(), span, middle, image=False),
                share,
            )
        generator = torch.Generator().manual_seed(0)
        if self._volume:
            return Answer(*volume_pair(self.options.width, generator), share)
        return Answer(*repaired_pair(self._facts["slices"], self.options.width, generator), share)

    def _settings(self) -> LoopSettings:
        options = self.options
        if self._published:  # the last weights, to the end
            return LoopSettings(
                steps=options.steps, patience=options.steps, decay=0.0, restarts=0, grace=_GRACE
            )
        return LoopSettings(
            steps=options.steps,
            patience=options.patience,
            decay=_DECAY,
            grace=_GRACE,
            margin=_MARGIN,
        )

    def _finish(
        self, loop: Loop, trainee: ISCLTrainee | PublishedTrainee, problem: Problem
    ) -> Iterator[Event]:
        between = Step(loop.done, self.options.steps, finished=False)
        players = self._best(loop)
        self._facts["share"] = yield from relay(trainee.share(players), lambda _: between)
        reported = yield from relay(trainee.score(players, report=True), lambda _: between)
        self._answer, self._loop = self._as_answer(players), None
        self.scores = {
            "chosen": loop.best_score,
            "reported": reported,
            "constant": problem.choose.trivial,
            **diagnoses(self._answer, problem, self.options.seed),
        }
        yield Notice(f"Best held-out score {loop.best_score:.4g} at step {loop.best_step}.")
        if self.scores["noise"] < 0.3 * self.scores["made"]:
            yield Notice(
                "Much less noise was taken from the noisy images than they seem to have: the "
                "clean examples may show other things, or be noisy themselves.",
                "warning",
            )

    def _best(self, loop: Loop) -> Players:
        """Return the players with the weights that are used."""
        players = loop.average.module
        assert isinstance(players, Players)
        if not self._published:
            players.load_state_dict(loop.weights)
        return players.eval()

    def _as_answer(self, players: Players) -> Answer:
        answer = self._empty(self._facts["share"])
        for ours, theirs in (
            (answer.denoiser, players.denoiser),
            (answer.extractor, players.extractor),
        ):
            inner = ours.network if isinstance(ours, Rescaled) else ours
            assert isinstance(inner, nn.Module)
            inner.load_state_dict(theirs.state_dict())
        return answer.to(self.device).eval()

    def _current(self) -> Answer:
        """Return both branches with the best weights so far."""
        if self._answer is not None:
            return self._answer
        if self._loop is None:
            raise InputError("This ISCL is not trained yet.", hint="Call fit(y, clean=...) first.")
        weights = self._loop.average.weights() if self._published else self._loop.weights
        answer = self._empty(self._facts["share"])
        for name, branch in (("denoiser", answer.denoiser), ("extractor", answer.extractor)):
            inner = branch.network if isinstance(branch, Rescaled) else branch
            assert isinstance(inner, nn.Module)
            start = f"{name}."
            inner.load_state_dict(
                {k.removeprefix(start): v for k, v in weights.items() if k.startswith(start)}
            )
        return answer.to(self.device).eval()

    def _estimate(self, y: Tensor) -> Tensor:
        return exhaust(self._pieces(y))

    def _pieces(self, y: Tensor) -> Generator[tuple[int, int], None, Tensor]:
        """Denoise ``(1, 1, *spatial)`` slice by slice and tile by tile."""
        answer = self._current()
        theirs = Scaling(**self._facts["theirs"])
        stack = theirs.apply(y[0] if self._ndim == 3 else y)[0]
        where: dict[str, Any] = {"device": self.device, "precision": self.options.precision}
        if self._volume:
            made = yield from volume_answers(answer, stack, self._turns, **where)
        else:
            if self._evening is not None:
                stack = self._evening.apply(stack)
            reach = self._facts["slices"] // 2
            made = yield from answers(answer, stack, self._turns, reach=reach, **where)
        return theirs.invert(made).reshape(y.shape)

    @property
    def _evening(self) -> Evening | None:
        known = self._facts.get("evening")
        return None if known is None else Evening(**known)

    @property
    def _turns(self) -> list[Orientation]:
        ndim, square = 2 + self._volume, bool(self._facts["square"])
        if not self.options.ensemble or self._published:
            return orientations(ndim)[:1]
        turns = orientations(ndim, square=square)
        if self._volume and square:  # half of them, which make a group
            turns = [turn for turn in turns if turn.flips[0] == turn.transpose]
        return turns
