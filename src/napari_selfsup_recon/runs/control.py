"""What the driver of a run may change while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Control:
    """Handle on a running :func:`~napari_selfsup_recon.runs.execute.execute`; thread-safe.

    Parameters
    ----------
    threads
        Threads that torch may use on the CPU during the run; what was set before is restored at
        its end. None changes nothing. A window gives one less than the machine has.
    show_preview
        Whether somebody looks at previews now; none is computed where it is False.

    Attributes
    ----------
    snapshot
        While a method trains, returns what training can go on from; to be called in the thread of
        the run, between its events.
    """

    def __init__(self, *, threads: int | None = None, show_preview: bool = True) -> None:
        self.threads = threads
        self.show_preview = show_preview
        self.snapshot: Callable[[], Mapping[str, Any]] | None = None
        self._stop = threading.Event()

    def stop(self) -> None:
        """Ask to stop and to keep what was reached; the run then delivers it and ends."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._stop.is_set()


@contextmanager
def lent(control: Control) -> Iterator[None]:
    """Take back, at the end of a training, what training could go on from: it holds the method."""
    try:
        yield
    finally:
        control.snapshot = None
