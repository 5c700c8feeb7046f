"""A run in the background of a viewer: it can be paused, stopped with its result, or discarded."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.layers import Image
from psygnal import Signal
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

from napari_selfsup_recon.core.events import Done, Event, Notice, Preview, Stage
from napari_selfsup_recon.core.measurement import Measurement
from napari_selfsup_recon.runs.control import Control
from napari_selfsup_recon.runs.execute import execute
from napari_selfsup_recon.runs.history import History, run_and_record
from napari_selfsup_recon.runs.kept import run_and_keep
from napari_selfsup_recon.runs.names import label_of
from napari_selfsup_recon.runs.plan import RunPlan
from napari_selfsup_recon.runs.result import Result
from napari_selfsup_recon.runs.stash import Stash, run_and_stash
from napari_selfsup_recon.widgets import companions, reblur
from napari_selfsup_recon.widgets.bridge import Source, add_layer
from napari_selfsup_recon.widgets.driver import Failure, Planned, Progress, Valve, drive
from napari_selfsup_recon.widgets.live import LiveLayer
from napari_selfsup_recon.widgets.recon_source import good_limits, result_source
from napari_selfsup_recon.widgets.states import State
from napari_selfsup_recon.widgets.unfinished import stash_of
from napari_selfsup_recon.widgets.viewer_job import ViewerJob

if TYPE_CHECKING:
    from napari_selfsup_recon.widgets.again import Again


class Job(ViewerJob):
    """A run and the layers that come of it.

    Everything here is called on the main thread.

    Parameters
    ----------
    viewer
        Where results go; held weakly.
    source
        What is worked on.
    make_plan
        Returns the plan, or raises what is wrong with the input; called in the worker thread.
    preview
        Whether this is a quick try: its result replaces that of the last try.
    run
        What executes a plan; unless it is given, a run that keeps its trained networks.
    again
        How the run can be repeated.
    stash
        Keeps what is learned, in case the window is closed; unless it is given, and the run is
        none of its own making, one that :mod:`~napari_selfsup_recon.widgets.resume` reads.
    folder
        Where results are written frame by frame, and read from as needed; in memory if empty.

    Attributes
    ----------
    delivered
        Emitted with each result and the layer that it became.
    history
        Loss and held-out score of each step.
    """

    delivered = Signal(Result, Image)

    def __init__(
        self,
        viewer: Any,
        source: Source,
        make_plan: Callable[[], RunPlan],
        *,
        preview: bool = False,
        run: Callable[[RunPlan, Control], Iterator[Event]] | None = None,
        again: Again | None = None,
        stash: Stash | None = None,
        folder: str = "",
    ) -> None:
        self.plan: RunPlan | None = None
        self._made: list[weakref.ReferenceType[Image]] = []
        self.preview = preview
        self.again = again
        if run is None and again is not None and not preview:
            stash = stash or stash_of(source, again)
        self._stash = stash
        self.source = source
        self._place = source
        self._limits: tuple[float, float] | None = None
        # One core is left to the window.
        valve = Valve(Control(threads=max(1, (os.cpu_count() or 2) - 1)))
        # A try is not worth keeping: it saw little, for a short time.
        run = run or partial(execute, keep_models=not preview, folder=folder or None)
        if stash is not None:
            run = partial(run_and_stash, run, stash)
        self.history = History()
        run = partial(run_and_record, run, self.history)
        self._drawing = False
        self._drawn: tuple[int, str] | None = None
        self._removed = ""  # what the image was called when it was removed
        self._farewell: Notice | None = None
        super().__init__(
            viewer,
            drive(make_plan, partial(run_and_keep, run), valve),
            valve,
            title=f"{'preview' if preview else 'reconstruction'} of {source.name!r}",
            at_work=State.PREVIEWING if preview else State.RUNNING,
        )
        self._live = LiveLayer(self._viewer, source, valve.control)

    def start(self) -> Job:
        """Begin; returns itself."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.removed.connect(self._on_removed)
        return self._begin_work(0, self.source.name)

    @property
    def layers(self) -> list[Image]:
        """What came of it and is still there, the baseline's result first."""
        return [layer for made in self._made if (layer := made()) is not None]

    @property
    def made(self) -> list[str]:
        """Names of what came of it."""
        return [layer.name for layer in self.layers]

    def stop(self) -> None:
        """Stop and keep: the best result so far becomes a layer."""
        if self._state.busy and self._state is not State.STOPPING:
            self._valve.control.stop()
            self._valve.resume()
            self._go(State.STOPPING)

    def discard(self) -> None:
        """Stop and throw away what is not finished yet; layers that are made already stay."""
        if self._state.busy:
            if self._stash is not None:
                self._stash.drop()
            self._valve.abort()
            self._worker.quit()
            self._go(State.STOPPING)

    def wait(self, timeout: float | None = None) -> list[Image]:
        """Return the layers when the work is done; the window stays alive meanwhile.

        Parameters
        ----------
        timeout
            Seconds to wait at most.

        Returns
        -------
        list
            The layers that were added, the baseline's first; empty after :meth:`discard`.

        Raises
        ------
        ReconError
            What ended the work; layers that were reached before are in :attr:`layers`.
        TimeoutError
            If it is not done in time; it goes on.
        """
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while not self.done:
                if end is not None and time.monotonic() > end:
                    raise TimeoutError(f"The job is not done after {timeout:g} s.")
                QApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
                time.sleep(0.002)
        except KeyboardInterrupt:
            self.discard()
            raise
        if self.error is not None:
            raise self.error
        return self.layers

    def _on_removed(self, event: Any) -> None:
        """Say what becomes of the run when its image is removed: it has the values, and goes on."""
        layer = self.source.layer()
        if layer is not None and event.value is layer and not self._removed:
            self._removed = str(layer.name)
            self._say_removed(
                "was removed. The run goes on with the values that it holds; its result will lie "
                "where the image was."
            )
            self.changed.emit(self._state)

    def _say_removed(self, what: str) -> None:
        self.facts.notices = [n for n in self.facts.notices if n is not self._farewell]
        self._farewell = Notice(f"{self._removed!r} {what}", "warning")
        self.facts.notices.append(self._farewell)

    # -- from the worker, on the main thread ---------------------------------------------------

    def _take(self, event: Event) -> None:
        if isinstance(event, Progress):
            self.facts.add(event.steps)
            self._show_bar()
        elif isinstance(event, Stage):
            self.facts.begin(event)
            self._show_bar()
        elif isinstance(event, Notice):
            self.facts.notices.append(event)
        elif isinstance(event, Planned):
            self._take_plan(event.plan)
        elif isinstance(event, Preview):
            self._guarded(self._show_preview, event)
        elif isinstance(event, Result):
            self._guarded(self._add_result, event)
        elif isinstance(event, Failure):
            self.error, self.details, self._end = event.error, event.details, State.FAILED
        elif isinstance(event, Done):
            self._end = State.DONE

    def _take_plan(self, plan: RunPlan) -> None:
        """Keep the plan; what is reconstructed lies elsewhere than what was measured."""
        self.plan = plan
        viewer = self._viewer()
        if plan.problem is not None and viewer is not None:
            self._place = result_source(self.source, plan.problem.result, viewer)
            self._live = LiveLayer(self._viewer, self._place, self._valve.control)

    def _show_bar(self) -> None:
        """Bring the bar of napari up to date, unless that is under way.

        Drawing it, napari handles whatever waits, more of our events among it. Were the bar drawn
        for each of these, too, a slow window would go deeper with every one of them.
        """
        if self._drawing:
            return
        self._drawing = True
        try:
            if self._drawn != (self.facts.part, self.facts.stage):
                self._drawn = (self.facts.part, self.facts.stage)
                self._bar.reset(total=self.facts.total)
                self._bar.set_description(f"{self.source.name}: {self.facts.stage}")
            if self._bar.total != self.facts.total:
                self._bar.total = self.facts.total
            self._bar.update(self.facts.step - self._bar.n)
        finally:
            self._drawing = False

    def _guarded(self, show: Callable[[Any], None], event: Event) -> None:
        """Show something; if the window is gone, end the work instead."""
        try:
            show(event)
        except RuntimeError:  # what Qt raises for widgets that are deleted
            self.discard()

    def _offset(self) -> tuple[int, ...]:
        assert self.plan is not None
        region = self.plan.config.region
        return tuple(start for start, _ in region) if region else ()

    def _show_preview(self, event: Preview) -> None:
        assert self.plan is not None
        if self.plan.problem is not None:
            entry, _ = self.plan.methods[min(self.facts.part, len(self.plan.methods) - 1)]
            name = f"{self.source.name} {label_of(entry.key)} (live)"
            stack = self._place.measurement.spatial_ndim > 2
            start = (self.plan.problem.slices // 2, 0, 0) if stack else (0, 0)
            self._live.show(event.image, name, start)
            self._same_contrast(self._live.layer, event.image, final=False)
            return
        frames = list(self.plan.measurement.leading_indices())
        entry, _ = self.plan.methods[
            min(self.facts.part // len(frames), len(self.plan.methods) - 1)
        ]
        corner = self._offset() or (0,) * event.image.ndim
        shown = zip(corner, self.plan.preview_region, strict=True)
        offset = frames[self.facts.part % len(frames)] + tuple(a + s.start for a, s in shown)
        self._live.show(event.image, f"{self.source.name} {label_of(entry.key)} (live)", offset)

    def _add_result(self, event: Result) -> None:
        viewer = self._viewer()
        self._live.remove()
        if viewer is None:
            return
        name = f"{self.source.name} {event.label}"
        if self.preview:
            name += " (preview)"
            for old in [layer for layer in viewer.layers if _is_preview_of(layer, event.key)]:
                viewer.layers.remove(old)
        facts = event.provenance.as_dict() | {"preview": self.preview}
        if event.path is not None:
            facts["file"] = str(event.path)
        layer = add_layer(
            viewer,
            self._place,
            event.measurement.data,
            name,
            offset=self._offset(),
            provenance=facts,
        )
        if self.plan is not None and self.plan.problem is not None:
            self._same_contrast(layer, event.measurement.data, final=True)
            if not self._made:  # an image lies elsewhere than its sinogram
                viewer.reset_view()
        self._made.append(weakref.ref(layer))
        if self.plan is not None:
            reblur.remember(layer, self.plan)
        for name, companion in event.companions.items():
            made = self._add_companion(viewer, companion, event.measurement.data.shape)
            companions.remember(layer, name, made)
        self.delivered.emit(event, layer)

    def _add_companion(self, viewer: Any, companion: Measurement, result: tuple[int, ...]) -> Image:
        """Add what belongs to a result, where it lies and with a contrast of its own."""
        assert self.plan is not None
        if self.plan.problem is not None or companion.data.shape != result:
            place = result_source(self.source, companion, viewer)
            return add_layer(viewer, place, companion.data, companion.name, visible=False)
        made = add_layer(
            viewer,
            self._place,
            companion.data,
            companion.name,
            offset=self._offset(),
            visible=False,
        )
        limits = good_limits(companion.data)
        made.contrast_limits_range = _wide_enough(made.contrast_limits_range, limits)
        made.contrast_limits = limits
        return made

    def _same_contrast(self, layer: Image | None, values: Any, *, final: bool) -> None:
        """Show all results of the run alike: with the contrast that suits the first.

        Before there is one, every preview has its own: the first ones are far too dark.
        """
        limits = self._limits or good_limits(values)
        if final:
            self._limits = limits
        if layer is not None and tuple(layer.contrast_limits) != limits:
            layer.contrast_limits_range = _wide_enough(layer.contrast_limits_range, limits)
            layer.contrast_limits = limits

    def _clear_up(self) -> None:
        self._guarded(lambda _: self._live.remove(), Event())
        viewer = self._viewer()
        if viewer is not None:
            viewer.layers.events.removed.disconnect(self._on_removed)
        if self._removed:
            self._say_removed(
                "was removed while the run went on. Its result lies where the image was. To run "
                "anything else on the image, open it again."
                if self._made
                else "was removed while the run went on, and no result was kept."
            )
        # The session keeps the last job; what a person removes must not live on in it.
        self.plan = None
        self.source = self._place = self.source.without_data()
        self._live = LiveLayer(self._viewer, self.source, self._valve.control)


def _wide_enough(limits: tuple[float, float], wanted: tuple[float, float]) -> tuple[float, float]:
    return min(limits[0], wanted[0]), max(limits[1], wanted[1])


def _is_preview_of(layer: Any, key: str) -> bool:
    facts = layer.metadata.get("selfsup_recon") or {}
    return bool(facts.get("preview")) and facts.get("method") == key
