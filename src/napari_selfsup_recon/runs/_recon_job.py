"""One reconstruction in progress: methods one after another, each slice by slice."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from inspect import signature
from time import perf_counter
from typing import Any, cast

import numpy as np
import torch

from napari_selfsup_recon.core.errors import JobFailedError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.methods.base import LearnedMethod, Method
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.runs._checks import doubts
from napari_selfsup_recon.runs._frame import best_of
from napari_selfsup_recon.runs._outcome import Outcome
from napari_selfsup_recon.runs._preview import Previews
from napari_selfsup_recon.runs._provenance import provenance
from napari_selfsup_recon.runs._trust import companions_of, phase_of, shown, what_can_be_learned
from napari_selfsup_recon.runs.control import Control, lent
from napari_selfsup_recon.runs.instruments import SCANS
from napari_selfsup_recon.runs.kept import Reuse
from napari_selfsup_recon.runs.names import chosen_by, result_label
from napari_selfsup_recon.runs.noise import noise_for
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.problem import Problem
from napari_selfsup_recon.runs.result import Result


@dataclass
class _Progress:
    """What was reached, for the record."""

    steps: int = 0
    best_step: int = 0
    best_score: float | None = None
    reason: str = "finished"
    error: Exception | None = None
    snapshot: Callable[[], Mapping[str, Any]] | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, Step) and event.finished:
            self.steps = max(self.steps, event.index)
            if event.score is not None and (
                self.best_score is None or event.score < self.best_score
            ):
                self.best_score, self.best_step = event.score, event.index
        elif isinstance(event, Done):
            self.reason, self.best_step = event.reason, event.step


class ReconJob:
    """Runs the methods of a plan that reconstructs."""

    def __init__(
        self,
        plan: RunPlan,
        control: Control,
        device: torch.device,
        keep_models: bool,
        reuse: Reuse | None = None,
    ) -> None:
        assert plan.problem is not None
        self.plan = plan
        self.problem: Problem = plan.problem
        self.control = control
        self.device = device
        self.keep_models = keep_models
        self.reuse = reuse
        self.steps = 0
        self.previews = Previews((), plan.config.preview_every, control)

    def run(self) -> Iterator[Event]:
        """Yield the events of the whole run."""
        for finding in self.problem.findings:
            if finding.level != "ok":
                yield Notice(finding.message, "warning" if finding.level == "warning" else "info")
        yield Stage("Preparing the instrument")
        physics = self.problem.build()
        for number, (entry, options) in enumerate(self.plan.methods):
            if self.control.stopping:
                break
            yield from self._method(number, entry, options, physics)
        yield Done(step=self.steps, reason="stopped" if self.control.stopping else "finished")

    def _method(
        self, number: int, entry: Entry, options: Options, physics: Physics
    ) -> Iterator[Event]:
        began = perf_counter()
        noise = self.noise()
        reuse = self.reuse if entry.learned else None
        applied = reuse is not None and not reuse.train
        method: Method
        if reuse is not None and applied:
            method = reuse.of(0).method(physics)
            progress = _Progress(steps=reuse.steps, reason="applied")
        else:
            method = build(entry, options, physics, noise)
            progress = _Progress(**best_of(reuse.of(0).state if reuse else None))
        planned = getattr(options, "steps", None) or getattr(options, "iterations", None)
        total = planned if isinstance(planned, int) else None
        yield Stage(
            entry.label,
            total,
            number,
            len(self.plan.methods),
        )
        shares: dict[str, float] = {}
        state: Mapping[str, Any] | None = None
        if entry.learned and not applied:
            shares = yield from what_can_be_learned(method)
            yield Stage(entry.label, total, number, len(self.plan.methods))
            yield from self._train(cast(LearnedMethod, method), progress)
            if not (cast(LearnedMethod, method).trained and progress.steps):
                yield Notice("Stopped before anything was learned.", "warning")
                return
            if self.keep_models and progress.error is None and progress.snapshot is not None:
                state = progress.snapshot()
            progress.snapshot = None
        if entry.learned:
            yield Stage("Reconstructing", len(self.problem.y), number, len(self.plan.methods))
        images, chosen = yield from self._slices(method, options, progress, learned=entry.learned)
        outcome = Outcome(
            index=(),
            image=images,
            steps=progress.steps,
            best_step=progress.best_step,
            reason="failed" if progress.error is not None else progress.reason,
            scores=_scores(method, progress) | shares if entry.learned and not applied else {},
            model=method if entry.learned and self.keep_models and not applied else None,
            state=state,
            noise=noise,
            chosen=chosen,
        )
        self.steps = max(self.steps, outcome.steps)
        yield from self._deliver(entry, options, outcome, perf_counter() - began, method)
        if progress.error is not None:
            raise progress.error

    def noise(self) -> NoiseEstimate | None:
        """Return the noise for a method; estimated of scans alone, the others have gaps."""
        choice = self.plan.config.noise
        if choice is None or not choice.given or self.problem.instrument in SCANS:
            return noise_for(choice, self.problem.y[len(self.problem.y) // 2], None)
        values = (choice.gain or 0.0, choice.offset or 0.0, choice.read_noise or 0.0)
        return NoiseEstimate(gain=values[0], offset=values[1], sigma=values[2])

    def _train(self, method: LearnedMethod, progress: _Progress) -> Iterator[Event]:
        """Train on all slices at once; what fails after something was learned is kept for later."""
        try:
            state = self.reuse.of(0).state if self.reuse else None
            more = {} if state is None else {"state": state}
            training = method.train(self.problem.y.copy(), **more)
            with closing(cast(Any, training)) as events, lent(self.control):
                for event in events:
                    progress.take(event)
                    progress.snapshot = progress.snapshot or method.snapshot
                    self.control.snapshot = progress.snapshot
                    if not isinstance(event, Done | Preview | Stage):
                        yield event
                    if self.control.stopping:
                        progress.reason = "stopped"
                        return
                    if isinstance(event, Step) and event.finished and self.previews.due:
                        yield from self._show(method, event.index)
        except Exception as failure:
            if not (method.trained and progress.steps):
                raise
            progress.error = failure
            yield Notice(
                f"{type(method).__name__} failed at step {progress.steps}; the best result is "
                "kept.",
                "warning",
            )

    def _show(self, method: LearnedMethod, step: int) -> Iterator[Event]:
        began = perf_counter()
        image = self._one(method, len(self.problem.y) // 2)
        yield self.previews.event(shown(image, self.problem.channels), step, began=began)

    def _one(self, method: Method, number: int) -> FloatImage:
        """Return one slice, without events."""
        own, given, place = self.of_slice(method, number)
        with closing(cast(Any, own.run(given))) as events:
            for event in events:
                if isinstance(event, Done):
                    return _array(event.result[place])
        raise JobFailedError(f"{type(method).__name__} ended without a result.")

    def of_slice(self, method: Method, number: int) -> tuple[Method, FloatImage, Any]:
        """Return the method for a slice, what it takes, and where the slice is in its answer."""
        physics, y = method.physics, self.problem.y
        if method.slab == 1:
            own = method if physics.items is None else method._with(physics.at([number]))
            return own, np.array(y[number], dtype=np.float32), ...
        first = min(max(0, number - method.slab // 2), len(y) - method.slab)
        slab = range(first, first + method.slab)
        own = method if physics.items is None else method._with(physics.at(slab))
        return own, np.array(y[slab.start : slab.stop], dtype=np.float32), number - first

    def _slices(
        self, method: Method, options: Options, progress: _Progress, *, learned: bool
    ) -> Generator[Event, None, tuple[FloatImage, dict[str, float]]]:
        """Reconstruct every slice; stopping keeps what is done, and the rest is NaN."""
        many = len(self.problem.y) > 1
        images: list[FloatImage] = []
        chosen: dict[str, float] = {}
        for number in range(len(self.problem.y)):
            own, given, place = self.of_slice(method, number)
            image: FloatImage | None = None
            with closing(cast(Any, own.run(given))) as events:
                for event in events:
                    if isinstance(event, Done):
                        image = _array(event.result[place])
                        if not learned:
                            progress.take(replace(event, step=event.step or progress.steps))
                        break
                    if isinstance(event, Preview):
                        image = _array(event.image)
                        if self.previews.due:
                            yield self.previews.event(
                                shown(image, self.problem.channels), event.step
                            )
                        if self.control.stopping:
                            progress.reason = "stopped"
                            break
                    elif isinstance(event, Step):
                        if not learned:
                            progress.take(event)
                        yield replace(event, finished=False) if many else event
                    elif isinstance(event, Notice) and number == 0:
                        yield event
            if image is None:
                raise JobFailedError(f"{type(method).__name__} ended without a result.")
            images.append(image)
            chosen = chosen or chosen_by(own, options, progress.steps)
            if many:
                yield Step(number + 1, len(self.problem.y))
            if self.control.stopping and many and not learned:
                progress.reason = "stopped"
                break
        missing = len(self.problem.y) - len(images)
        if missing:
            yield Notice(
                f"{len(images)} of {len(self.problem.y)} slices were reached; the others are "
                "empty.",
                "warning",
            )
        stack = np.full((len(self.problem.y), *images[0].shape), np.nan, dtype=np.float32)
        stack[: len(images)] = np.stack(images)
        return stack, chosen

    def _deliver(
        self,
        entry: Entry,
        options: Options,
        outcome: Outcome,
        seconds: float,
        method: Method,
    ) -> Iterator[Event]:
        problem = self.problem
        data = shown(outcome.image, problem.channels)
        reached = data[np.isfinite(data.reshape(len(data), -1)).any(axis=1)]
        for doubt in doubts(reached, reached):
            yield Notice(f"{entry.label}: {doubt}", "warning")
        label = result_label(entry.key, options, outcome.steps, outcome.chosen)
        recipe = provenance(
            self.plan,
            entry,
            options,
            [outcome],
            device=str(self.device),
            seconds=seconds,
            story=self.reuse.story if self.reuse else None,
        )
        result = problem.result
        image = result.with_data(data.reshape(result.shape), name=f"{result.name} {label}")
        more = dict(phase_of(image, outcome.image, problem.channels))
        if self.plan.config.trust and entry.learned and not self.control.stopping:
            more |= yield from companions_of(method, problem, image)
        yield Result(
            measurement=replace(image, metadata={**image.metadata, METADATA_KEY: recipe.as_dict()}),
            label=label,
            key=entry.key,
            provenance=recipe,
            companions=more,
            models=() if outcome.model is None else (outcome.model,),
            states=() if outcome.model is None else (outcome.state,),
        )


def _scores(method: Method, progress: _Progress) -> dict[str, float]:
    known = dict(getattr(method, "scores", {}))
    if not known and progress.best_score is not None:
        known = {"chosen": progress.best_score}
    return known


def build(entry: Entry, options: Options, physics: Physics, noise: NoiseEstimate | None) -> Method:
    """Return a method for an instrument."""
    kind: type[Method] = entry.load_method()
    facts: dict[str, Any] = {} if noise is None else {"noise": noise.model()}
    if "voxel_size" in signature(kind).parameters:
        facts["voxel_size"] = (1.0,) * len(physics.image_shape)
    return kind(physics, options, **facts)


def _array(image: Any) -> FloatImage:
    if hasattr(image, "detach"):
        image = image.detach().cpu().numpy()
    return np.ascontiguousarray(image, dtype=np.float32)
