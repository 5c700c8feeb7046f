"""What a run told of its training, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from time import perf_counter
from typing import Any, cast

from napari_selfsup_recon.core.events import Event, Stage, Step
from napari_selfsup_recon.io.curves import Mark
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.plan import RunPlan

_NONE = (None, None)


class History:
    """Gathers the steps of a run that have a loss or a held-out score.

    Attributes
    ----------
    marks
        The steps; appended to while the run goes on.
    """

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._part: int | None = None
        self._began = perf_counter()
        self._frame = -1
        self._attempt = 0
        self._step = 0

    def take(self, event: Event) -> None:
        """Take an event of the run."""
        if isinstance(event, Stage) and event.part != self._part:
            self._part, self._began = event.part, perf_counter()
            self._step = 0
        elif isinstance(event, Step) and event.finished and (event.loss, event.score) != _NONE:
            self._add(event)

    def _add(self, step: Step) -> None:
        if self._step == 0:
            self._frame, self._attempt = self._frame + 1, 0
        elif step.index <= self._step:
            self._attempt += 1
        self._step = step.index
        seconds = perf_counter() - self._began
        self.marks.append(
            Mark(self._frame, self._attempt, step.index, seconds, step.loss, step.score)
        )


def run_and_record(
    run: Callable[[RunPlan, Control], Iterator[Event]],
    history: History,
    plan: RunPlan,
    control: Control,
) -> Iterator[Event]:
    """Run; what is told of the training is gathered on the way."""
    with closing(cast(Any, run(plan, control))) as events:
        for event in events:
            history.take(event)
            yield event
