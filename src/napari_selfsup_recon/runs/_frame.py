"""One method on one frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any, cast

import numpy as np

from napari_selfsup_recon.core.errors import JobFailedError
from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage, Step
from napari_selfsup_recon.core.measurement import FloatImage
from napari_selfsup_recon.methods.base import ClassicalMethod, LearnedMethod, Method
from napari_selfsup_recon.runs._outcome import Outcome
from napari_selfsup_recon.runs._preview import Previews
from napari_selfsup_recon.runs.control import Control, lent


@dataclass(frozen=True)
class Frame:
    """An image or volume, where it stands in the run, and who is watching."""

    index: tuple[int, ...]
    measured: FloatImage
    control: Control
    previews: Previews
    part: int
    parts: int
    clean: FloatImage | None = None
    state: Mapping[str, Any] | None = None


def run_classical(
    method: Method, frame: Frame, *, keep_model: bool
) -> Generator[Event, None, Outcome | None]:
    """Run a method without training.

    When asked to stop, the last image that the method showed is the result; until it has shown one,
    it goes on.
    """
    method = cast(ClassicalMethod, method)
    steps = 0
    shown: tuple[FloatImage, int] | None = None
    # A copy, since the measurement is looked at once more when the result is checked.
    with closing(cast(Any, method.run(frame.measured.copy()))) as events:
        for event in events:
            if isinstance(event, Done):
                image = _image(event.result, frame)
                return Outcome(frame.index, image, steps or event.step, steps, event.reason)
            if isinstance(event, Preview):
                shown = (event.image, event.step)
                if frame.previews.due:
                    yield frame.previews.event(frame.previews.crop(event.image), event.step)
            else:
                steps = event.index if isinstance(event, Step) and event.finished else steps
                yield _of_frame(event, frame)
            if frame.control.stopping and shown is not None:
                return Outcome(frame.index, _image(shown[0], frame), shown[1], shown[1], "stopped")
    raise JobFailedError(f"{type(method).__name__} ended without a result.")


def run_learned(
    method: Method, frame: Frame, *, keep_model: bool
) -> Generator[Event, None, Outcome | None]:
    """Train on the frame and reconstruct it; None if it was stopped before anything was learned.

    If training fails when something was learned already, the outcome carries both the best image
    so far and the error.
    """
    method = cast(LearnedMethod, method)
    progress = _Progress(**best_of(frame.state))
    error: Exception | None = None
    try:
        yield from _train(method, frame, progress)
    except Exception as failure:
        if not (method.trained and progress.steps):
            raise
        error, progress.reason = failure, "failed"
        yield Notice(
            f"{type(method).__name__} failed at step {progress.steps}; the best result is kept.",
            "warning",
        )
    if not (method.trained and progress.steps):
        yield Notice("Stopped before anything was learned.", "warning")
        return None
    state = progress.snapshot() if keep_model and error is None and progress.snapshot else None
    progress.snapshot = None
    yield Stage("Reconstructing", None, frame.part, frame.parts)
    try:
        image = yield from _reconstruct(method, frame)
    except Exception:
        if error is None:
            raise
        raise error from None  # what went wrong first is what the user has to know
    return Outcome(
        index=frame.index,
        image=image,
        steps=progress.steps,
        best_step=progress.best_step,
        reason=progress.reason,
        scores=getattr(method, "scores", {}) or progress.scores,
        model=method if keep_model else None,
        state=state,
        error=error,
    )


def run_trained(
    method: Method, frame: Frame, *, steps: int
) -> Generator[Event, None, Outcome | None]:
    """Reconstruct the frame with what was trained before, in ``steps`` steps."""
    yield Stage("Reconstructing", None, frame.part, frame.parts)
    image = yield from _reconstruct(cast(LearnedMethod, method), frame)
    return Outcome(frame.index, image, steps, getattr(method, "best_step", steps), "applied")


def best_of(state: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the best that was reached before training goes on from ``state``."""
    return {} if state is None else {k: state[k] for k in ("best_score", "best_step") if k in state}


@dataclass
class _Progress:
    steps: int = 0
    best_step: int = 0
    best_score: float | None = None
    reason: str = "finished"
    snapshot: Callable[[], Mapping[str, Any]] | None = None

    @property
    def scores(self) -> dict[str, float]:
        return {} if self.best_score is None else {"chosen": self.best_score}

    def take(self, event: Event) -> None:
        if isinstance(event, Step) and event.finished:
            self.steps = event.index
            if event.score is not None and (
                self.best_score is None or event.score < self.best_score
            ):
                self.best_score, self.best_step = event.score, event.index
        elif isinstance(event, Done):
            self.reason = event.reason
            self.best_step = event.step  # 0: what learning started from


def _train(
    method: LearnedMethod, frame: Frame, progress: _Progress
) -> Generator[Event, None, None]:
    previews = frame.previews
    more = {} if frame.state is None else {"state": frame.state}
    training = method.train(frame.measured.copy(), clean=frame.clean, **more)
    with closing(cast(Any, training)) as events, lent(frame.control):
        for event in events:
            progress.take(event)
            progress.snapshot = progress.snapshot or method.snapshot
            frame.control.snapshot = progress.snapshot
            if not isinstance(event, Done | Preview):
                yield _of_frame(event, frame)
            if frame.control.stopping:
                progress.reason = "stopped"
                return
            if isinstance(event, Preview):  # what learning starts from
                if previews.due and event.image.shape == frame.measured.shape:
                    yield previews.event(previews.crop(event.image), event.step)
            elif isinstance(event, Step) and event.finished and previews.due:
                yield from _show(method, frame, event)


def _show(method: LearnedMethod, frame: Frame, step: Step) -> Generator[Event, None, None]:
    """Make a live image, with events between its tiles."""
    began = perf_counter()
    quick, part = method.live(frame.measured, frame.previews.region)
    with closing(cast(Any, quick.run(part))) as run:
        for event in run:
            if isinstance(event, Done):
                yield frame.previews.event(event.result, step.index, began=began)
                return
            yield replace(step, score=None, finished=False)
            if frame.control.stopping or not frame.control.show_preview:
                return


def _reconstruct(method: LearnedMethod, frame: Frame) -> Generator[Event, None, FloatImage]:
    with closing(cast(Any, method.run(frame.measured.copy()))) as events:
        for event in events:
            if isinstance(event, Done):
                return _image(event.result, frame)
            yield _of_frame(event, frame)
    raise JobFailedError(f"{type(method).__name__} ended without a result.")


def _of_frame(event: Event, frame: Frame) -> Event:
    """Return a stage of the method's own as one of this frame, and other events as they are."""
    return replace(event, part=frame.part, parts=frame.parts) if isinstance(event, Stage) else event


def _image(image: Any, frame: Frame) -> FloatImage:
    if hasattr(image, "detach"):
        image = image.detach().cpu().numpy()
    result = np.ascontiguousarray(image, dtype=np.float32)
    if result.size != frame.measured.size:
        raise JobFailedError(
            f"The method returned an image of shape {result.shape} for one of shape "
            f"{frame.measured.shape}."
        )
    return result.reshape(frame.measured.shape)
