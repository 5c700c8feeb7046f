"""How long methods would take here: measured one after another, beside the window."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Generator, Mapping
from math import prod
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_selfsup_recon.core.errors import ReconError
from napari_selfsup_recon.methods.registry import METHODS
from napari_selfsup_recon.runs._scan import rows_of
from napari_selfsup_recon.runs.instruments import SCANS, Tomograph
from napari_selfsup_recon.runs.pace import Pace, measure_pace, small_part
from napari_selfsup_recon.runs.plan import resolve
from napari_selfsup_recon.widgets._humanize import about
from napari_selfsup_recon.widgets.background import Background
from napari_selfsup_recon.widgets.choices import MethodChoice
from napari_selfsup_recon.widgets.request import Request, few_slices

# Of these the time of a step does not depend.
_FREE = {"steps", "seed", "patience", "learning_rate", "device"}
_MOST_KEPT = 200
# The machine is the same for all docks: by what was measured, how long it took or why it could not.
_KNOWN: OrderedDict[tuple[Any, ...], Pace | str] = OrderedDict()


class Stopwatch(QObject):
    """Measures how long methods would take.

    Parameters
    ----------
    dock
        Qt parent, with which it ends.

    Attributes
    ----------
    changed
        Emitted when one more is known, and when the work begins or ends.
    now
        Label of the method that is being measured, empty if none is.
    """

    changed = Signal()

    def __init__(self, dock: QObject) -> None:
        super().__init__(dock)
        self._background = Background(self)
        self._background.end_with(dock)
        self._queue: list[tuple[tuple[Any, ...], Request]] = []
        self.now = ""

    @property
    def busy(self) -> bool:
        """Whether something is being measured."""
        return self._background.busy

    def measure(self, wanted: Mapping[str, tuple[MethodChoice, Request | ReconError]]) -> None:
        """Measure methods one after another; those that are known are passed over.

        Parameters
        ----------
        wanted
            By key: what is chosen, and what it would run, or why it cannot.
        """
        self.cancel()
        requests = [request for _, request in wanted.values() if isinstance(request, Request)]
        if not requests:
            return
        for choice, request in wanted.values():
            if isinstance(request, Request):
                key = _key(request, choice)
                if not isinstance(_KNOWN.get(key), Pace):
                    self._queue.append((key, request))
            else:
                _keep(_key(requests[0], choice), request.message)
        self._go_on()

    def told(
        self, request: Request, choices: Mapping[str, MethodChoice]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return how long the methods take, as far as known, and why others could not be measured.

        Parameters
        ----------
        request
            What would be run now.
        choices
            What is chosen for each method.
        """
        times, reasons = {}, {}
        for key, choice in choices.items():
            known = _KNOWN.get(_key(request, choice))
            if isinstance(known, Pace):
                words = about(known.seconds(choice.options))
                times[key] = words if known.ended else words.replace("about", "over")
            elif known is not None:
                reasons[key] = known
        return times, reasons

    def cancel(self) -> None:
        """Measure no more."""
        self._queue.clear()
        if self._background.busy:
            self._background.cancel()
            self.now = ""
            self.changed.emit()

    def _go_on(self) -> None:
        """Begin with the next one."""
        if not self._queue:
            self.now = ""
            self.changed.emit()
            return
        key, request = self._queue.pop(0)
        self.now = METHODS.find(key[0]).label

        def done(pace: Pace) -> None:
            _keep(key, pace)
            self._go_on()

        def failed(error: ReconError) -> None:
            _keep(key, error.message)
            self._go_on()

        self._background.start(lambda: _measured(request), done, failed)
        self.changed.emit()


def _keep(key: tuple[Any, ...], known: Pace | str) -> None:
    _KNOWN[key] = known
    while len(_KNOWN) > _MOST_KEPT:
        _KNOWN.popitem(last=False)


def _key(request: Request, choice: MethodChoice) -> tuple[Any, ...]:
    """Return what the time of a method depends on: the method, the shape, the device."""
    config = request.config
    extents = tuple(b - a for a, b in config.region or ())
    return (
        choice.key,
        choice.options.model_dump_json(exclude=_FREE),
        (config.task, config.physics.instrument, config.physics.psf != "none"),
        (request.source.measurement.shape, extents),
        (config.options.get("device", "auto"), choice.clean is None),
    )


def _measured(request: Request) -> Generator[str, None, Pace]:
    """Measure one method; in another thread."""
    measurement, config = request.source.measurement, request.config
    options = METHODS.find(config.method or "").load_options()(**config.options)
    scan = config.physics.scan or Tomograph()
    batch = int(getattr(options, "batch", 1) or 1)
    few = 2 * batch + 1  # some are held out
    rows = None
    if config.task == "reconstruct" and config.physics.instrument in SCANS:
        yield "Reading the scan"
        rows = rows_of(scan, measurement, {})
        first, last = scan.slices or (0, rows or 1)
        rows = min(last, rows or 1) - first
        config = few_slices(request, few)
    small, parts = small_part(config, measurement, options)
    if rows is not None:
        parts = float(rows)
    plan = resolve(small, measurement, psf=request.psf, given=request.given)
    frames = 1 if config.task == "reconstruct" else prod(measurement.leading_shape)
    threads = max(1, (os.cpu_count() or 2) - 1)
    return (yield from measure_pace(plan, frames=frames, parts=parts, threads=threads))
