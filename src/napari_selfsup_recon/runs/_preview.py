"""When a live image is due and what part of the image it shows."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from napari_selfsup_recon.core.events import Preview
from napari_selfsup_recon.core.measurement import Region
from napari_selfsup_recon.runs.control import Control

# Live images may take a quarter of the time at most.
_PATIENCE = 3.0


class Previews:
    """The clock of live images: the first is due at once.

    Parameters
    ----------
    region
        What they show.
    every
        Seconds between two of them; never where 0. Dear ones come less often.
    control
        Says whether somebody is looking.
    """

    def __init__(self, region: Region, every: float, control: Control) -> None:
        self.region = region
        self._every = every
        self._control = control
        self._last = float("-inf")
        self._cost = 0.0

    @property
    def due(self) -> bool:
        """Whether a live image should be made now."""
        wait = max(self._every, _PATIENCE * self._cost)
        wanted = self._every > 0 and self._control.show_preview
        return wanted and perf_counter() - self._last >= wait

    def crop(self, image: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return the part of ``image`` that is shown."""
        return image[self.region]

    def event(self, image: Any, step: int, *, began: float | None = None) -> Preview:
        """Return the event for an image of the shown part, which was begun at ``began``."""
        now = perf_counter()
        self._cost = 0.0 if began is None else now - began
        self._last = now
        return Preview(np.ascontiguousarray(image, dtype=np.float32), step)
