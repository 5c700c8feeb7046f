"""Self-supervised inversion (Kobayashi, Solak, Batson, Royer 2020), rebuilt."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Notice, Step
from napari_selfsup_recon.core.generators import exhaust, relay
from napari_selfsup_recon.core.indexing import spatial
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.random import torch_generator
from napari_selfsup_recon.methods.base import LearnedMethod, as_tensor
from napari_selfsup_recon.methods.ssi._answers import answers
from napari_selfsup_recon.methods.ssi._crops import mirror
from napari_selfsup_recon.methods.ssi._masking import fill, surroundings
from napari_selfsup_recon.methods.ssi._network import Inverse, Statistics
from napari_selfsup_recon.methods.ssi._problem import REPORTS, Problem, draw_roles
from napari_selfsup_recon.methods.ssi._start import MOST_VOXELS, Starter, in_units
from napari_selfsup_recon.methods.ssi._symmetry import Orientation, symmetries
from napari_selfsup_recon.methods.ssi._trainee import SSITrainee
from napari_selfsup_recon.methods.ssi.options import SSIOptions
from napari_selfsup_recon.methods.total_variation._choice import busiest
from napari_selfsup_recon.networks.unet import pooling_factors
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.noise import Noise
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate, estimate_noise
from napari_selfsup_recon.physics.outliers import find_outliers
from napari_selfsup_recon.training.device import laid_out, pick_device
from napari_selfsup_recon.training.loop import Loop, LoopSettings
from napari_selfsup_recon.training.noise_facts import NoiseFacts, noise_facts
from napari_selfsup_recon.training.scaling import Scaling, estimate_scaling, facts_of

_FACTS = ("scaling", "noise", "gain", "pooling", "statistics", "start")
_KEPT_STARTS = 2
_WIDTHS = (1, 3, 6, 6)
_MOST_TURNS = {2: 8, 3: 4}


class SSI(LearnedMethod):
    """Deconvolve (or denoise, with ``Identity``) by learning from the measurement alone.

    Parameters
    ----------
    physics
        ``Blur`` or ``Identity``, or any physics that can be restricted to crops. What lies beyond
        the edge of the measurement is always taken as unknown, whatever boundary the blur states.
    options
        See :class:`SSIOptions`.
    noise
        Not needed; kept for methods that are exchanged for this one.
    voxel_size
        Voxel size an axis, in any common unit; decides how volumes are pooled.

    Attributes
    ----------
    scores
        Held-out scores after training: ``chosen`` selected the weights, ``reported`` was never
        looked at while choosing, ``constant`` is what the best constant would score.
    """

    key: ClassVar[str] = "ssi"
    options_type: ClassVar[type[Options]] = SSIOptions
    options: SSIOptions

    def __init__(
        self,
        physics: Physics,
        options: SSIOptions | None = None,
        *,
        noise: Noise | None = None,
        voxel_size: tuple[float, ...] | None = None,
    ) -> None:
        super().__init__(physics, options, noise=noise)
        if isinstance(physics, Blur) and physics.boundary != "extended":
            physics = Blur(physics.psf, physics.measurement_shape)
        self._physics = physics
        self._ndim = len(physics.measurement_shape)
        self.voxel_size = voxel_size or (1.0,) * self._ndim
        self.device = pick_device(self.options.device)
        self.scores: dict[str, float] = {}
        self.best_step = 0
        self._facts: dict[str, Any] = {}
        self._model: nn.Module | None = None
        self._loop: Loop | None = None
        self._psf = physics.psf if isinstance(physics, Blur) else None
        self._turns = symmetries(self._psf, self._ndim, scale=self.voxel_size)
        self._kept: dict[int, Tensor] = {}

    @property
    def _starts(self) -> bool:
        """Whether learning starts from an image."""
        wanted = self.options.start == "total-variation"
        return self._psf is not None and (
            wanted or (self.options.start == "auto" and self._ndim == 3)
        )

    @property
    def _crop(self) -> tuple[int, ...]:
        options = self.options
        if self._ndim == 2:
            return options.crop, options.crop
        return options.volume_depth, options.volume_crop, options.volume_crop

    @property
    def trained(self) -> bool:
        """Whether there are weights to reconstruct with."""
        return self._model is not None or self._loop is not None

    def train(self, y: Any, *, clean: Any = None, state: Any = None) -> Iterator[Event]:
        """Train on ``y`` ``(*leading, *measurement_shape)``; see :class:`LearnedMethod`.

        Raises
        ------
        InputError
            If the values are not finite or the shape does not fit the physics.
        UnstableTrainingError
            If training fails again and again.
        """
        tensor = as_tensor(y, self._ndim)
        if tuple(tensor.shape[2:]) != self._physics.measurement_shape:
            raise InputError(
                f"The physics is for measurements of shape {self._physics.measurement_shape}, "
                f"not {tuple(tensor.shape[2:])}.",
                hint="Build the physics for this shape.",
            )
        problem = self._prepare(tensor)
        if self._starts:
            yield from self._begin(problem)
        trainee = self._trainee(problem)
        loop = Loop(trainee, self._settings())
        if state is not None:
            loop.load_state(state)
        self._loop, self._model = loop, None
        for event in loop.run():
            self.best_step = loop.best_step
            if isinstance(event, Done):
                yield from self._finish(loop, trainee)
            yield event

    def run(self, y: Any) -> Iterator[Event]:
        """Reconstruct one measurement tile by tile; the last event is ``Done(result)``.

        Parameters
        ----------
        y
            ``spatial`` array of any size.
        """
        tensor = as_tensor(y, self._ndim)
        image = yield from relay(self._pieces(tensor), lambda progress: Step(*progress))
        yield Done(result=image[0, 0].cpu().numpy(), step=self.best_step)

    def held_out(self, y: Any) -> tuple[np.ndarray[Any, Any], FloatImage]:
        """Return which pixels chose nothing, and what the network predicts for them unseen.

        Parameters
        ----------
        y
            The measurement that was trained on, ``(*leading, *measurement_shape)``.

        Returns
        -------
        mask, predicted
            Shape and units of ``y``: the pixels of the score that is reported, and the measurement
            that the network, blind to every held-out pixel, expects; compare them under the mask.
        """
        items = as_tensor(y, self._ndim)
        roles = draw_roles(items.shape, self.options.held_out, self.options.seed)
        scaling = Scaling(**self._facts["scaling"])
        scaled = scaling.apply(items).to(self.device)
        hidden = (roles > 0).to(self.device)
        silent = hidden | self._wrong(fill(scaled, hidden))
        seen, gain = fill(scaled, silent), self._facts["gain"]
        if self._facts.get("start"):
            starter = self._starter(scaled)
            start, expected = exhaust(starter.solve(scaled, silent))
            x = exhaust(self._answers(torch.cat([seen, start], dim=1)))
            change = Blur(starter.physics.psf, scaled.shape[2:], boundary="zero").A(x - start)
            expected = expected + change / gain
        else:
            canvas = mirror(seen, *zip(*self._physics.margins, strict=True))
            x = exhaust(self._answers(canvas))
            expected = self._physics.A(x) / gain
        predicted = scaling.invert(expected).cpu().numpy().astype(np.float32)
        return (roles == REPORTS).numpy().reshape(np.shape(y)), predicted.reshape(np.shape(y))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
        """Return facts and weights for saving."""
        model = self._current()
        weights = {name: value.cpu().numpy() for name, value in model.state_dict().items()}
        facts = {
            **self._facts,
            "voxel_size": list(self.voxel_size),
            "scores": self.scores,
            "best_step": self.best_step,
        }
        return facts, weights

    @classmethod
    def from_state(
        cls,
        physics: Physics,
        options: Options,
        facts: dict[str, Any],
        arrays: dict[str, np.ndarray[Any, Any]],
    ) -> Self:
        """Rebuild a trained method."""
        assert isinstance(options, SSIOptions)
        method = cls(physics, options, voxel_size=tuple(facts["voxel_size"]))
        method._facts = {key: facts.get(key) for key in _FACTS}
        method.scores, method.best_step = dict(facts["scores"]), int(facts["best_step"])
        model = method._build(0)
        model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in arrays.items()})
        method._model = model.to(method.device).eval()
        return method

    def _estimate(self, y: Tensor) -> Tensor:
        return exhaust(self._pieces(y))

    def _prepare(self, y: Tensor) -> Problem:
        options = self.options
        scaling = estimate_scaling(y, noise_facts(y), background=options.background)
        if self._starts and (part := busiest(surroundings(y[:1])[0, 0], most=MOST_VOXELS)):
            y = y[spatial(part)]
        scaled = scaling.apply(y).to(self.device)
        noise = facts_of(noise_facts(scaled), self.noise, scaling)
        ones = torch.ones(1, 1, *self._physics.image_shape)
        self._facts = {
            "scaling": scaling.as_dict(),
            "noise": asdict(noise),
            "gain": float(self._physics.A(ones).mean()),
            "start": None,
            "statistics": {
                "mean": float(scaled.mean()),
                "spread": float(scaled.std()),
                "low": 0.0 if options.positive else None,
                "high": None if options.maximum is None else scaling.apply_value(options.maximum),
            },
        }
        # However wide the blur: half a crop is left to predict.
        window = tuple(
            max(n, sum(m) + n // 2) for n, m in zip(self._crop, self._physics.margins, strict=True)
        )
        return Problem(
            self._physics,
            scaled,
            noise=noise,
            psf=self._psf,
            window=window,
            held_out=options.held_out,
            mask_fraction=options.mask_fraction,
            seed=options.seed,
            device=self.device,
        )

    def _begin(self, problem: Problem) -> Iterator[Event]:
        """Make the images that learning starts from."""
        assert isinstance(self._physics, Blur)
        starter = self._starter(problem.y)
        scaling, seed = Scaling(**self._facts["scaling"]), self.options.seed
        folds = starter.folds(problem.y, problem.wrong, problem.never, seed)
        starts = yield from relay(folds, lambda event: in_units(event, scaling))
        problem.start_from(starts, self._physics, self._crop)
        self._facts["start"], image = starter.as_dict(), starts[-1].image
        self._facts["statistics"] |= {
            "start_mean": float(image.mean()),
            "start_spread": float(image.std()),
            "low": starter.low,
        }
        yield Notice(f"Learning starts from total variation of weight {starter.weight:.2g}.")

    def _starter(self, y: Tensor) -> Starter:
        facts, statistics = self._facts["start"], self._facts["statistics"]
        assert isinstance(self._physics, Blur)
        noise = NoiseEstimate(**facts["noise"]) if facts else estimate_noise(y, psf=self._psf)
        if not facts and self.noise is not None:
            noise = noise.known(Scaling(**self._facts["scaling"]).apply_noise(self.noise))
        return Starter(
            self._physics,
            noise,
            gain=self._facts["gain"],
            limits=(statistics["low"], statistics["high"]),
            voxel_size=self.voxel_size,
            settled=facts is not None or self.options.background is not None,
            weight=facts["weight"] if facts else None,
            device=self.options.device,
        )

    def _trainee(self, problem: Problem) -> SSITrainee:
        size = problem.canvas.size
        self._facts["pooling"] = pooling_factors(self.voxel_size, size, len(_WIDTHS))
        square = size[-1] == size[-2]
        return SSITrainee(
            problem,
            self.options,
            build=self._build,
            turns=[turn for turn in self._turns if square or not turn.transpose],
            noise=NoiseFacts(**self._facts["noise"]),
            gain=self._facts["gain"],
        )

    def _build(self, attempt: int) -> nn.Module:
        finest = self.options.width if self._ndim == 2 else max(2, self.options.width // 2)
        model = Inverse(
            self._ndim,
            widths=[finest * factor for factor in _WIDTHS],
            pooling=self._facts["pooling"],
            statistics=Statistics(**self._facts["statistics"]),
            generator=torch_generator(self.options.seed, "weights", attempt),
        )
        return laid_out(model, self._ndim, self.device)

    def _settings(self) -> LoopSettings:
        return LoopSettings(
            steps=self.options.steps, patience=self.options.patience, score_first=self._starts
        )

    def _finish(self, loop: Loop, trainee: SSITrainee) -> Iterator[Event]:
        model = self._current()
        between = Step(loop.done, self.options.steps, finished=False)
        reported = yield from relay(trainee.score(model, report=True), lambda _: between)
        self.scores = {
            "chosen": loop.best_score,
            "reported": reported,
            "constant": trainee.trivial_score(),
        }
        self._model, self._loop = model, None
        if self._starts and not loop.best_step:
            yield Notice("Learning did not better the image it started from: that is the result.")
        else:
            yield Notice(f"Best held-out score {loop.best_score:.4g} at step {loop.best_step}.")

    def _current(self) -> nn.Module:
        """Return the network with the best weights so far."""
        if self._model is not None:
            return self._model
        if self._loop is None:
            raise InputError("This SSI is not trained yet.", hint="Call fit(y) first.")
        model = self._build(0)
        model.load_state_dict(self._loop.weights)
        return model.eval()

    def _pieces(self, y: Tensor) -> Generator[tuple[int, int], None, Tensor]:
        self._current()  # there must be one before the work begins
        scaling = Scaling(**self._facts["scaling"])
        scaled = scaling.apply(y)
        cleaned = fill(scaled, self._wrong(scaled))
        if self._facts.get("start"):
            before = behind = (0,) * self._ndim
            start = yield from relay(self._start(scaled), lambda _: (0, 1))
            canvas = torch.cat([cleaned, start.to(y.device)], dim=1)
        else:
            before, behind = zip(*self._physics.margins, strict=True)
            canvas = mirror(cleaned, before, behind)
        total = yield from self._answers(canvas)
        image: Tensor = scaling.invert(total) / self._facts["gain"]
        inner = tuple(slice(b, b + n) for b, n in zip(before, y.shape[2:], strict=True))
        return image[spatial(inner)]

    def _answers(self, canvas: Tensor) -> Generator[tuple[int, int], None, Tensor]:
        """Return what the network says of ``(items, channel, *spatial)``, still scaled."""
        model = self._current()
        assert isinstance(model, Inverse)
        turns = self._ensemble if self.options.ensemble else self._turns[:1]
        return (
            yield from answers(
                model, canvas, turns, device=self.device, precision=self.options.precision
            )
        )

    def _start(self, y: Tensor) -> Generator[Event, None, Tensor]:
        """Return the image that the network refines; that of the same measurement is kept."""
        key = hash(y.cpu().numpy().tobytes())
        if key not in self._kept:
            y = y.to(self.device)
            image = yield from self._starter(y).whole(y, self._wrong(y))
            if len(self._kept) >= _KEPT_STARTS:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = image
        return self._kept[key]

    @property
    def _ensemble(self) -> list[Orientation]:
        """Orientations to average over, as different as can be where there are too many."""
        every = max(1, len(self._turns) // _MOST_TURNS[self._ndim])
        return self._turns[::every]

    def _wrong(self, y: Tensor) -> Tensor:
        """Return single wrong pixels, as in training."""
        noise = NoiseFacts(**self._facts["noise"])
        psf = None if noise.coarse else self._psf
        return find_outliers(y, noise.deviation(surroundings(y)), psf)
