"""How long a method would take on this machine: measured on a few steps of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from statistics import median
from time import perf_counter
from typing import Any, cast, get_args

from napari_selfsup_recon.core.errors import InputError
from napari_selfsup_recon.core.events import Done, Event, Step
from napari_selfsup_recon.core.generators import relay
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.core.options import Options
from napari_selfsup_recon.runs.config import RunConfig
from napari_selfsup_recon.runs.plan import RunPlan

# Seconds: of steps that are looked at, and after which no more is waited for.
_LOOK, _PATIENCE = 1.0, 10.0
# Edges of the part that is worked on; crops of training must fit, with room around them.
_SIDE = {2: (160, 160), 3: (32, 64, 64)}
_ROOM = {2: (32, 32), 3: (8, 16, 16)}


@dataclass(frozen=True)
class Pace:
    """What was measured.

    Attributes
    ----------
    step
        Seconds of one step of training; 0 where nothing is trained.
    whole
        Seconds of a run without training; 0 where there is training.
    ended
        False where it takes longer than that.
    """

    step: float = 0.0
    whole: float = 0.0
    ended: bool = True

    def seconds(self, options: Options) -> float:
        """Return how long it takes with so many steps, if it does not end earlier by itself."""
        return self.whole + self.step * int(getattr(options, "steps", 0) or 0)


def small_part(
    config: RunConfig, measurement: Measurement, options: Options
) -> tuple[RunConfig, float]:
    """Return the run on a part that is quick to prepare, and how many such parts there are.

    Only the method itself runs: no baseline, no live images, no companions. Training starts from
    something simple: that costs the same a step.
    """
    changes: dict[str, Any] = {"baseline": None, "trust": False, "preview_every": 0.0}
    if (start := _plain_start(options)) is not None:
        changes["options"] = {**config.options, "start": start}
    if config.task == "reconstruct":
        return config.model_copy(update=changes), 1.0
    frames = config.frames or tuple(measurement.leading_indices())
    shape = measurement.spatial_shape
    whole = config.region or tuple((0, n) for n in shape)
    crop = _crop(options, len(shape))
    region = tuple(
        _middle(edge, max(side, n + room))
        for edge, side, n, room in zip(
            whole, _SIDE[len(shape)], crop, _ROOM[len(shape)], strict=True
        )
    )
    parts = prod(b - a for a, b in whole) / prod(b - a for a, b in region)
    changes |= {"frames": frames[:1], "region": region, "preview_region": None}
    return config.model_copy(update=changes), parts * len(frames)


def measure_pace(
    plan: RunPlan, *, frames: int = 1, parts: float = 1.0, threads: int | None = None
) -> Generator[str, None, Pace]:
    """Run a few steps of the method of a plan, and throw away what they made.

    Parameters
    ----------
    plan
        Of :func:`small_part`.
    frames
        Images that are trained on one after another.
    parts
        Parts like this that make up the whole.
    threads
        Threads that torch may use.

    Yields
    ------
    str
        What is being done; where this is closed, the work ends.

    Raises
    ------
    InputError
        If the method cannot work on this, or no step began in time.
    """
    from napari_selfsup_recon.runs.execute import limited_threads

    entry, _ = plan.methods[-1]
    with limited_threads(threads):
        yield "Preparing"
        began = perf_counter()
        method, images, clean = yield from _ready(plan)
        if entry.learned:
            step, ended = yield from _step(method.train(images, clean=clean), began)
            return Pace(step=step * frames, ended=ended)
        seconds, ended = yield from _once(method.run(images.copy()), perf_counter())
        if ended and seconds < _LOOK:  # the first time, much is only made ready
            seconds, ended = yield from _once(method.run(images.copy()), perf_counter())
        return Pace(whole=seconds * parts, ended=ended)


def _ready(plan: RunPlan) -> Generator[str, None, tuple[Any, Any, Any]]:
    """Return the method of a plan, what it works on, and its clean examples."""
    from napari_selfsup_recon.runs._job import Job
    from napari_selfsup_recon.runs._recon_job import ReconJob, build
    from napari_selfsup_recon.runs.control import Control
    from napari_selfsup_recon.runs.noise import noise_for
    from napari_selfsup_recon.training.device import pick_device

    (entry, options), device = plan.methods[-1], pick_device(plan.device)
    if plan.problem is not None:
        scan = ReconJob(plan, Control(), device, False)
        method = build(entry, options, plan.problem.build(), scan.noise())
        if entry.learned:
            return method, plan.problem.y.copy(), None
        own, given, _ = scan.of_slice(method, len(plan.problem.y) // 2)
        return own, given, None
    if entry.clean and plan.config.clean is not None and plan.config.clean.source == "denoised":
        raise InputError(
            "The clean examples are to be made first.", hint="Preview shows how long that takes."
        )
    job = Job(plan, Control(), device, False)
    first = job.frames[0]
    measured, psf = plan.measurement.frame(first), plan.psf_of(first)
    yield "Preparing"
    noise = noise_for(plan.config.noise, measured, psf)
    clean = None
    if entry.clean:
        clean = yield from relay(job.examples(options), lambda _: "Preparing")
    return job.build(entry, options, noise, psf), measured.copy(), clean


def _step(training: Iterator[Event], began: float) -> Generator[str, None, tuple[float, bool]]:
    """Return the seconds of a step of training, and whether one came to its end in time."""
    marks: list[float] = []
    first: float | None = None
    now = began
    with closing(cast(Any, training)) as events:
        for event in events:
            before, now = now, perf_counter()
            yield "Training"
            if isinstance(event, Step):
                first = before if first is None else first
                if event.finished and event.loss is not None:
                    marks.append(now)
            if len(marks) > 2 and marks[-1] - marks[0] > _LOOK:
                break
            if now - began > (_PATIENCE if marks else 2 * _PATIENCE):
                break
    if len(marks) > 1:
        return median(after - before for before, after in pairwise(marks)), True
    if first is not None:
        return (marks[0] if marks else now) - first, bool(marks)
    raise InputError(
        f"Preparing took more than {2 * _PATIENCE:.0f} s.", hint="Preview works on a smaller part."
    )


def _once(run: Iterator[Event], began: float) -> Generator[str, None, tuple[float, bool]]:
    """Return the seconds of a run, and whether it came to its end in time."""
    with closing(cast(Any, run)) as events:
        for event in events:
            seconds = perf_counter() - began
            if isinstance(event, Done) or seconds > _PATIENCE / 2:
                return seconds, isinstance(event, Done)
            yield "Running"
    return perf_counter() - began, True


def _plain_start(options: Options) -> str | None:
    """Return how learning may start without work; None where it has no start to choose."""
    field = type(options).model_fields.get("start")
    known = get_args(field.annotation) if field is not None else ()
    return next((name for name in ("none", "inverse") if name in known), None)


def _crop(options: Options, ndim: int) -> tuple[int, ...]:
    side = int(getattr(options, "crop", 0))
    if ndim == 2:
        return side, side
    lateral = int(getattr(options, "volume_crop", side))
    return int(getattr(options, "volume_depth", 0)), lateral, lateral


def _middle(edge: tuple[int, int], most: int) -> tuple[int, int]:
    """Return at most so many pixels in the middle of an edge."""
    first, behind = edge
    extent = min(most, behind - first)
    start = first + (behind - first - extent) // 2
    return start, start + extent
