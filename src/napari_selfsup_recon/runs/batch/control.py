"""How a batch is ended from outside."""

from __future__ import annotations

import threading

from napari_selfsup_recon.runs.control import Control


class BatchControl(Control):
    """Handle on a running batch; thread-safe.

    :meth:`stop` ends it after the row that is under way. Results in the folder are then all of the
    same quality: none was stopped on its way.

    Parameters
    ----------
    threads
        Threads that torch may use on the CPU; None changes nothing.
    """

    def __init__(self, *, threads: int | None = None) -> None:
        super().__init__(threads=threads, show_preview=False)
        self._leave = threading.Event()

    def leave(self) -> None:
        """End it at once: the row that is under way gives no result and waits again."""
        self.stop()
        self._leave.set()

    @property
    def leaving(self) -> bool:
        """Whether :meth:`leave` was called."""
        return self._leave.is_set()
