"""Between a run and a window: a plain generator that pauses, gathers steps and swallows nothing.

It runs in a worker thread and knows nothing of Qt. Whatever goes wrong becomes a :class:`Failure`
event: Qt workers keep silent about every ``RuntimeError`` of the generators that they drive, and
running out of memory on a GPU is one.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

from napari_selfsup_recon.core.errors import JobFailedError, ReconError
from napari_selfsup_recon.core.events import Checkpoint, Event, Step
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.failures import as_recon_error
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.widgets.warm_up import wait_for_torch

logger = logging.getLogger("napari_selfsup_recon")

# A window repaints 10 times a second at most: drawing every step would cost training speed.
_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """The input was found good; this is what is run."""

    plan: RunPlan


@dataclass(frozen=True, slots=True)
class Progress(Event):
    """The steps since the last report."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Failure(Event):
    """The run ended with an error; ``details`` is what a report of a bug needs."""

    error: ReconError
    details: str


@dataclass(frozen=True)
class Valve:
    """What the window turns: pause and abort; thread-safe."""

    control: Control
    _open: threading.Event = field(default_factory=threading.Event)
    _abort: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._open.set()

    def pause(self) -> None:
        """Hold the run at its next event."""
        self._open.clear()

    def resume(self) -> None:
        """Let it go on."""
        self._open.set()

    def abort(self) -> None:
        """End it at its next event, without a result."""
        self._abort.set()
        self._open.set()

    @property
    def aborted(self) -> bool:
        """Whether :meth:`abort` was called."""
        return self._abort.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for :meth:`resume`, but not longer than ``seconds``; whether it is open."""
        return self._open.wait(seconds)


def drive(
    make_plan: Callable[[], RunPlan],
    run: Callable[[RunPlan, Control], Iterator[Event]],
    valve: Valve,
) -> Iterator[Event | None]:
    """Make the plan, run it, and yield what a window has to know.

    Parameters
    ----------
    make_plan
        Checks the input; called first.
    run
        :func:`napari_selfsup_recon.runs.execute.execute`, or a stand-in.
    valve
        Pauses and aborts.

    Yields
    ------
    Event or None
        :class:`Planned`; :class:`Progress` in the place of steps, 10 times a second at most; the
        other events as they come; :class:`Failure` where it ends with an error. None while paused,
        so that a driver can end it then, too.
    """
    try:
        wait_for_torch()
        plan = make_plan()
        yield Planned(plan)
        with closing(cast(Any, run(plan, valve.control))) as events:
            yield from _gather(events, valve)
    except Exception as error:
        details = traceback.format_exc()
        known = as_recon_error(error)
        if isinstance(known, JobFailedError):
            logger.error("A run failed.\n%s", details)
        yield Failure(_alone(known), details)


def _alone(error: ReconError) -> ReconError:
    """Return the error without what it refers to: the frames of the run, and in them its data."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _gather(events: Iterator[Event], valve: Valve) -> Iterator[Event | None]:
    steps: list[Step] = []
    last = 0.0
    for event in events:
        while not valve.wait(0.05):
            yield None
        if valve.aborted:
            return
        now = time.perf_counter()
        if isinstance(event, Checkpoint):
            continue
        if isinstance(event, Step):
            if event.finished:
                steps.append(event)
            if now - last < _INTERVAL:
                continue
        if steps:
            yield Progress(tuple(steps))
            steps.clear()
            last = now
        if not isinstance(event, Step):
            yield event
        elif now - last >= _INTERVAL:
            # Between the parts of a long step there is nothing to show, but a chance to be ended.
            last = now
            yield None
    if steps:
        yield Progress(tuple(steps))
