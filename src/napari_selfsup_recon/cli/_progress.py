"""A progress bar on the error stream, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from napari_selfsup_recon.core.events import Done, Event, Notice, Stage, Step
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.result import Result


class Progress:
    """Draws one bar a stage; a context manager."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def show(self, event: Event) -> None:
        """Draw what ``event`` says."""
        if self._quiet:
            return
        if isinstance(event, Stage):
            self._begin(event)
        elif isinstance(event, Step) and event.finished and self._bar is not None:
            self._bar.total = event.total
            if event.loss is not None:
                facts = {"loss": f"{event.loss:.3g}"}
                if event.score is not None:
                    self._score = f"{event.score:.3g}"
                if self._score:
                    facts["held-out"] = self._score
                self._bar.set_postfix(facts, refresh=False)
            self._bar.update(event.index - self._bar.n)
        elif isinstance(event, Result | Done):
            self.end()
        elif isinstance(event, Notice):
            self.say(event.message if event.level == "info" else f"{event.level}: {event.message}")

    def say(self, text: str) -> None:
        """Print a line beside the bar."""
        if self._quiet:
            return
        if self._bar is None:
            print(text, file=sys.stderr)
        else:
            self._bar.write(text, file=sys.stderr)

    def _begin(self, stage: Stage) -> None:
        from tqdm import tqdm

        self.end()
        self._score = ""
        name = f"{stage.name} {stage.part + 1}/{stage.parts}" if stage.parts > 1 else stage.name
        self._bar = tqdm(total=stage.total, desc=name, unit="step", file=sys.stderr)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


@contextmanager
def interruptible(
    control: Control,
    progress: Progress,
    *,
    says: str = "Stopping; the best so far is kept. Ctrl-C again discards it.",
    again: Callable[[], bool] | None = None,
) -> Iterator[None]:
    """Make the first Ctrl-C stop and keep, and the second one discard (KeyboardInterrupt).

    Parameters
    ----------
    control
        Is asked to stop.
    progress
        Tells of it.
    says
        What is told.
    again
        Called at the next Ctrl-C; whether that was enough, so that none is raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if not control.stopping:
            control.stop()
            progress.say(says)
        elif again is None or not again():
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
