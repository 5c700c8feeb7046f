"""One run in progress."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

from napari_selfsup_recon.core.events import Done, Event, Notice, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage, Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.core.provenance import METADATA_KEY
from napari_selfsup_recon.core.registry import Entry
from napari_selfsup_recon.io.growing import Growing, check_folder
from napari_selfsup_recon.methods.base import Method
from napari_selfsup_recon.physics.base import Physics
from napari_selfsup_recon.physics.blur import Blur
from napari_selfsup_recon.physics.identity import Identity
from napari_selfsup_recon.physics.noise_estimate import NoiseEstimate
from napari_selfsup_recon.runs._checks import doubts
from napari_selfsup_recon.runs._frame import Frame, run_classical, run_learned, run_trained
from napari_selfsup_recon.runs._outcome import Outcome
from napari_selfsup_recon.runs._preview import Previews
from napari_selfsup_recon.runs._provenance import provenance
from napari_selfsup_recon.runs._pseudo_clean import denoised
from napari_selfsup_recon.runs._window import select
from napari_selfsup_recon.runs.clean import stacks_of
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.kept import Reuse
from napari_selfsup_recon.runs.names import chosen_by, result_label
from napari_selfsup_recon.runs.noise import noise_for
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.psf_channels import Psf
from napari_selfsup_recon.runs.result import Result


class Job:
    """Runs the methods of a plan one after another, and each of them frame by frame."""

    def __init__(
        self,
        plan: RunPlan,
        control: Control,
        device: torch.device,
        keep_models: bool,
        reuse: Reuse | None = None,
        folder: Path | None = None,
    ) -> None:
        self.plan = plan
        self.control = control
        self.device = device
        self.keep_models = keep_models
        self.reuse = reuse
        self.folder = folder
        self.frames = list(plan.measurement.leading_indices())
        self.steps = 0
        self._clean: FloatImage | None = None

    def run(self) -> Iterator[Event]:
        """Yield the events of the whole run."""
        if self.folder is not None:
            check_folder(self.folder, self.plan.measurement, len(self.plan.methods))
        yield from self._look_at_all()
        for number, (entry, options) in enumerate(self.plan.methods):
            if self.control.stopping:
                break
            yield from self._method(number, entry, options)
        yield Done(step=self.steps, reason="stopped" if self.control.stopping else "finished")

    def _look_at_all(self) -> Iterator[Event]:
        """Read every frame once, so that a bad one is found before any work; the first one was."""
        rest = self.frames[1:]
        if rest:
            yield Stage("Checking the frames", total=len(self.frames))
        for n, index in enumerate(rest, start=2):
            self.plan.measurement.frame(index)
            yield Step(n, len(self.frames))

    def _method(self, number: int, entry: Entry, options: Options) -> Iterator[Event]:
        """Run one method over the frames and deliver what it made, even if it fails on the way."""
        with self._growing() as growing:
            yield from self._frames(number, entry, options, growing)

    @contextmanager
    def _growing(self) -> Iterator[Growing | None]:
        """Yield what a result is written to frame by frame; None where it lies in memory."""
        growing = None if self.folder is None else Growing(self.folder, self.plan.measurement)
        try:
            yield growing
        finally:
            if growing is not None:
                growing.drop()

    def _frames(
        self, number: int, entry: Entry, options: Options, growing: Growing | None
    ) -> Iterator[Event]:
        began = perf_counter()
        outcomes: list[Outcome] = []
        error: Exception | None = None
        try:
            for n, index in enumerate(self.frames):
                if self.control.stopping:
                    break
                part = number * len(self.frames) + n
                outcome = yield from self._frame(entry, options, index, part)
                if outcome is None:
                    break
                outcomes.append(outcome if growing is None else _put_away(outcome, growing))
                error = outcome.error
                if error is not None:
                    break
        except Exception as failure:
            error = failure
        if outcomes:
            self.steps = max(o.steps for o in outcomes)
            if growing is not None:
                parts = len(self.frames) * len(self.plan.methods)
                reached = number * len(self.frames) + len(outcomes) - 1
                yield Stage("Writing the result", None, reached, parts)
            yield from self._deliver(entry, options, outcomes, perf_counter() - began, growing)
        if error is not None:
            raise error

    def _frame(
        self, entry: Entry, options: Options, index: tuple[int, ...], part: int
    ) -> Generator[Event, None, Outcome | None]:
        measured = self.plan.measurement.frame(index)
        parts = len(self.frames) * len(self.plan.methods)
        total = getattr(options, "steps", None) or getattr(options, "iterations", None)
        yield Stage(entry.label, total if isinstance(total, int) else None, part, parts)
        kept = self.reuse.of(self.frames.index(index)) if self.reuse and entry.learned else None
        if self.reuse and kept and not self.reuse.train:
            noise = None
            method: Method = kept.method(self._physics(kept.psf))
            frame = Frame(index, measured, self.control, self._previews(), part, parts)
            outcome = yield from run_trained(method, frame, steps=self.reuse.steps)
        else:
            psf = self.plan.psf_of(index)
            noise = noise_for(self.plan.config.noise, measured, psf)
            method = self.build(entry, options, noise, psf)
            clean = (yield from self.examples(options)) if entry.clean else None
            if entry.clean and self.control.stopping:
                yield Notice("Stopped before anything was learned.", "warning")
                return None
            state = kept.state if kept else None
            frame = Frame(
                index, measured, self.control, self._previews(), part, parts, clean, state
            )
            run = run_learned if entry.learned else run_classical
            outcome = yield from run(method, frame, keep_model=self.keep_models)
        if outcome is not None:
            outcome = replace(
                outcome, noise=noise, chosen=chosen_by(method, options, outcome.steps)
            )
            background = getattr(options, "background", 0.0)
            where = f" (frame {list(index)})" if len(self.frames) > 1 else ""
            for doubt in doubts(
                outcome.image, measured, background if isinstance(background, float) else 0.0
            ):
                yield Notice(f"{entry.label}{where}: {doubt}", "warning")
        return outcome

    def build(
        self, entry: Entry, options: Options, noise: NoiseEstimate | None, psf: Psf | None
    ) -> Method:
        """Return a method for the frames of the plan that have this PSF."""
        kind: type[Method] = entry.load_method()
        facts: dict[str, Any] = {} if noise is None else {"noise": noise.model()}
        if "voxel_size" in signature(kind).parameters:
            facts["voxel_size"] = self.plan.measurement.spatial_scale
        return kind(self._physics(psf), options, **facts)

    def _physics(self, psf: Psf | None) -> Physics:
        shape = self.plan.measurement.spatial_shape
        if psf is None:
            return Identity(shape)
        return Blur(psf, shape, boundary=self.plan.config.physics.boundary)

    def examples(self, options: Options) -> Generator[Event, None, FloatImage | None]:
        """Return the clean examples, read or made once."""
        clean, ndim = self.plan.clean, self.plan.measurement.spatial_ndim
        choice = self.plan.config.clean
        if self._clean is None and clean is not None and choice is not None:
            stacks: FloatImage | None = stacks_of(clean, ndim)
            if choice.source == "denoised" and stacks is not None:
                stacks = yield from denoised(
                    stacks,
                    ndim,
                    steps=choice.steps,
                    seed=int(getattr(options, "seed", 0)),
                    device=str(self.device),
                    control=self.control,
                )
            self._clean = stacks
        return self._clean

    def _previews(self) -> Previews:
        return Previews(self.plan.preview_region, self.plan.config.preview_every, self.control)

    def _deliver(
        self,
        entry: Entry,
        options: Options,
        outcomes: list[Outcome],
        seconds: float,
        growing: Growing | None,
    ) -> Iterator[Event]:
        reached = outcomes[-1].index
        measurement = self.plan.measurement
        if len(outcomes) < len(self.frames):
            yield Notice(
                f"{entry.label} reached {len(outcomes)} of {len(self.frames)} frames; "
                "only these are delivered.",
                "warning",
            )
            measurement = _up_to(measurement, reached)
        steps = max(o.steps for o in outcomes)
        label = result_label(entry.key, options, steps, *(o.chosen for o in outcomes))
        recipe = provenance(
            self.plan,
            entry,
            options,
            outcomes,
            device=str(self.device),
            seconds=seconds,
            story=self.reuse.story if self.reuse else None,
        )
        image = replace(measurement, name=f"{measurement.name} {label}")
        path: Path | None = None
        if growing is None:
            data: Any = _stacked(measurement.shape, outcomes)
        else:
            path, data = growing.finish(image, recipe)
            yield Notice(f"Written to {path}.")
        image = image.with_data(data)
        yield Result(
            measurement=replace(image, metadata={**image.metadata, METADATA_KEY: recipe.as_dict()}),
            label=label,
            key=entry.key,
            provenance=recipe,
            companions=_companions(measurement, image, label) if entry.clean else {},
            models=tuple(o.model for o in outcomes if o.model is not None),
            states=tuple(o.state for o in outcomes if o.model is not None),
            path=path,
        )


def _companions(measured: Measurement, image: Measurement, label: str) -> dict[str, Measurement]:
    """Return the noise that was taken out: where it shows shapes, they were lost."""
    name = f"{measured.name} {label} noise"
    if not isinstance(image.data, np.ndarray):
        return {"residual": image.with_data(_lazy_noise(measured, image), name=name)}
    noise = np.empty(image.shape, dtype=np.float32)
    for index in measured.leading_indices():
        noise[index] = measured.frame(index) - image.data[index]
    return {"residual": image.with_data(noise, name=name)}


def _lazy_noise(measured: Measurement, image: Measurement) -> Any:
    """Return measurement minus image, neither of which is read before it is looked at."""
    import dask.array

    known = measured.data
    if not isinstance(known, dask.array.Array):
        known = dask.array.from_array(known, chunks=image.data.chunksize, name=False)  # type: ignore[no-untyped-call, unused-ignore]
    return known.astype(np.float32) - image.data


def _put_away(outcome: Outcome, growing: Growing) -> Outcome:
    """Write the image of one frame, and let go of it."""
    growing.put(outcome.index, outcome.image)
    return replace(outcome, image=np.broadcast_to(np.float32(0), outcome.image.shape))


def _up_to(measurement: Measurement, last: tuple[int, ...]) -> Measurement:
    """Return the measurement without the entries of its first axis behind ``last``."""
    rest = (slice(None),) * (len(measurement.shape) - 1)
    return select(measurement, (slice(0, last[0] + 1), *rest))


def _stacked(shape: tuple[int, ...], outcomes: list[Outcome]) -> FloatImage:
    """Return the images in one array; NaN where a frame was not reached."""
    if len(outcomes) == 1 and outcomes[0].image.size == np.prod(shape):
        return outcomes[0].image.reshape(shape)
    data: np.ndarray[Any, np.dtype[np.float32]] = np.full(shape, np.nan, dtype=np.float32)
    for outcome in outcomes:
        data[outcome.index] = outcome.image
    return data
