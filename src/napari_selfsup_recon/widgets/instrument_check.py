"""What is to be said of a scan or a mask, found out on a few slices in a thread."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import prod
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.runs.problem import Problem, pose
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.request import Request, few_slices

# Values that are looked at without holding up the window.
_QUICK = 150_000


@dataclass(frozen=True, eq=False)
class Posed:
    """A problem (of a few slices), or why there is none."""

    problem: Problem | None = None
    why: str = ""


class InstrumentCheck(QObject):
    """Poses the problem of a request; the same one only once.

    Attributes
    ----------
    answered
        Emitted when an answer came later than :meth:`look` returned.
    """

    answered = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.background = Background(self)
        self.answer: Posed | None = None
        self._asked: object = None

    def look(self, request: Request) -> Posed | None:
        """Return what is known of the problem of ``request``; None if that takes a while."""
        measurement = request.source.measurement
        question = (
            request.config.physics,
            id(measurement.data) if request.source.layer() is None else _identity(request),
            {name: id(values) for name, values in request.given.items()},
            measurement.scale,
            measurement.units,
        )
        if question == self._asked:
            return self.answer
        self._asked, self.answer = question, None
        if self.background.busy:
            self.background.cancel()
        if prod(measurement.shape) <= _QUICK:
            self.answer = _pose(request)
            return self.answer

        def work() -> Generator[str, None, Posed]:
            yield "Looking at the measurement"
            return _pose(request)

        self.background.start(work, self._on_answer, self._on_failure)
        return None

    def forget(self) -> None:
        """Look anew at what comes next."""
        self._asked, self.answer = None, None
        if self.background.busy:
            self.background.cancel()

    def _on_answer(self, answer: Posed) -> None:
        self.answer = answer
        self.answered.emit()

    def _on_failure(self, error: ReconError) -> None:
        self._on_answer(Posed(why=str(error)))


def _pose(request: Request) -> Posed:
    try:
        config = few_slices(request)
        return Posed(pose(config, request.source.measurement, request.given))
    except ReconError as error:
        return Posed(why=str(error))


def _identity(request: Request) -> tuple[int, Any]:
    """Return what changes when the layer shows other data."""
    layer = request.source.layer()
    return id(None if layer is None else layer.data), request.source.fixed
