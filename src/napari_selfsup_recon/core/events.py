"""What long work tells about itself.

Long work is a generator of these values. It knows nothing of who listens: a script exhausts it, the
command line draws a bar, a window draws curves and images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class Stage(Event):
    """A named part of the work begins, for example ``"Lucy-Richardson"`` or ``"Training"``.

    ``total`` is the number of steps if known; ``part`` and ``parts`` count channels, times or
    methods that run one after another under one progress.
    """

    name: str
    total: int | None = None
    part: int = 0
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Step(Event):
    """One step (or a part of one) is done.

    Attributes
    ----------
    index
        Steps done so far, from 1.
    total
        Steps planned.
    loss
        Training loss of the step, None for classical methods without one.
    score
        Held-out score (lower is better) where one was computed at this step.
    seconds_left
        Estimated time to the end of this stage.
    finished
        False for the yields between the micro-batches of one step.
    """

    index: int
    total: int
    loss: float | None = None
    score: float | None = None
    seconds_left: float | None = None
    finished: bool = True
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview(Event):
    """An image of the current state: float32, units and shape of the (previewed) measurement."""

    image: np.ndarray[Any, np.dtype[np.float32]]
    step: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the user should know: a restart, an early stop, a repair."""

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class Checkpoint(Event):
    """The state was brought to a point from which ``state`` resumes bit-exactly on the CPU."""

    step: int
    state: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done(Event):
    """The end. ``result`` is the image where the work makes one, else None.

    ``reason`` is ``"finished"``, ``"converged"`` or ``"stopped"``.
    """

    result: Any = None
    step: int = 0
    reason: str = "finished"
